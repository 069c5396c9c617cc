"""Whether a pattern can take time that grows exponentially with the text: told from the pattern alone, before it runs.

A backtracking engine tries every way in which a repetition can have matched what came before. Where one text can go
through a repetition in several ways, as through ``(a+)+``, there are exponentially many. The pattern becomes its
position automaton (Glushkov: a state for each place of a character); there are such ways where, within a loop, two
different runs over the same text lead from a state back to it (Weber and Seidl, 1991), or where two repetitions make
the same step. What is in groups that never give back (``(?>…)``, ``a++``) and in looks ahead and behind is judged by
itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from math import log2
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.formats import javaclasses as sets

if TYPE_CHECKING:
    from nacre.formats.javaclasses import Chars

PLACES = 2000
"""Characters of a pattern, its small repetitions written out; more are not judged."""
STEPS = 300_000
"""Steps that a judgement may take."""
SMALL = 8
"""Repetitions up to which a count is written out; beyond, it counts as one without end."""
LOOPS = 6
"""Repetitions one after the other that may share one text between them: n of them take time like its n-th power."""
BITS = 24
"""Choices outside of loops, each counted as the bits it takes to tell: optional parts, small repetitions, branches that
begin alike. 2^24 ways take about a second."""
NESTED = 16
"""Copies of a part that are written out; counts in counts soon are too many."""
ALL: Chars = ((0, sets.TOP),)


class Piece(NamedTuple):
    """A part of a pattern: the places it may begin and end with, and in how many ways it may match nothing. What there
    are several ways to stands twice."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    empty: int


NOTHING = Piece((), (), 1)


class TooLargeError(ValueError):
    """A pattern beyond PLACES or STEPS."""


def slowness(source: str) -> str | None:
    """Why a pattern, in Python's syntax, may take for ever; None where it does not."""
    try:
        return _slow(import_module("re._parser").parse(source)) if set(source) & set("*+?{|") else None
    except TooLargeError:
        return f"more than {PLACES} places, or too many ways through them, to tell how long it takes"


def _slow(tree: Any) -> str | None:
    automaton = Automaton()
    whole = automaton.sequence(tree)
    return automaton.judged(whole) or next(filter(None, map(_slow, automaton.apart)), None)


