"""Patterns that some texts hold up for ever are told from those that none does, before any text comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nacre
from nacre.bundle import write
from nacre.errors import BundleError
from nacre.formats.javaregex import JavaRegex, PatternError
from nacre.formats.slowpattern import BITS, LOOPS, PLACES
from nacre.stages.tokenizing import ALLOW_SLOW
from tests.bundles import node, pipeline

if TYPE_CHECKING:
    from pathlib import Path

MANY, CHAIN, CHOICES, LARGE = (
    "such as (a+)+",
    f"more than {LOOPS} repetitions",
    f"more than 2^{BITS} ways",
    f"{PLACES} places",
)
SLOW = {
    "(a+)+$": MANY, "(a*)*b": MANY, "(a|a)*b": MANY, "(a|aa)+$": MANY, "(a|ab|b)*c": MANY, "(a?b?)*c": MANY,
    r"(\w+\s?)*$": MANY, "(.*,)*x": MANY, r"(\d{1,3})+x": MANY, "(x+x+)+y": MANY, r"(\s*\w+\s*)*;": MANY,
    r"(a+)+\b": MANY, r"^(([a-z])+.)+[A-Z]([a-z])+$": MANY, "(a{20}|a{21})*b": MANY, "((a{0,4}){0,30})$": MANY,
    "(a|a){30}b": MANY, "(?=(a+)+b)a": MANY, "(?>(a+)+b)": MANY, "((a+)+b)++": MANY, "((a*)?b)*c": MANY,
    ".*.*.*.*.*.*.*x": CHAIN, "((a|b){1,8}){1,8}c": CHAIN, "a*(a|b)*a*[^c]*a+a+a+c": CHAIN,
    "a?" * 30: CHOICES, "(a|ab)" * 30: CHOICES, "a{1,8}" * 20 + "b": CHOICES, "(a.|.a)" * 30: CHOICES,
    "(" + "|".join(f"a{n}b" for n in range(900)) + ")*x": LARGE,
}  # fmt: skip
QUICK = [
    r"\s+", r"\W", "[^a-z0-9']+", "(?i)[a-z]+", r"\d{4}-\d{2}-\d{2}", r"(\d{1,3}\.){3}\d{1,3}", r"^\s+|\s+$", r"(?<=\s)a",
    "(foo|bar|baz)+", "([a-z]+ )*end", r"[,;|]\s*", r"(\w+\s?)+", ".*foo.*bar.*baz", "(a++)+b", "(?>a+)+b", "(ab+)+c",
    r"[\w.+-]+@[\w-]+\.[\w.-]+", r"https?://\S+", r"([A-Z][a-z]+)|(\d+)", r"\b\w{3,}\b", r"(\d{1,3}\.)*x", r"(a)\1",
    r'"([^"\\]|\\.)*"', "[a-z]{9}" * 9, r"(([a-z0-9]+-)*[a-z0-9]+\.)+[a-z]{2,}", "[ab]" * 3000, "|".join(f"a{n}" for n in range(300)),
    r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", "a{0}b*", "(a{0}b)*c",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW, ids=lambda text: text[:20])
def test_slow_patterns(pattern: str) -> None:
    assert SLOW[pattern] in (JavaRegex(pattern).slow or "")


@pytest.mark.parametrize("pattern", QUICK, ids=lambda text: text[:20])
def test_quick_patterns(pattern: str) -> None:
    assert JavaRegex(pattern).slow is None


def test_a_pattern_that_takes_long_to_compile_is_refused() -> None:
    with pytest.raises(PatternError, match="more than 1000 classes"):
        JavaRegex("." * 1001)


def test_in_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused with a word on how to load it all the same."""
    stage = node("regex_tokenizer", {"regex": "(a+)+$"}, ["text"], ["tokens"], name="cut")
    path = write(pipeline(stage), tmp_path / "model.zip")
    with pytest.raises(BundleError, match=r"hold up for ever: .*\(a\+\)\+\$") as caught:
        nacre.load(path)
    assert caught.value.where == {"file": "root/cut.node/model.json", "node": "cut", "field": "regex"}
    assert f"{ALLOW_SLOW}=true" in (caught.value.fix or "")
    monkeypatch.setenv(ALLOW_SLOW, "true")
    assert nacre.load(path).row({"text": "b aa"}) == {"text": "b aa", "tokens": ["b "]}
