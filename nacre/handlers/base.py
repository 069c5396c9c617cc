"""A handler: what a container does apart from HTTP.

A container is one handler. The HTTP app calls :meth:`Handler.invoke`; the fused chain calls the same steps
in process and hands numbers over without text where both sides allow it. Both give the same bytes, because
`invoke` and the fused chain run the same four steps in the same order:

    negotiate(content_type, accept) -> decode(body, content_type) -> predict(frame) -> encode(frame, accept)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from nacre.errors import NacreError, RequestError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Reply(NamedTuple):
    """A container's answer, ready for the wire."""

    body: bytes
    content_type: str | None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Setting(NamedTuple):
    """One environment variable a container reads; help, docs and reading are derived from these."""

    name: str
    default: str | None
    help: str


COMPAT = Setting("NACRE_COMPAT", None, "aws: answer as the AWS container does, without our improvements")


def as_aws(env: Mapping[str, str]) -> bool:
    """Whether a container answers as its AWS twin."""
    return env.get(COMPAT.name) == "aws"


class Handler:
    """Base of all handlers. `frame` is whatever the handler itself likes to work on."""

    kind: ClassVar[str]
    """The container's kind, as `nacre serve KIND` spells it."""
    settings: ClassVar[tuple[Setting, ...]] = ()
    alone: ClassVar[bool] = False
    """True for kinds that run the user's code: always a process of their own, never fused."""
    listens: ClassVar[bool] = False
    """True for kinds whose program serves HTTP by itself: it is started and watched over, and needs no model."""

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Handler:
        """Read the artefact in `model_dir` (`/opt/ml/model` of the container). Raises ModelError or BundleError,
        once, with a sentence that says why; nothing is loaded later on a request."""
        raise NotImplementedError

    @classmethod
    def runs_alone(cls, env: Mapping[str, str]) -> bool:  # noqa: ARG003
        """Whether a container with this environment runs code of the user."""
        return cls.alone

    def warm(self) -> None:
        """Import what only some requests need and would delay the start. Called in the background of every worker
        process once it serves. Default: nothing."""

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        """Refuse what can be refused from the headers alone. Default: nothing."""

    def decode(self, body: bytes, content_type: str | None) -> Any:
        """Bytes of a request to a frame. Raises RequestError or RowError."""
        raise NotImplementedError

    def predict(self, frame: Any) -> Any:
        """Score a decoded frame. Raises RowError with the row counted from 1."""
        raise NotImplementedError

    def encode(self, frame: Any, accept: str | None) -> Reply:
        """A scored frame to the bytes of the reply."""
        raise NotImplementedError

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        """The four steps. The HTTP app calls this and nothing else on /invocations."""
        self.negotiate(content_type, accept)
        return self.encode(self.predict(self.decode(body, content_type)), accept)

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        """The reply for an error raised by any of the four steps: status, body and type as the AWS twin has them, or
        (the default) the platform's canonical JSON."""
        from nacre.handlers.container import canonical

        return canonical(error)

    def execution_parameters(self) -> Mapping[str, Any]:
        """Body of GET /execution-parameters, read by batch transform. Default: one record batch of 6 MB a worker."""
        return {"MaxConcurrentTransforms": processors(), "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}

    def from_table(self, table: pa.Table) -> Any:
        """A frame from typed columns, for batch transform over Parquet: the columns are found by name, nulls are
        nulls, other columns are ignored. Raises SchemaError naming what is missing or of the wrong type."""
        raise RequestError(f"the {self.kind} container does not take typed columns", status=415)

    def to_array(self, frame: Any) -> pa.Array:
        """A scored frame as one Arrow array, a value a row: scalars as they are, vectors as list<double>."""
        raise NotImplementedError

    def no_rows(self) -> Any | None:
        """A scored frame without rows, so that `to_array` tells the type of a prediction. Default: None, unknown."""
        return None

    # Handing over inside a fused chain. Both default to "go through text", which is always right.

    def hand_over(self, frame: Any) -> np.ndarray | None:
        """The scored frame as float64 numbers, shape (rows, columns), if its reply under Accept `*/*` would be
        ``text/csv`` of exactly these numbers, one row a line; else None and the chain calls `encode`."""
        return None

    def take_over(self, numbers: np.ndarray) -> Any | None:
        """What `decode` would return for the CSV text of these numbers (shape (rows, columns), float64), raising
        what it would raise; None if this handler cannot tell, and the chain goes through text."""
        return None

    def hand_over_row(self, body: bytes, content_type: str | None) -> Sequence[float] | None:
        """The same for a body of one row, all four steps by the shortest way: the numbers of its reply. None for
        whatever is not quite usual, errors included. Default: None."""
        return None

    def take_over_row(self, numbers: Sequence[float]) -> Any | None:
        """`take_over` of one row."""
        import numpy as np

        return self.take_over(np.array([numbers], np.float64))


def processors() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