@dataclass
class Automaton:
    """`chars` of each place, `follow` place -> place -> how many ways, `apart` parts that are judged by themselves.
    `assertions`: whether anything but characters is asked for, so that a match may fail at its very end."""

    chars: list[Chars] = field(default_factory=list)
    follow: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    apart: list[Any] = field(default_factory=list)
    assertions: bool = False
    steps: int = 0
    bits: float = 0.0
    copies: int = 1

    # From the parser's tree

    def sequence(self, items: Any) -> Piece:
        found = NOTHING
        for op, value in items:
            found = self._joined(found, self._item(str(op), value))
        return found

    def _item(self, op: str, value: Any) -> Piece:
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeated(*value)
        if op == "SUBPATTERN":
            return self.sequence(value[-1])
        if op == "BRANCH":
            return self._branched(value[1])
        if op in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
            body = value if op == "ATOMIC_GROUP" else value[2]
            self.apart.append(body)
            return self._place(_alphabet(body), int(op == "POSSESSIVE_REPEAT" and value[0] == 0))
        if op in ("ASSERT", "ASSERT_NOT"):
            self.apart.append(value[1])
        if op in ("AT", "ASSERT", "ASSERT_NOT"):
            self.assertions = True
            return NOTHING
        if op == "GROUPREF":
            self.assertions = True
            return self._place(ALL, 1)
        return self._place(_chars(op, value), 0)

    def _place(self, known: Chars, empty: int) -> Piece:
        self._step(0)
        self.chars.append(known)
        if len(self.chars) > PLACES:
            raise TooLargeError
        here = (len(self.chars) - 1,)
        return Piece(here, here, empty)

    def _repeated(self, least: int, most: int, body: Any) -> Piece:
        if most <= SMALL and self.copies * most <= NESTED:
            self.bits += log2(most - least + 1)
            self.copies *= max(most, 1)
            found = NOTHING
            for _ in range(least):
                found = self._joined(found, self.sequence(body))
            rest = NOTHING
            for _ in range(most - least):  # from the last on: each is there only if the one before it is
                one = self.sequence(body)
                rest = self._joined(one, rest)
                rest = rest._replace(empty=min(2, rest.empty + 1))
            self.copies //= max(most, 1)
            return self._joined(found, rest)
        once = self.sequence(body)
        if least != most or len(once.first) > 1 or once.first != once.last:
            self._step(len(once.last) * len(once.first))
            for place in once.last:
                self.follow[place].update(once.first)
        return once._replace(empty=once.empty or int(least == 0))

    def _branched(self, found: list[Any]) -> Piece:
        pieces = [(each, self.sequence(each)) for each in found]
        branches = [piece for items, piece in pieces if piece.first or not len(items)]
        if len(branches) < len(pieces):  # such as $, whose branches exclude each other
            branches.append(NOTHING)
        if len(branches) > 1 and self._alike(branches):
            self.bits += log2(len(branches))
        return Piece(
            tuple(place for each in branches for place in each.first),
            tuple(place for each in branches for place in each.last),
            min(2, sum(each.empty for each in branches)),
        )

    def _alike(self, branches: list[Piece]) -> bool:
        """Whether two of the branches can begin with the same character, or one can be nothing."""
        if any(each.empty for each in branches) or len(branches) > 100:
            return True
        known = [sets.union(*(self.chars[place] for place in each.first)) for each in branches]
        return sum(map(_size, known)) != _size(sets.union(*known))

    def _joined(self, one: Piece, other: Piece) -> Piece:
        self._step(len(one.last) * len(other.first))
        for place in one.last:
            self.follow[place].update(other.first)
        return Piece(
            _twice(one.first + other.first * one.empty),
            _twice(one.last * other.empty + other.last),
            min(2, one.empty * other.empty),
        )

    def _step(self, count: int) -> None:
        self.steps += count + 1
        if self.steps > STEPS:
            raise TooLargeError

    # The judgement

    def judged(self, whole: Piece) -> str | None:
        loops = [loop for loop in components(self.follow, len(self.chars)) if self._is_loop(loop)]
        if self.bits > BITS:
            return f"more than 2^{BITS} ways through what may or may not be there"
        if not loops:
            return None
        masks = _masks(self.chars)
        ends = set(whole.last)
        for loop in loops:
            if (self.assertions or not loop <= ends) and self._ambiguous(loop, masks):
                return "a repetition that can match one text in many ways, such as (a+)+"
        if self._chain(loops, masks) > LOOPS:
            return f"more than {LOOPS} repetitions, one after the other, that can share one text in many ways"
        return None

    def _is_loop(self, places: set[int]) -> bool:
        return len(places) > 1 or any(place in self.follow[place] for place in places)

    def _ambiguous(self, loop: set[int], masks: list[int]) -> bool:
        """Whether two different runs over one text lead from a place of the loop back to it."""
        inner = {place: [after for after in self.follow[place] if after in loop] for place in loop}
        if any(self.follow[place][after] > 1 for place in loop for after in inner[place]):
            return True
        before: defaultdict[int, list[int]] = defaultdict(list)
        for place, afters in inner.items():
            for after in afters:
                before[after].append(place)
        return bool(self._pairs(loop, inner, masks) & self._pairs(loop, before, masks))

    def _pairs(self, loop: Iterable[int], edges: dict[int, list[int]], masks: list[int]) -> set[tuple[int, int]]:
        """Pairs of different places that two runs over one text reach from a common place."""
        found: set[tuple[int, int]] = set()
        open_pairs = [(place, place) for place in loop]
        while open_pairs:
            one, other = open_pairs.pop()
            self._step(len(edges[one]) * len(edges[other]))
            for a in edges[one]:
                for b in edges[other]:
                    if a < b and masks[a] & masks[b] and (a, b) not in found:
                        found.add((a, b))
                        open_pairs.append((a, b))
                    elif b < a and masks[a] & masks[b] and (b, a) not in found:
                        found.add((b, a))
                        open_pairs.append((b, a))
        return found

    def _chain(self, loops: list[set[int]], masks: list[int]) -> int:
        """The most loops that one text can be shared between. `loops` come in reverse order of the pattern."""
        home = {place: n for n, loop in enumerate(loops) for place in loop}
        alphabets = [_any(masks[place] for place in loop) for loop in loops]
        longest = [1] * len(loops)
        for n, loop in enumerate(loops):
            for m in self._reached(loop, alphabets[n], masks, home):
                if m != n and alphabets[n] & alphabets[m]:
                    longest[n] = max(longest[n], 1 + longest[m])
        return max(longest, default=0)

    def _reached(self, loop: set[int], alphabet: int, masks: list[int], home: dict[int, int]) -> Iterator[int]:
        """The loops that lie behind a loop, with nothing between them but what the loop itself matches."""
        seen, open_places = set(loop), list(loop)
        while open_places:
            place = open_places.pop()
            self._step(len(self.follow[place]))
            for after in self.follow[place]:
                if after not in seen and masks[after] & alphabet:
                    seen.add(after)
                    open_places.append(after)
                    if after in home:
                        yield home[after]


