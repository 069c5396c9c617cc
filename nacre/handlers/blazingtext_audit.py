"""A fastText binary, looked through before fastText's C++ reads it.

That reader trusts the file: a length that is wrong makes it allocate what the file says or read past its arrays.
Here every length is checked against the others and against the bytes that are there, so that what is handed over
takes about the memory of the file itself. Layout: fastText's versions 11 and 12, little-endian.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from nacre.errors import ModelError

MAGIC = 793712314
VERSIONS = (11, 12)
KINDS = {1: "cbow", 2: "skipgram", 3: "supervised"}
LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
ARGUMENTS = struct.Struct("<12id")
SIZES = struct.Struct("<3i2q")
ENTRY = struct.Struct("<qb")
SHAPE = struct.Struct("<2q")
CODES = struct.Struct("<?2qi")
PRODUCT = struct.Struct("<4i")
CENTROIDS = 256
LONGEST_WORD = 10_000
"""Bytes of a word."""
LONGEST_GRAM = 64
LARGEST_COUNT = 10**15
"""fastText takes it for infinite when it builds its tree."""
GRAMS_BYTES = 1 << 30
"""Memory for the numbers of all words' character n-grams, which are not in the file but made of it."""
CHUNK = 1 << 24


class Audited(NamedTuple):
    """What a file holds."""

    kind: str
    """cbow, skipgram or supervised."""
    dim: int
    words: int
    labels: int
    subwords: bool
    """Whether words that are not in it have a vector."""


class Arguments(NamedTuple):
    """fastText's own arguments, as they stand in the file."""

    dim: int
    ws: int
    epoch: int
    min_count: int
    neg: int
    word_ngrams: int
    loss: int
    model: int
    bucket: int
    minn: int
    maxn: int
    lr_update_rate: int
    t: float


