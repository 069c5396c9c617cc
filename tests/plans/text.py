"""Nodes of the ops of texts and tokens."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.bundle.values import Shape, Tensor
from nacre.plan.types import STRING, TOKENS, Type, vector
from tests import bundles
from tests.plans.base import NUMBERS, Draw, Drawn, doubles, finite, texts

PATTERNS = [r"\s+", r"\W", r"\w+", "a", "", "x*", "(?=b)", r"\b", "[aé]+", "(?i)A|é", "$", r"(.)\1", r"[^\p{L}]+", "."]
EMPTY = {"", "x*", "(?=b)", r"\b", "$"}
"""Patterns that match nothing: the JVM cuts characters beyond 16 bits in two at them."""
words_of = st.lists(texts, max_size=6)


def tokenizer(words: dict[str, str], wild: bool = True) -> st.SearchStrategy[Drawn]:
    return st.just(([bundles.node("tokenizer", words, ["text"], ["tokens"])], {"text": STRING}))


@st.composite
def regex_tokenizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    flags = {name: draw(st.booleans()) for name in ("match_gaps", "lowercase_text")}
    patterns = [pattern for pattern in PATTERNS if wild or pattern not in EMPTY]
    held = {"regex": draw(st.sampled_from(patterns)), "token_min_length": draw(st.integers(0, 3)), **flags, **words}
    return [bundles.node("regex_tokenizer", held, ["text"], ["tokens"])], {"text": STRING}


@st.composite
def ngram(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"n": draw(st.sampled_from([1, 2, 3, 4, 200])), **words}
    return [bundles.node("ngram", held, ["tokens"], ["grams"])], {"tokens": TOKENS}


@st.composite
def stopwords_remover(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"stop_words": draw(words_of), "case_sensitive": draw(st.booleans()), **words}
    held["nacre.locale"] = draw(st.sampled_from(["en_US", "tr", "lt_LT", None]))
    return [bundles.node("stopwords_remover", held, ["tokens"], ["kept"])], {"tokens": TOKENS}


@st.composite
def word_filter(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"length": draw(st.integers(-1, 3)), **words}
    return [bundles.node("word_filter", held, ["tokens"], ["long"])], {"tokens": TOKENS}


@st.composite
def hashing_term_frequency(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"num_features": draw(st.sampled_from([1, 2, 7, 100])), "binary": draw(st.booleans()), **words}
    held["hashUnsafeBytesVersion"] = draw(st.sampled_from([1, 2, None]))
    return [bundles.node("hashing_term_frequency", held, ["tokens"], ["counts"])], {"tokens": TOKENS}


@st.composite
def count_vectorizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    vocabulary = draw(st.lists(texts, min_size=0 if wild else 1, max_size=6, unique=True))
    held = {"vocabulary": vocabulary, "binary": draw(st.booleans()), **words}
    held["min_tf"] = draw(st.sampled_from([0.0, 0.25, 0.5, 0.3, 1.0, 2.0]))
    return [bundles.node("count_vectorizer", held, ["tokens"], ["counts"])], {"tokens": TOKENS}


@st.composite
def idf(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """Of a raw vector, or of counts, which stay sparse."""
    size = draw(st.integers(1, 4))
    factors = draw(st.lists(finite.map(abs), min_size=size, max_size=size))
    node = bundles.node("idf", {"idf": Tensor(factors, (size,)), **words}, ["v"], ["out"])
    if draw(st.booleans()):
        return [node], {"v": vector(size)}
    counted = bundles.node("hashing_term_frequency", {"num_features": size}, ["tokens"], ["v"])
    return [counted, node], {"tokens": TOKENS}


@st.composite
def word_to_vector(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    known = draw(st.lists(texts, min_size=0 if wild else 1, max_size=5, unique=True))
    size = draw(st.integers(1, 3))
    exact = not wild and words.get("kernel") == "sqrt"  # the JVM fuses multiplying and adding
    number = st.integers(-9, 9).map(float) if exact else doubles if wild else finite
    held = {
        "words": known,
        "indices": draw(st.none() | st.permutations(range(len(known)))),
        "word_vectors": [draw(number) for _ in range(size * len(known))],
        **words,
    }
    return [bundles.node("word_to_vector", held, ["tokens"], ["mean"])], {"tokens": TOKENS}


@st.composite
def feature_hasher(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """Where the JVM prints the numbers, older Javas print some floats longer: none of them are categories then."""
    bases = {f"x{n}": draw(st.sampled_from([*NUMBERS, "string"])) for n in range(draw(st.integers(1, 4)))}
    candidates = [name for name, base in bases.items() if wild or base not in ("float", "double")]
    held = {
        "num_features": draw(st.sampled_from([1, 2, 5, 50])),
        "categorical_cols": draw(st.lists(st.sampled_from(candidates), unique=True)) if candidates else [],
        "input_shapes": [Shape()] * len(bases),
        "basic_types": list(bases.values()),
        "input_names": [draw(st.sampled_from([name, "é", "x0"])) if wild else name for name in bases],
        **words,
    }
    kinds = {name: Type(base) for name, base in bases.items()}
    return [bundles.node("feature_hasher", held, list(bases), ["hashed"])], kinds


@st.composite
def regex_indexer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    regexes = draw(st.lists(st.sampled_from(PATTERNS), min_size=0 if wild else 1, max_size=3))
    held = {"regexes": regexes, "indices": [draw(st.integers(-5, 5)) for _ in regexes], **words}
    held["default_value"] = draw(st.none() | st.integers(-5, 5))
    return [bundles.node("regex_indexer", held, ["text"], ["index"])], {"text": STRING}


@st.composite
def string_map(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    labels = draw(words_of)
    number = doubles if wild else finite
    held = {"labels": labels, "values": [draw(number) for _ in labels], "default_value": draw(number), **words}
    return [bundles.node("string_map", held, ["text"], ["number"])], {"text": STRING}


STRATEGIES = [
    tokenizer, regex_tokenizer, ngram, stopwords_remover, word_filter, hashing_term_frequency, count_vectorizer, idf,
    word_to_vector, feature_hasher, regex_indexer, string_map,
]  # fmt: skip
