"""Texts to lists of tokens: tokenizer, regex_tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.formats.javaclasses import SPACE, Chars
from nacre.formats.javaregex import JavaRegex, PatternError, compiled
from nacre.plan.frame import Column, Lists, Result, Texts
from nacre.plan.rowcode import ListRef, Ref, RowCode, ScalarRef
from nacre.plan.splitting import Cuts, each_text, split_texts
from nacre.plan.types import STRING, TOKENS, Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage

if TYPE_CHECKING:
    import pyarrow as pa

NULL = "null where a text is needed"


class TextStage(Stage):
    """A stage with one text in. A null fails, as the NullPointerException of Spark's own functions does."""

    inputs = (Port("input", STRING, "inputCol"),)

    def output_type(self) -> Type:
        raise NotImplementedError

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        if inputs[0] != STRING:
            raise self.refuse(self.input_names[0], "a text", inputs[0])
        return [self.output_type()]

    def refuse_null(self, result: Result, column: Texts) -> None:
        if column.array.null_count:
            null = np.asarray(column.array.is_null())
            result.fail(null, self.input_names[0], NULL, expected="a text", got=lambda row: None)

    def refuse_null_row(self, code: RowCode, ref: ScalarRef) -> None:
        if ref.nullable:
            with code.block(f"if {ref.name} is None"):
                code.fail(self.input_names[0], NULL, "a text", "None")


class TokenizerStage(TextStage):
    """A text to a list of texts, by a function of one text and, where there is one, by cuts through all at once."""

    outputs = (Port("output", TOKENS, "outputCol"),)
    one: Callable[[str], list[str]]
    cuts: Cuts | None = None

    def output_type(self) -> Type:
        return TOKENS

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Texts)
        result = Result([Lists(self._split(column.array))])
        self.refuse_null(result, column)
        return result

    def _split(self, array: pa.Array) -> pa.Array:
        if self.cuts is not None:
            return split_texts(array, self.cuts, self.one)
        import pyarrow as pa

        return pa.array(each_text(array, self.one), pa.list_(pa.string()))

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        self.refuse_null_row(code, ref)
        return [ListRef(code.let(f"{code.const(self.one, 'split')}({ref.name})", "k"))]


@stage
class Tokenizer(TokenizerStage):
    """The text in lower case, cut at every single white space (of ASCII); a run of two gives an empty token."""

    op = "tokenizer"
    spark_classes = ("org.apache.spark.ml.feature.Tokenizer",)

    def prepare(self) -> None:
        self.one = spaced
        self.cuts = Cuts(table(SPACE), lower=True, shortest=0)


_cut_at_space = compiled(r"\s").compiled.split


def spaced(text: str) -> list[str]:
    """Java's ``text.toLowerCase().split("\\\\s")``."""
    pieces = _cut_at_space(text.lower())
    if not pieces[-1] and len(pieces) > 1:
        while pieces and not pieces[-1]:
            pieces.pop()
    return pieces


def table(known: Chars) -> np.ndarray:
    """Which of the 128 characters of ASCII are in a set."""
    found = np.zeros(128, bool)
    for first, last in known:
        found[first : last + 1] = True
    return found


@stage
class RegexTokenizer(TokenizerStage):
    """The pieces between the matches of a pattern, or the matches themselves. Patterns are Java's (17), translated for
    Python; what cannot be translated exactly is refused, and what can take exponential time, such as `(a+)+$`, unless
    `NACRE_ALLOW_SLOW_PATTERNS=true`: both engines backtrack.
    """

    op = "regex_tokenizer"
    spark_classes = ("org.apache.spark.ml.feature.RegexTokenizer",)
    exact = (
        r"bit for bit; `\b` beside an accent that has no letter before it may differ, and a pattern that matches "
        "nothing leaves characters beyond 16 bits whole"
    )
    attributes = (
        Attr("regex", "string", REQUIRED, "pattern of java.util.regex", spark=param("pattern")),
        Attr("match_gaps", "boolean", True, "whether the pattern matches what parts tokens", spark=param("gaps")),
        Attr(
            "token_min_length", "int", 1, "UTF-16 units that a token has at least", spark=param("minTokenLength")
        ),
        Attr("lowercase_text", "boolean", True, "whether to lower the case first", spark=param("toLowercase")),
    )  # fmt: skip

    regex: str
    match_gaps: bool
    token_min_length: int
    lowercase_text: bool

    def prepare(self) -> None:
        pattern = pattern_of(self, "regex", self.regex)
        self.one = self._one(pattern)
        self.cuts = self._cuts(pattern)

    def _one(self, pattern: JavaRegex) -> Callable[[str], list[str]]:
        lowered, shortest = self.lowercase_text, self.token_min_length
        tokens = pattern.split if self.match_gaps else pattern.find_all

        def one(text: str) -> list[str]:
            return [token for token in tokens(text.lower() if lowered else text) if not _short(token, shortest)]

        return one

    def _cuts(self, pattern: JavaRegex) -> Cuts | None:
        """Cuts that give the same, where the pattern is one class: a run of separators is as good as one when empty
        tokens are dropped, and a run of the class is what lies between the characters outside of it."""
        if pattern.run is None:
            return None
        known, several = pattern.run
        if self.match_gaps:
            if several and self.token_min_length < 1:
                return None
            return Cuts(table(known), self.lowercase_text, max(self.token_min_length, 0))
        return Cuts(~table(known), self.lowercase_text, max(self.token_min_length, 1)) if several else None


def _short(token: str, shortest: int) -> bool:
    """Whether a token has fewer UTF-16 units than wanted."""
    return len(token) < shortest and len(token) + sum(c > "\uffff" for c in token) < shortest


ALLOW_SLOW = "NACRE_ALLOW_SLOW_PATTERNS"


def pattern_of(owner: Stage, field: str, pattern: str) -> JavaRegex:
    """A pattern of a bundle, compiled. Raises BundleError, also on one that some texts can hold up for ever."""
    try:
        found = compiled(pattern)
    except PatternError as error:
        raise owner.bad("a pattern that cannot be run", field, "a pattern of java.util.regex", str(error)) from None
    if found.slow is not None and os.environ.get(ALLOW_SLOW, "").lower() != "true":
        slow = owner.bad("a pattern that some texts can hold up for ever", field, "none", f"{found.slow}: {pattern}")
        slow.fix = f"Write it without, or set {ALLOW_SLOW}=true if pattern and texts come from those you trust"
        raise slow
    return found