def audit(path: Path) -> Audited:
    """Raises ModelError for what is no fastText model, with the one thing that is wrong with it."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            refuse(path, "it is empty", "a binary of fastText", "0 bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Audit(path, content).run()


def refuse(path: Path, what: str, expected: Any, got: Any) -> NoReturn:
    message = f"{path.name} is no fastText model that can be served: {what}"
    raise ModelError(message, expected=expected, got=got, file=path.name)


class _Audit:
    def __init__(self, path: Path, content: mmap.mmap):
        self.path = path
        self.content = content
        self.at = 0

    def run(self) -> Audited:
        magic, version = self.take(struct.Struct("<2i"), "its first 8 bytes")
        self.check(magic == MAGIC, "it begins otherwise", f"the number {MAGIC}", magic)
        self.check(version in VERSIONS, "its version", " or ".join(map(str, VERSIONS)), version)
        arguments = Arguments(*self.take(ARGUMENTS, "its arguments"))
        self.arguments(arguments)
        if version == 11 and arguments.model == 3:  # as fastText reads its old classifiers: without subwords
            arguments = arguments._replace(maxn=0)
        words, labels, pruned = self.dictionary(arguments)
        self.matrices(arguments, words, labels, pruned)
        self.check(self.at == len(self.content), "its end", f"{self.at} bytes", f"{len(self.content)} bytes")
        return Audited(KINDS[arguments.model], arguments.dim, words, labels, arguments.maxn > 0)

    def arguments(self, given: Arguments) -> None:
        for name, value, low, high in (
            ("dim", given.dim, 1, 1 << 20), ("wordNgrams", given.word_ngrams, 1, 1000),
            ("minn", given.minn, 0, LONGEST_GRAM), ("maxn", given.maxn, 0, LONGEST_GRAM),
            ("loss", given.loss, min(LOSSES), max(LOSSES)), ("model", given.model, min(KINDS), max(KINDS)),
        ):  # fmt: skip
            self.check(low <= value <= high, name, f"{low} to {high}", value)
        needed = given.word_ngrams > 1 or given.maxn > 0  # n-grams are numbers modulo bucket
        self.check(given.bucket >= needed, "bucket", f"{int(needed)} or more", given.bucket)

    def dictionary(self, given: Arguments) -> tuple[int, int, int]:
        """Words, labels, and how many n-grams are left of a pruned model, -1 if it is not pruned."""
        size, words, labels, _, pruned = self.take(SIZES, "the sizes of its dictionary")
        fits = 0 <= words <= size and size == words + labels and labels >= 0
        self.check(fits, "the sizes of its dictionary", "as many entries as words and labels", (size, words, labels))
        self.check(size * 10 <= self.left(), "its dictionary ends early", f"{size} entries", f"{self.left()} bytes")
        self.check(given.model != 3 or labels > 0, "a classifier without labels", "1 label or more", labels)
        letters = 0
        for number in range(size):
            letters += self.entry(number, words)
        grams = letters * max(given.maxn - given.minn + 1, 0) * 4 if given.maxn else 0
        most = max(GRAMS_BYTES, 4 * len(self.content))
        self.check(grams <= most, "too many n-grams", f"at most {most} bytes of them", grams)
        self.check(-1 <= pruned <= self.left() // 8, "its pruned n-grams", "as many as are there", pruned)
        if pruned > 0:
            pairs = np.frombuffer(self.content, "<i4", 2 * pruned, self.at)
            fits = bool((pairs[1::2] >= 0).all() and (pairs[1::2] < pruned).all())
            del pairs  # a view keeps the file open
            self.check(fits, "its pruned n-grams", f"numbers below {pruned}", "others")
            self.at += 8 * pruned
        return words, labels, pruned

    def entry(self, number: int, words: int) -> int:
        """One word or label, all words first; its length in bytes."""
        end = self.content.find(b"\0", self.at, self.at + LONGEST_WORD + 1)
        self.check(end >= 0, f"entry {number + 1} of its dictionary", f"{LONGEST_WORD} bytes at most", "more")
        length = end - self.at
        text = self.content[self.at : end]
        self.at = end + 1
        count, kind = self.take(ENTRY, f"entry {number + 1} of its dictionary")
        fits = kind == (number >= words) and 0 <= count <= LARGEST_COUNT
        self.check(fits, f"entry {number + 1} of its dictionary", "words, then labels, with counts", (kind, count))
        if kind:
            try:
                text.decode()
            except UnicodeDecodeError:
                self.check(False, f"label {number - words + 1}", "UTF-8", text)
        return length

    def matrices(self, given: Arguments, words: int, labels: int, pruned: int) -> None:
        """The vectors of words and n-grams, then those of what is predicted."""
        (quantized,) = self.take(struct.Struct("<B"), "its weights")
        self.check(quantized in (0, 1), "its weights", "0 or 1", quantized)
        self.check(pruned < 0 or quantized == 1, "pruned but not quantized", "quantized weights", "plain ones")
        rows = words + (given.bucket if pruned < 0 else pruned)
        self.matrix("its input", bool(quantized), rows, given.dim)
        (output,) = self.take(struct.Struct("<B"), "its output weights")
        self.check(output in (0, 1), "its output weights", "0 or 1", output)
        self.matrix("its output", bool(quantized and output), labels if given.model == 3 else words, given.dim)

    def matrix(self, name: str, quantized: bool, rows: int, columns: int) -> None:
        if quantized:
            self.quantized(name, rows, columns)
            return
        self.shape(name, self.take(SHAPE, name), rows, columns)
        self.finite(name, rows * columns)

    def shape(self, name: str, got: tuple[int, ...], rows: int, columns: int) -> None:
        self.check(got == (rows, columns), f"the size of {name}", (rows, columns), got)

    def quantized(self, name: str, rows: int, columns: int) -> None:
        """Codes a row, and what they stand for; with norms of the rows beside, coded alike."""
        norms, *shape, codes = self.take(CODES, name)
        self.shape(name, tuple(shape), rows, columns)
        start = self.at
        self.skip(name, codes)
        parts = self.product(name, columns)
        self.check(codes == rows * parts, f"the codes of {name}", rows * parts, codes)
        assert self.at > start
        if norms:
            self.skip(name, rows)
            self.product(name, 1)

    def product(self, name: str, columns: int) -> int:
        """A product quantizer; into how many parts it cuts a vector."""
        dim, parts, width, last = self.take(PRODUCT, name)
        whole = 0 < width <= columns and parts == -(-columns // width) and last == columns - (parts - 1) * width
        self.check(dim == columns and whole, f"the parts of {name}", f"{columns} values", (dim, parts, width, last))
        self.finite(name, dim * CENTROIDS)
        return int(parts)

    def finite(self, name: str, count: int) -> None:
        """`count` floats, all finite: one that is not makes every score of its row none."""
        start = self.at
        self.skip(name, 4 * count)
        for at in range(start, self.at, 4 * CHUNK):
            part = np.frombuffer(self.content, "<f4", min(CHUNK, (self.at - at) // 4), at)
            fits = bool(np.isfinite(part).all())
            del part
            self.check(fits, name, "finite weights", "NaN or infinity")

    def take(self, layout: struct.Struct, what: str) -> tuple[Any, ...]:
        start = self.at
        self.skip(what, layout.size)
        return layout.unpack_from(self.content, start)

    def skip(self, what: str, count: int) -> None:
        self.check(0 <= count <= self.left(), f"{what} end early", f"{count} bytes more", f"{self.left()} bytes")
        self.at += count

    def left(self) -> int:
        return len(self.content) - self.at

    def check(self, fits: bool, what: str, expected: Any, got: Any) -> None:
        if not fits:
            refuse(self.path, what, expected, got)
