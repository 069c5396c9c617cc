"""Rows through a whole forest as logic on bits: QuickScorer (Lucchese et al., SIGIR 2015).

Every tree has a lane of bits, a bit a leaf, the leftmost leaf lowest. A split that sends the row right rules out the
leaves on its left, and the lowest bit left is the leaf reached. All splits on one feature that a value sends right are
those with a threshold up to it, so what they rule out together is kept for every threshold, and one bisection a feature
finds it: a row costs an `&` a feature and some array operations, however many splits there are. For one row the lanes
are one long integer in generated source, for many rows they are arrays.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nacre.booster.forest import BLOCK, NO_TERM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacre.booster.forest import Forest

WIDTHS = (8, 16, 32, 64)
"""Bits of a lane, which are the most leaves of a tree."""
BLOCK_BITS = 4096
"""Bits of one long integer: larger ones take more memory a threshold, smaller ones more bisections a row."""
MAX_BYTES = 48 << 20
"""Of all that is kept for the thresholds."""
SPLIT, BISECTION, ARRAYS, TERM = 0.018, 0.09, 2.8, 0.012
"""Microseconds: of a split in generated source; here of a feature in a block, of the fixed part, of a tree."""


class Feature(NamedTuple):
    """One feature's thresholds in a block, ascending, and the bits left by values below the first, from the first on,
    …; the last entry of `kept` is for a missing value."""

    number: int
    thresholds: list[float]
    kept: list[int]


class Block(NamedTuple):
    """Some trees side by side: number of the first lane, how many there are, and what their splits rule out."""

    first: int
    lanes: int
    features: list[Feature]


class Lanes:
    """A forest that :func:`pays`, laid out. `trees` is the number of lanes a group: one with fewer trees has empty
    ones at its end. `table` has the leaves of each lane, those of a group's first with the base score added."""

    def __init__(self, forest: Forest, base: Sequence[float]):
        self.width = width_of(forest)
        self.trees = max(stop - start for start, stop in forest.spans)
        self.groups = len(forest.spans)
        roots = [
            root for start, stop in forest.spans for root in [*range(start, stop), *[-1] * (self.trees - stop + start)]
        ]
        self.table = np.full((len(roots), self.width), NO_TERM, np.float32)
        self.offsets = np.arange(len(roots)) * self.width - 1
        step = BLOCK_BITS // self.width
        layout = _Layout(forest)
        self.blocks = [layout.block(roots, at, step, self.table) for at in range(0, len(roots), step)]
        with np.errstate(over="ignore", invalid="ignore"):
            self.table[:: self.trees] += np.array(base, np.float32)[:, None]
        self._dtype = np.dtype(f"<u{self.width // 8}")
        self._arrays = [self._as_arrays(block) for block in self.blocks]

    def source(self) -> tuple[str, dict[str, Any]]:
        """The source of `terms` for one row, and the names it uses."""
        names: dict[str, Any] = {
            "bisect": bisect_right,
            "take": self.table.ravel().take,
            "count": np.bitwise_count,
            "frombuffer": np.frombuffer,
            "lane": self._dtype,
            "offsets": self.offsets,
        }
        parts = [_bits(number, block, self.width, names) for number, block in enumerate(self.blocks)]
        last = "take(count(frombuffer({}, lane)) + offsets)"
        if len(parts) == 1:  # a call less
            return f"def terms(row):\n{parts[0][0]}    return {last.format(parts[0][1])}\n", names
        functions = [f"def block{n}(row):\n{lines}    return {made}\n\n" for n, (lines, made) in enumerate(parts)]
        calls = " + ".join(f"block{n}(row)" for n in range(len(parts)))
        return f"{''.join(functions)}def terms(row):\n    return {last.format(calls)}\n", names

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Base scores plus every tree's leaf, rounded to float32 after each tree: float32 (rows, groups)."""
        out = np.empty((len(x), self.groups), np.float32)
        size = max(16, BLOCK // len(self.table))
        for start in range(0, len(x), size):
            rows = x[start : start + size]
            terms = np.concatenate([self._terms(rows, n) for n in range(len(self.blocks))], axis=1)
            with np.errstate(over="ignore", invalid="ignore"):
                sums = np.add.accumulate(terms.reshape(len(rows), self.groups, self.trees), axis=2)
            out[start : start + size] = sums[:, :, -1]
        return out

    def _terms(self, x: np.ndarray, number: int) -> np.ndarray:
        """The leaf that each row reaches in each tree of a block: float32 (rows, trees)."""
        first, count, _ = self.blocks[number]
        bits = np.full((len(x), count), (1 << self.width) - 1, self._dtype)
        for feature, thresholds, kept in self._arrays[number]:
            values = x[:, feature]
            at = thresholds.searchsorted(values, "right")
            at[np.isnan(values)] = len(thresholds) + 1
            bits &= kept.take(at, axis=0)
        below = bits - self._dtype.type(1)
        below ^= bits
        found: np.ndarray = self.table.ravel().take(np.bitwise_count(below) + self.offsets[first : first + count])
        return found

    def _as_arrays(self, block: Block) -> list[tuple[int, np.ndarray, np.ndarray]]:
        size = block.lanes * self.width // 8
        return [
            (
                feature.number,
                np.array(feature.thresholds, np.float32),
                np.stack([np.frombuffer(kept.to_bytes(size, "little"), self._dtype) for kept in feature.kept]),
            )
            for feature in block.features
        ]


class _Layout:
    """A forest's nodes as lists, for laying them out."""

    def __init__(self, forest: Forest):
        self.leaf = forest.leaf
        self.left = forest.left.tolist()
        self.inner = forest.inner.tolist()
        self.feature = forest.feature.tolist()
        self.threshold = forest.threshold.tolist()
        self.default_right = forest.default_right.tolist()

    def block(self, roots: Sequence[int], first: int, step: int, table: np.ndarray) -> Block:
        """The block of the lanes from `first` on, their leaves put into `table`; a root of -1 is an empty lane."""
        which, width = roots[first : first + step], table.shape[1]
        full = (1 << len(which) * width) - 1
        splits: dict[int, list[tuple[float, int, bool]]] = {}
        for place, root in enumerate(which):
            if root < 0:
                continue
            leaves: list[int] = []
            found: list[tuple[int, int, int]] = []
            self.splits(root, leaves, found)
            table[first + place, : len(leaves)] = self.leaf[leaves]
            for node, start, end in found:
                kept = full ^ (((1 << end - start) - 1) << place * width + start)
                those = splits.setdefault(self.feature[node], [])
                those.append((self.threshold[node], kept, self.default_right[node]))
        features = [Feature(number, *_kept(those, full)) for number, those in sorted(splits.items())]
        return Block(first, len(which), features)

    def splits(self, root: int, leaves: list[int], found: list[tuple[int, int, int]]) -> None:
        """Add the leaves below `root`, and (node, first leaf, end) for what each split rules out to its left."""
        if not self.inner[root]:
            leaves.append(root)
            return
        first = len(leaves)
        self.splits(self.left[root], leaves, found)
        found.append((root, first, len(leaves)))
        self.splits(self.left[root] + 1, leaves, found)


def _bits(number: int, block: Block, width: int, names: dict[str, Any]) -> tuple[str, str]:
    """The lines of source for a block, and the expression of its bytes: in every lane the bits up to and with that of
    the leaf reached."""
    names[f"ones{number}"] = sum(1 << place * width for place in range(block.lanes))
    lines, masks = [], []
    for feature, thresholds, kept in block.features:
        names[f"at{number}_{feature}"], names[f"kept{number}_{feature}"] = thresholds, kept
        lines.append(f"    a{feature} = row[{feature}]\n")
        at = f"bisect(at{number}_{feature}, a{feature}) if a{feature} == a{feature} else -1"
        masks.append(f"kept{number}_{feature}[{at}]")
    lines.append(f"    bits = {' & '.join(masks) or (1 << block.lanes * width) - 1}\n")
    size = block.lanes * width // 8
    return "".join(lines), f'(bits ^ (bits - ones{number})).to_bytes({size}, "little")'


def _kept(splits: list[tuple[float, int, bool]], full: int) -> tuple[list[float], list[int]]:
    """Thresholds and bits of a Feature, from (threshold, bits left by a split, whether a missing value goes right)."""
    missing = full
    for _, kept, right in splits:
        if right:
            missing &= kept
    thresholds: list[float] = []
    bits = [full]
    for threshold, kept, _ in sorted(splits):
        if thresholds and thresholds[-1] == threshold:
            bits[-1] &= kept
        else:
            thresholds.append(threshold)
            bits.append(bits[-1] & kept)
    return np.array(thresholds).tolist(), [*bits, missing]  # floats made one after the other lie side by side


def width_of(forest: Forest) -> int:
    """Bits a lane; 0 for a forest with a tree of more leaves than the widest has."""
    parents = np.flatnonzero(forest.inner)
    tree = np.arange(forest.size)
    for node in parents.tolist():
        tree[forest.left[node] : forest.left[node] + 2] = tree[node]
    most = int(np.bincount(tree[~forest.inner]).max(initial=1))
    return next((width for width in WIDTHS if most <= width), 0)


def pays(forest: Forest) -> bool:
    """Whether a row is scored faster so than by generated conditionals, within bounded memory."""
    count, inner = len(forest.roots), int(forest.inner.sum())
    if forest.categories or not inner or not hasattr(np, "bitwise_count") or inner * _block_bytes(count, 8) > MAX_BYTES:
        return False
    width = width_of(forest)
    if not width or inner * _block_bytes(count, width) > MAX_BYTES:
        return False
    used, blocks = len(np.unique(forest.feature[forest.inner])), -(-count * width // BLOCK_BITS)
    return SPLIT * forest.depth * count > ARRAYS + BISECTION * used * blocks + TERM * count


def _block_bytes(count: int, width: int) -> int:
    """Most bytes of one of a block's integers: 30 bits in 4 bytes, and a header."""
    return min(count * width, BLOCK_BITS) // 7 + 32
