"""The chain of both kinds of containers: ours fused in this process, those that run other code behind their URLs.

Stretches of neighbours, each a chain of its own, called in order; bytes go from one to the next as over HTTP.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from nacre.chain.fused import FusedChain, no_rows
from nacre.chain.http import HttpChain
from nacre.chain.rules import ANY, LIMITS, Limits, answered, attributes_of, check_passed, checked
from nacre.errors import NacreError, SchemaError
from nacre.handlers.base import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    Part = FusedChain | HttpChain


class MixedChain:
    """Stretches called in order, safe to share between threads."""

    def __init__(self, parts: Sequence[Part], limits: Limits = LIMITS, timeout: float = 60.0):
        """`parts` have no limit of their own for the client's body; `timeout`: seconds for the whole chain, looked at
        where a URL is called."""
        self.parts = tuple(parts)
        self.names = tuple(name for part in parts for name in part.names)
        self.limits = limits
        self.timeout = timeout

    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None = None, custom_attributes: str | None = None
    ) -> Reply:
        """Score one body. Raises RequestError for what no container may get, else ContainerError with the reply of
        the container that failed."""
        headers = checked(body, content_type, accept, custom_attributes, self.limits)
        deadline = perf_counter() + self.timeout
        reply = Reply(body, headers.content_type)
        attributes, done = None, 0
        for part in self.parts:
            done += len(part.names)
            wanted = headers.accept if done == len(self.names) else ANY
            reply = self._through(part, reply, wanted, headers.custom_attributes, deadline)
            check_passed(self.names[done - 1 :], reply, self.limits)
            attributes = attributes_of(reply) or attributes
        return answered(reply, attributes)

    def _through(self, part: Part, sent: Reply, accept: str, attributes: str | None, deadline: float) -> Reply:
        if isinstance(part, HttpChain):
            return part.invoke(sent.body, sent.content_type, accept, attributes, deadline)
        return part.invoke(sent.body, sent.content_type, accept, attributes)

    def execution_parameters(self) -> Mapping[str, Any]:
        """What the first container says at /execution-parameters."""
        return self.parts[0].execution_parameters()

    def score_table(self, table: pa.Table) -> pa.Array:
        """Typed columns to one value a row, where the first and the last container are ours: others take and give
        bytes only. Raises SchemaError naming the one that stands in the way."""
        first, last = self.parts[0], self.parts[-1]
        for part, name in ((first, self.names[0]), (last, self.names[-1])):
            if not isinstance(part, FusedChain):
                raise SchemaError(
                    "this container takes and gives no typed columns", container=name, expected="a container of ours",
                    got="one that runs other code", fix="Score CSV or JSON Lines",
                )  # fmt: skip
        assert isinstance(first, FusedChain)
        assert isinstance(last, FusedChain)
        if not table.num_rows and (found := no_rows(table, first.containers[0], last.containers[-1])) is not None:
            return last.containers[-1].handler.to_array(found)
        frame = first.frame_of(table)
        for before, part in zip(self.parts, self.parts[1:], strict=False):
            if isinstance(part, HttpChain):
                assert isinstance(before, FusedChain), "neighbours behind URLs are one part"
                reply = encoded(before, frame)
                reply = part.invoke(reply.body, reply.content_type, ANY)
            else:
                frame = part.frame_of(reply)
        return last.containers[-1].handler.to_array(frame)

    def close(self) -> None:
        for part in self.parts:
            if isinstance(part, HttpChain):
                part.close()


def encoded(part: FusedChain, frame: Any) -> Reply:
    """What the last container of a stretch would send. Raises NacreError naming it."""
    container = part.containers[-1]
    try:
        return container.handler.encode(frame, ANY)
    except NacreError as error:
        raise error.at(container=container.name) from error.__cause__
