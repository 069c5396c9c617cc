"""Java's own regular expressions are the oracle of their translation for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nacre.formats.javalower import lower_in
from nacre.formats.javaregex import JavaRegex, PatternError
from nacre.formats.murmur3 import hash_text, hash_texts

if TYPE_CHECKING:
    from tests.oracle.mleap import Mleap

ATOMS = [
    "a", "b", "é", r"\d", r"\w", r"\W", r"\s", r"\S", r"\h", r"\v", r"\R", ".", "[ab]", "[^a]", "[a-c&&[^b]]", r"[\w&&\D]",
    r"[^\s\d]", r"\p{L}", r"\P{Lu}", r"\p{Punct}", r"\p{IsN}", r"\b", r"\B", "^", "$", r"\A", r"\z", r"\Z", r"\x61", r"\u00e9",
    r"\Qa.\E", r"\.", r"\t", r"(?=a)", r"(?!b)", r"(?<=a)", r"(?<!b)", r"[-a]", r"[a\]]", r"[[a][b]]", "[a-]", r"[\n-\r]", r"\0141",
]  # fmt: skip
QUANTIFIERS = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "*?", "+?", "++", "?+", "{2,}"]
FORMS = ["{}", "({})", "(?:{})", "(?i){}", "(?i:{})", "(?m){}", "(?s){}", "(?>{})", r"({})\1", "(?<n>{})", r"{}|x"]
TEXT = st.text(st.sampled_from("aAbBéÉx_19 .,\t\n\r\u0085\u2028\u00a0İıßσ\u0301日"), max_size=8)


@st.composite
def patterns(draw: Any) -> str:
    def piece() -> str:
        atoms = draw(st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(QUANTIFIERS)), min_size=1, max_size=3))
        return draw(st.sampled_from(FORMS)).replace("{}", "".join(atom + count for atom, count in atoms))

    return "".join(piece() for _ in range(draw(st.integers(1, 2))))


def accent_alone(text: str) -> bool:
    """An accent with no letter before it, beside which `\\b` may differ."""
    return any(c == "\u0301" and not (n and (text[n - 1].isalnum() or text[n - 1] == c)) for n, c in enumerate(text))


def of_java(jvm: Any, pattern: str, text: str) -> tuple[list[str], list[str]]:
    """(pieces of split, all matches)."""
    compiled = jvm.java.util.regex.Pattern.compile(pattern)
    matcher, found = compiled.matcher(text), []
    while matcher.find():
        found.append(matcher.group())
    return list(compiled.split(text)), found


@pytest.mark.oracle
@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(pattern=patterns(), texts=st.lists(TEXT, min_size=1, max_size=3))
def test_a_pattern_finds_what_java_finds(oracle: Mleap, pattern: str, texts: list[str]) -> None:
    try:
        ours = JavaRegex(pattern)
    except PatternError:
        assume(False)
    for text in texts:
        if accent_alone(text) and ("\\b" in pattern or "\\B" in pattern):
            continue
        assert (ours.split(text), ours.find_all(text)) == of_java(oracle.gateway.jvm, pattern, text), (pattern, text)


REFUSED = [
    "*a", "a**", "{1}", "a{,2}", "(", "a)", "[a", "[]", "[b-a]", "[a&&]", r"\1", r"(a)\2", r"\k<n>", "(?<n>a)(?<n>b)", r"\g", "\\",
    r"\p{Nope}", "(?", "(?P<a>b)", r"\x{110000}", r"\xg",
]  # fmt: skip
"""What Java refuses too."""
OURS = [
    r"\G",
    r"\X",
    r"\N{DIGIT ONE}",
    r"\p{IsLatin}",
    r"\p{InGreek}",
    r"\p{javaLowerCase}",
    "(?x) a",
    "(?u)a",
    "(?<=a|bc)d",
    r"\b{g}",
]
"""What is refused here only, rather than run another way."""


@pytest.mark.parametrize("pattern", [*REFUSED, *OURS, "(" * 100 + ")" * 100, "a" * 30_000])
def test_what_cannot_be_run_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        JavaRegex(pattern)


def lower_of_java(oracle: Mleap, text: str, language: str) -> str:
    """``text.toLowerCase(locale)``, by reflection: py4j makes a Python text of every Java one."""
    gateway = oracle.gateway
    known = gateway.jvm.java.lang.Class
    kinds, arguments = gateway.new_array(known, 1), gateway.new_array(gateway.jvm.java.lang.Object, 1)
    kinds[0], arguments[0] = known.forName("java.util.Locale"), gateway.jvm.java.util.Locale(language)
    return known.forName("java.lang.String").getMethod("toLowerCase", kinds).invoke(text, arguments)


@pytest.mark.oracle
@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.sampled_from("IİiıJĮÌÍĨ\u0307\u0300\u0323\u0328ΣσςAaΑẞé. "), max_size=8))
def test_lower_case_as_java_has_it(oracle: Mleap, text: str) -> None:
    for language in ("", "tr", "az", "lt", "en"):
        assert lower_in(language)(text) == lower_of_java(oracle, text, language), language


@settings(deadline=None, derandomize=True, database=None)
@given(texts=st.lists(st.none() | st.text(max_size=12), max_size=8), version=st.sampled_from([1, 2]))
def test_many_hashes_are_single_ones(texts: list[str | None], version: int) -> None:
    import pyarrow as pa

    array = pa.array([None, "x", *texts, None], pa.string())[1:]
    assert hash_texts(array, version).tolist() == [hash_text(text, version) for text in array.to_pylist()]
