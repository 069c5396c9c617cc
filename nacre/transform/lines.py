"""One file of lines through a chain: split, sent, checked, assembled in the order of the records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from nacre.errors import ContainerError, NacreError, RequestError
from nacre.transform.failures import located
from nacre.transform.inputs import open_lines
from nacre.transform.parameters import Parameters
from nacre.transform.records import MiniBatch, count_lines, mini_batches

if TYPE_CHECKING:
    from nacre.handlers.base import Reply
    from nacre.transform.progress import Progress

LINE_TYPES = ("text/csv", "application/jsonlines", "text/libsvm", "text/x-libsvm")
"""Content types with a record a line: of these, a body in and a body out must have as many lines."""
ASSEMBLE_WITH = ("Line", "None")
TOO_LARGE = 413
CACHED = 128 * 1024
"""Bytes enough for a mini-batch in one process, where nothing is sent: three times as many rows a second as with
5 MB, because containers hand numbers instead of text only over what cannot be too large."""


class Chain(Protocol):
    """Both chains: containers in one process, or URLs."""

    def invoke(self, body: bytes, content_type: str | None, accept: str | None = None, /) -> Reply:
        """A Reply; raises ContainerError."""


@dataclass(frozen=True)
class LineTransform:
    """How files of lines are scored. `chain.invoke` is called from `parameters.concurrent` threads."""

    chain: Chain
    content_type: str = "text/csv"
    accept: str | None = None
    split: str = "Line"
    assemble: str = "Line"
    parameters: Parameters = field(default_factory=Parameters)
    retries: int = 0
    """How often a request is sent again after a 5xx or no answer at all."""
    enough: int = 0
    """Bytes at which a mini-batch of many records is sent although more would fit, 0 to fill it up."""

    def file(self, source: Path, sink: BinaryIO, progress: Progress) -> int:
        """Score `source` into `sink`; returns the number of records. Raises NacreError naming file and row."""
        rows = 0
        previous: Reply | None = None
        try:
            with open_lines(source) as (stream, packed):
                at = 0
                limit = self.parameters.limit
                batches = mini_batches(stream, self.split, self.parameters.strategy, limit, self.enough)
                for batch, replies in self._answers(batches, source):
                    for reply in replies:
                        refuse_glue(previous, rows)
                        sink.write(reply.body)
                        previous = reply
                    rows += batch.rows
                    progress.advance(batch.rows, packed.tell() - at)
                    at = packed.tell()
        except NacreError as error:
            raise error.at(file=source) from None
        if not rows:
            raise RequestError("the file is empty", expected="at least one record", got="none", file=source)
        return rows

    def _answers(self, batches: Iterator[MiniBatch], source: Path) -> Iterator[tuple[MiniBatch, list[Reply]]]:
        """Every mini-batch with its answers, in order; no more than `concurrent` are read ahead."""
        workers = self.parameters.concurrent
        if workers == 1:
            yield from ((batch, self.answer(batch, source)) for batch in batches)
            return
        waiting: deque[tuple[MiniBatch, Future[list[Reply]]]] = deque()
        pool = ThreadPoolExecutor(workers)
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(self.answer, batch, source)))
                if len(waiting) == workers:
                    yield _first_done(waiting)
            while waiting:
                yield _first_done(waiting)
        finally:
            pool.shutdown(cancel_futures=True)

    def answer(self, batch: MiniBatch, source: Path) -> list[Reply]:
        """The answer to one mini-batch, a line a record. Raises NacreError with the row in the file.

        A container later in the chain may refuse as too large what the first one took, since features are longer
        than raw columns: such a mini-batch goes in halves.
        """
        try:
            return [self._assembled(self._checked(batch, self._invoke(batch.body)))]
        except ContainerError as error:
            if error.status == TOO_LARGE and batch.rows > 1:
                return [reply for half in batch.halves() for reply in self.answer(half, source)]
            raise located(error, batch, source, self._invoke) from error

    def _invoke(self, body: bytes) -> Reply:
        left = self.retries
        while True:
            try:
                return self.chain.invoke(body, self.content_type, self.accept)
            except ContainerError as error:
                if not left or 400 <= error.status < 500:
                    raise
                left -= 1

    def _checked(self, batch: MiniBatch, reply: Reply) -> Reply:
        """Line counts never change silently."""
        got = count_lines(reply.body)
        if is_lines(self.content_type) and is_text(reply) and got != batch.rows:
            raise RequestError(
                "the answer has another number of lines than the request",
                expected=batch.rows,
                got=got,
                row=f"{batch.first} to {batch.first + batch.rows - 1}",
                fix="Is there a line break inside a quoted field? For a container that answers with one document a "
                "request, add --batch-strategy SingleRecord.",
            )
        return reply

    def _assembled(self, reply: Reply) -> Reply:
        if self.assemble == "None" or reply.body.endswith(b"\n"):
            return reply
        return reply._replace(body=reply.body + b"\n")


def _first_done(waiting: deque[tuple[MiniBatch, Future[list[Reply]]]]) -> tuple[MiniBatch, list[Reply]]:
    batch, answer = waiting.popleft()
    return batch, answer.result()


def refuse_glue(previous: Reply | None, rows: int) -> None:
    """With AssembleWith None, SageMaker's default, an answer that ends in no line break would run into the next."""
    if previous is not None and is_text(previous) and not previous.body.endswith(b"\n"):
        raise RequestError(
            "the answers would run together in the output",
            expected="a line break at the end of each",
            got=previous.body[-20:],
            row=rows,
            fix="Add --assemble-with Line.",
        )


def is_lines(content_type: str | None) -> bool:
    """Whether a body of this type has a record a line; parameters and case do not matter."""
    return (content_type or "").partition(";")[0].strip().lower() in LINE_TYPES


def is_text(reply: Reply) -> bool:
    """Whether lines can be counted in an answer; one without a type, such as the empty 204, counts as text."""
    return not reply.content_type or is_lines(reply.content_type) or reply.content_type.startswith("application/json")
