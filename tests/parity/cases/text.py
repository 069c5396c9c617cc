"""Cases of the ops of texts and tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, TINY, Case, random_vectors, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns

TEXTS = [
    "The quick  brown fox", "", " ", "  a b  ", "a\tb\nc\x0bd\fe\rf", "Ünïcödé CAFÉ İI ΣΑΣ ẞ", "日本 語", "😀 x😀y 😀😀", None,
    "no-break\u00a0space\u2003em", "a\u0000b", "X", "XX", "aXXbX", "XaX", "one, two; THREE... four_5 6.7", "null", "\r\n",
    "a\u0301 e\u0301b", "line\nline\r\nline\u2028x\u0085", "aab bba", "İstanbul IĞDIR ı i", "'quoted' \"x\" \\ {z}",
]  # fmt: skip
WORDS: list[list[str | None] | None] = [
    ["a", "b", "a", "c"], [], [""], ["a"], [None], ["a", None, "a", "null"], None, ["é", "😀", "日本", "a b"], ["A", "THE", "the", "İ", "I", "ı"],
    ["abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"], ["x"] * 9, ["a"] * 3 + ["b"] * 2 + ["unseen"] * 5, ["ΣΑΣ", "ẞ", "ﬁ"],
]  # fmt: skip
NARROW = [text for text in TEXTS if text is None or max(text, default="") <= "\uffff"]
TEXT: Columns = {"text": ("string", TEXTS)}
TOKENS: Columns = {"tokens": ("array<string>", WORDS)}
FITTED: Columns = {"tokens": ("array<string>", [["a", "b", "a", "c"], ["a", "é", "😀"], ["b", ""], ["x", "x", "a"]])}
NO_TEXT: Columns = {"text": ("string", ["a"])}

PATTERNS = ["", "x*", "(?=b)", r"\b", "$", "(?m)^", "(?m)$", "XX", "(X)(X)", "X"]
"""Patterns that may match nothing, and others, for texts without characters beyond 16 bits."""


def of(*names: str, **params: Any) -> Callable[[], Sequence[Any]]:
    """One stage of pyspark.ml.feature."""

    def stages() -> Sequence[Any]:
        from pyspark.ml import feature

        return [getattr(feature, name)(**params) for name in names]

    return stages


def never_empty() -> Sequence[Any]:
    """Patterns of all kinds, over every text, in two forms."""
    from pyspark.ml.feature import RegexTokenizer

    several = [
        r"\W", r"\s+", r"\w+", r"[a-z&&[^bc]]+", r"(?i)x|é", r"\p{L}+", ".", r"\Q. \E", r"(.)\1", r"[^\p{Punct}\s]+", r"\h",
        r"\R", "(?<!X)X", "a++|b", r"\x61|\u00e9", "(?s)..",
    ]  # fmt: skip
    return [
        RegexTokenizer(inputCol="text", outputCol=f"p{n}_{gaps}", pattern=pattern, gaps=gaps, minTokenLength=int(gaps))
        for n, pattern in enumerate(several)
        for gaps in (True, False)
    ]


def maybe_empty() -> Sequence[Any]:
    from pyspark.ml.feature import RegexTokenizer

    return [
        RegexTokenizer(
            inputCol="text", outputCol=f"t{n}_{gaps}", pattern=pattern, gaps=gaps, minTokenLength=0, toLowercase=False
        )
        for n, pattern in enumerate(PATTERNS)
        for gaps in (True, False)
    ]


def by_length() -> Sequence[Any]:
    from pyspark.ml.feature import RegexTokenizer

    least = [RegexTokenizer(inputCol="text", outputCol=f"least{n}", minTokenLength=n) for n in range(4)]
    found = [
        RegexTokenizer(inputCol="text", outputCol=f"found{n}", minTokenLength=n, pattern=r"\S+", gaps=False)
        for n in range(3)
    ]
    single = RegexTokenizer(inputCol="text", outputCol="one", pattern="[ab]", minTokenLength=0, toLowercase=False)
    return [*least, *found, single]


def grams() -> Sequence[Any]:
    from pyspark.ml.feature import NGram

    return [NGram(inputCol="tokens", outputCol=f"g{n}", n=n) for n in (1, 2, 3, 9)]


def removers() -> Sequence[Any]:
    from pyspark.ml.feature import StopWordsRemover

    words = ["the", "A", "é", "İ", "i", "σας", ""]

    def remover(n: int, **params: Any) -> Any:
        return StopWordsRemover(inputCol="tokens", outputCol=f"k{n}", stopWords=words, **params)

    several = StopWordsRemover(inputCols=["tokens", "k1"], outputCols=["m1", "m2"], stopWords=["x", "I"], locale="tr")
    plain = StopWordsRemover(inputCol="tokens", outputCol="plain")
    locales = [remover(2 + n, locale=locale) for n, locale in enumerate(["tr", "az", "lt", "en_US"])]
    return [plain, remover(0, caseSensitive=True), remover(1), *locales, several]


def counters() -> Sequence[Any]:
    from pyspark.ml.feature import HashingTF

    sizes = [7, 1]
    return [
        HashingTF(inputCol="tokens", outputCol=f"h{n}{binary}", numFeatures=n, binary=binary)
        for n in sizes
        for binary in (False, True)
    ]


def vectorizers() -> Sequence[Any]:
    from pyspark.ml.feature import CountVectorizer

    policies = [(1.0, False), (2.0, False), (0.3, False), (0.3, True), (0.0, True)]
    return [
        CountVectorizer(inputCol="tokens", outputCol=f"c{n}", minTF=least, binary=binary)
        for n, (least, binary) in enumerate(policies)
    ]


def weights() -> Sequence[Any]:
    from pyspark.ml.feature import IDF, HashingTF

    return [
        HashingTF(inputCol="tokens", outputCol="counts", numFeatures=50),
        IDF(inputCol="counts", outputCol="weighted", minDocFreq=1),
        IDF(inputCol="v", outputCol="vw"),
    ]


def hashers() -> Sequence[Any]:
    from pyspark.ml.feature import FeatureHasher

    columns = ["d", "i", "f", "l", "y", "n", "s", "b"]
    return [
        FeatureHasher(inputCols=columns, outputCol="plain", numFeatures=1 << 12),
        FeatureHasher(inputCols=columns, outputCol="small", numFeatures=3),
        FeatureHasher(inputCols=columns, outputCol="cats", numFeatures=1000, categoricalCols=["d", "i", "f", "y", "b"]),
    ]


def realistic() -> Sequence[Any]:
    from pyspark.ml.feature import IDF, HashingTF, NGram, StopWordsRemover, Tokenizer, VectorAssembler

    return [
        Tokenizer(inputCol="text", outputCol="tokens"),
        StopWordsRemover(inputCol="tokens", outputCol="kept"),
        NGram(inputCol="kept", outputCol="grams"),
        HashingTF(inputCol="grams", outputCol="counts", numFeatures=500),
        HashingTF(inputCol="kept", outputCol="more", numFeatures=50),
        IDF(inputCol="counts", outputCol="weighted"),
        VectorAssembler(inputCols=["weighted", "more"], outputCol="features"),
    ]


VALUES: Columns = {
    "d": ("double", [0.0, -0.0, 1.5, NAN, INF, None, 1e10, 1e-5, TINY, 100.0]),
    "i": ("int", [0, -1, 7, 2**31 - 1, None, 3, 3, 3, 3, 3]),
    "f": ("float", [0.1, -0.0, INF, None, 1e10, 16777216.0, 0.001, NAN, 0.5, 0.5]),
    "l": ("bigint", [0, -1, 2**62, None, 5, 5, 5, 5, 5, 5]),
    "y": ("tinyint", [0, -128, 127, None, 1, 1, 1, 1, 1, 1]),
    "n": ("smallint", [0, -1, None, 3, 3, 3, 3, 3, 3, 3]),
    "s": ("string", ["a", "", "é😀", None, "d=1", "a", "a", "null", "true", "0.0"]),
    "b": ("boolean", [True, False, None, True, True, True, True, True, True, True]),
}
MIXED: Columns = {
    "tokens": ("array<string>", [*WORDS, ["a"], ["a"]]),
    "v": (("vector", 3), [*vectors([1.0, 0.0, -0.0], [NAN, INF, -1.0], {0: 2.0, 2: 0.0}, {1: TINY}, {}), None, *random_vectors(9, 3, 1)]),
}  # fmt: skip
LONG: Columns = {
    "text": ("string", ["a b c a b the quick", "the a an", "quick brown fox a b", "b c d e"]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    fit_weights: Columns = {
        "tokens": ("array<string>", [["a", "b"], ["a", "é"], ["x", "😀"]]),
        "v": (("vector", 3), wide(3, {0: 1.0}, {0: 2.0, 1: 1.0}, {2: 3.0})),
    }
    return {
        "tokenizer": [
            Case("plain", of("Tokenizer", inputCol="text", outputCol="tokens"), NO_TEXT, TEXT),
            Case("pipeline", realistic, LONG, {"text": ("string", [*TEXTS, *LONG["text"][1]])}),
        ],
        "regex_tokenizer": [
            Case("patterns", never_empty, NO_TEXT, TEXT),
            Case("empty-matches", maybe_empty, NO_TEXT, {"text": ("string", NARROW)}),
            Case("lengths", by_length, NO_TEXT, TEXT),
        ],
        "ngram": [Case("plain", grams, FITTED, TOKENS)],
        "stopwords_remover": [Case("plain", removers, FITTED, TOKENS)],
        "hashing_term_frequency": [
            Case("plain", counters, FITTED, TOKENS),
            Case(
                "wide", of("HashingTF", inputCol="tokens", outputCol="h"), FITTED,
                {"tokens": ("array<string>", [["abc", "é", "日本", "😀", "", None, "a b c d e", "abc"]])},
            ),
        ],
        "count_vectorizer": [Case("plain", vectorizers, FITTED, TOKENS)],
        "idf": [Case("plain", weights, fit_weights, MIXED)],
        "feature_hasher": [Case("plain", hashers, VALUES, VALUES)],
        "word_to_vector": [
            Case(
                f"size-{size}", of("Word2Vec", inputCol="tokens", outputCol="mean", vectorSize=size, minCount=1, seed=1),
                FITTED, TOKENS,
            )
            for size in (3, 20)
        ],
    }  # fmt: skip
