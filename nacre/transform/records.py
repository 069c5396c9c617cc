"""SplitType and BatchStrategy: a file of lines cut into the bodies of requests.

A record is what stands before a ``\\n``, as SageMaker splits (a quoted field cannot hold a line break). Empty lines
at the end of a file are no records; an empty line before another record is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from nacre.errors import RequestError

SPLIT_TYPES = ("Line", "None")
BATCH_STRATEGIES = ("MultiRecord", "SingleRecord")
MEGABYTE = 1024 * 1024
"""MaxPayloadInMB counts in MiB: its default of 6 is the 6,291,456 bytes of the runtime API."""


class MiniBatch(NamedTuple):
    """The body of one request: `rows` records from line `first` of the file, counted from 1."""

    first: int
    rows: int
    body: bytes

    def halves(self) -> tuple[MiniBatch, MiniBatch]:
        """Two mini-batches with the records of this one, cut as near to the middle as they allow.

        Needs two records or more.
        """
        middle = len(self.body) // 2
        cut = self.body.find(b"\n", middle)
        if cut < 0:
            cut = self.body.rfind(b"\n", 0, middle)
        left, right = self.body[:cut], self.body[cut + 1 :]
        count = left.count(b"\n") + 1
        return MiniBatch(self.first, count, left), MiniBatch(self.first + count, self.rows - count, right)


def mini_batches(stream: BinaryIO, split: str, strategy: str, limit: int, enough: int = 0) -> Iterator[MiniBatch]:
    """The mini-batches of one file, in order; none for a file without a record.

    `limit` is the largest body in bytes, 0 for no limit; `enough`, if less, is where MultiRecord stops packing.
    Raises RequestError naming the row of a record above the limit.
    """
    if split == "None":
        return _whole(stream, limit)
    return _single_record(stream, limit) if strategy == "SingleRecord" else _multi_record(stream, limit, enough)


def _whole(stream: BinaryIO, limit: int) -> Iterator[MiniBatch]:
    body = stream.read(limit + 1 if limit else -1)
    if limit and len(body) > limit:
        raise _too_large(1, limit, "--split-type Line sends it in mini-batches")
    count = count_lines(body.rstrip(b"\r\n"))
    if count:
        yield MiniBatch(1, count, body)


def _multi_record(stream: BinaryIO, limit: int, enough: int) -> Iterator[MiniBatch]:
    """As many whole records as fit. `rest` is what was read and not yet sent; it never grows beyond `limit` + 1."""
    first, rest, more = 1, b"", True
    enough = min(enough, limit) if limit else enough
    while more:
        until = enough if len(rest) < enough else limit
        wanted = until + 1 - len(rest) if until else -1
        block = stream.read(wanted)
        more = len(block) == wanted
        data = rest + block
        cut = _end_of_last_record(data) if more else len(data.rstrip(b"\r\n"))
        if cut > 0:
            batch = _batch(first, data[:cut])
            yield batch
            first += batch.rows
        elif limit and len(data) > limit:
            raise _too_large(first, limit)
        rest = data[max(cut + 1, 0) :]


def _end_of_last_record(data: bytes) -> int:
    """Where the line break after the last record that is not empty stands in `data`; -1 without one."""
    cut = data.rfind(b"\n")
    if cut < 0:
        return -1
    record = data[:cut].rstrip(b"\r\n")
    return data.index(b"\n", len(record)) if record else -1


def _single_record(stream: BinaryIO, limit: int) -> Iterator[MiniBatch]:
    row = empty = 0
    while line := stream.readline(limit + 2 if limit else -1):
        row += 1
        record = line.rstrip(b"\r\n")
        if limit and len(record) > limit:
            raise _too_large(row, limit)
        if not record:
            empty += 1
            continue
        yield from (MiniBatch(row - back, 1, b"") for back in range(empty, 0, -1))
        empty = 0
        yield MiniBatch(row, 1, record)


def _batch(first: int, body: bytes) -> MiniBatch:
    return MiniBatch(first, body.count(b"\n") + 1, body.removesuffix(b"\r"))


def count_lines(body: bytes) -> int:
    """Lines of a body, whether or not its last one ends in a line break."""
    return body.count(b"\n") + (not body.endswith(b"\n") if body else 0)


def _too_large(row: int, limit: int, instead: str = "Or is this no file of lines?") -> RequestError:
    return RequestError(
        "a record is larger than MaxPayloadInMB",
        expected=f"at most {limit:,} bytes",
        got="more",
        row=row,
        fix=f"Raise --max-payload-mb. {instead}",
    )