def _size(known: Chars) -> int:
    return sum(last - first + 1 for first, last in known)


def _twice(places: tuple[int, ...]) -> tuple[int, ...]:
    """Places, each at most twice."""
    if len(set(places)) == len(places):
        return places
    return tuple(place for place, count in Counter(places).items() for _ in range(min(count, 2)))


def _any(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _masks(known: list[Chars]) -> list[int]:
    """Sets of characters as bits: a bit for each stretch of code points that no set parts."""
    edges = sorted({edge for each in known for first, last in each for edge in (first, last + 1)})
    at = {edge: n for n, edge in enumerate(edges)}
    made: dict[Chars, int] = {}
    for each in known:
        if each not in made:
            made[each] = _any((1 << at[last + 1]) - (1 << at[first]) for first, last in each)
    return [made[each] for each in known]


def _chars(op: str, value: Any) -> Chars:
    """The characters of a place."""
    if op == "LITERAL":
        return sets.chars(value)
    if op == "NOT_LITERAL":
        return sets.complement(sets.chars(value))
    if op != "IN":
        return ALL
    names = [str(name) for name, _ in value]
    if "CATEGORY" in names:
        return ALL
    known = sets.chars(*(each for name, each in value if str(name) != "NEGATE"))
    return sets.complement(known) if "NEGATE" in names else known


def _alphabet(body: Any) -> Chars:
    inner = Automaton()
    inner.sequence(body)
    return sets.union(*inner.chars) if inner.chars else ALL


def components(follow: dict[int, Counter[int]], count: int) -> Iterator[set[int]]:
    """Strongly connected places, those behind first (Tarjan's algorithm, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in range(count):
        work = [(root, iter(list(follow[root])))] if root not in index else []
        while work:
            place, afters = work[-1]
            if place not in index:
                index[place] = low[place] = len(index)
                stack.append(place)
                on_stack.add(place)
            after = next(afters, None)
            if after is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[place])
                if low[place] == index[place]:
                    at = stack.index(place)
                    found = set(stack[at:])
                    del stack[at:]
                    on_stack -= found
                    yield found
            elif after not in index:
                work.append((after, iter(list(follow[after]))))
            elif after in on_stack:
                low[place] = min(low[place], index[after])
