"""The chain in one process: the same handlers, numbers handed over without text where both sides can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.chain.rules import (
    ANY,
    LIMITS,
    Limits,
    Observe,
    answered,
    attributes_of,
    check_passed,
    checked,
    failed,
    timed,
)
from nacre.errors import NacreError, SetupError
from nacre.handlers.base import Reply
from nacre.handlers.container import Container

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from nacre.pipeline import Pipeline

LONGEST_NUMBER = 25
"""Most characters a float64 takes in a CSV, its comma or line break included."""


class Numbers(NamedTuple):
    """A scored frame handed over: its numbers, and its reply as text for a successor that cannot take them."""

    values: np.ndarray
    text: Callable[[], Reply]


class OneRow(NamedTuple):
    """The same of one row."""

    values: Sequence[float]
    text: Callable[[], Reply]


Message = Reply | Numbers | OneRow
"""What passes between two containers."""


class FusedChain:
    """Loaded containers called in order, safe to share between threads."""

    def __init__(self, containers: Sequence[Container], limits: Limits = LIMITS, observe: Observe | None = None):
        self.containers = tuple(containers)
        self.names = tuple(container.name for container in self.containers)
        self.limits = limits
        self.observe = observe

    @classmethod
    def load(
        cls, pipeline: Pipeline, workdir: Path, limits: Limits = LIMITS, observe: Observe | None = None
    ) -> FusedChain:
        """Fetch every artefact into `workdir/NAME/model` and load it. Raises NacreError naming the container."""
        from nacre.store import fetch_artefact

        check_fusable(pipeline)
        containers = []
        for item in pipeline.containers:
            model_dir = fetch_artefact(item.artefact(), Path(workdir, item.name, "model"))
            containers.append(Container.load(item.kind, model_dir, item.env()))
            containers[-1].handler.warm()
        return cls(containers, limits, observe)

    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None = None, custom_attributes: str | None = None
    ) -> Reply:
        """Score one body. Raises RequestError for what no container may get, else ContainerError with the reply of
        the container that failed, caused by the container's own error."""
        headers = checked(body, content_type, accept, custom_attributes, self.limits)
        message: Message = Reply(body, headers.content_type)
        attributes = None
        for position, name in enumerate(self.names):
            accept = headers.accept_of(position, len(self.names))
            if self.observe is None:  # a context a container costs as much as reading a row
                message = self._step(position, message, accept)
            else:
                with timed(self.observe, name):
                    message = self._step(position, message, accept)
            if isinstance(message, Reply):
                attributes = attributes_of(message) or attributes
        assert isinstance(message, Reply), "only a container with a successor hands numbers over"
        return answered(message, attributes)

    def _step(self, position: int, message: Message, accept: str) -> Message:
        """One container: what came to it -> what goes to the next, or the reply of the chain."""
        container = self.containers[position]
        try:
            row = self._row(position, message)
            if row is not None:
                return row
            frame = container.handler.predict(decode(container, message, accept))
            numbers = self._numbers(position, frame)
            if numbers is not None:
                return numbers
            reply = container.handler.encode(frame, accept)
        except Exception as error:
            raise failed(container.name, container.failure(error, accept)) from error
        check_passed(self.names[position:], reply, self.limits)
        return reply

    def _row(self, position: int, message: Message) -> OneRow | None:
        """What `_numbers` would give for a body of one usual row, without a frame."""
        if position + 1 == len(self.containers) or not isinstance(message, Reply):
            return None
        container, (body, content_type) = self.containers[position], message[:2]
        if len(body) > container.body_limit:
            return None
        handler = container.handler
        values = handler.hand_over_row(body, content_type)
        if values is None or not self._fits(position, len(values)):
            return None
        return OneRow(values, lambda: handler.encode(handler.predict(handler.decode(body, content_type)), ANY))

    def _numbers(self, position: int, frame: Any) -> Numbers | None:
        """The frame as numbers for the next container; None when there is none, when this one cannot, or when only
        the text could tell whether it is too large or empty."""
        if position + 1 == len(self.containers):
            return None
        handler = self.containers[position].handler
        values = handler.hand_over(frame)
        if values is None or not self._fits(position, values.size):
            return None
        return Numbers(values, lambda: handler.encode(frame, ANY))

    def _fits(self, position: int, count: int) -> bool:
        """Whether so many numbers are some, and surely no text too large for the next container."""
        between = self.limits.between
        most = self.containers[position + 1].body_limit
        return 0 < count * LONGEST_NUMBER <= (most if between is None else min(most, between))

    def execution_parameters(self) -> Mapping[str, Any]:
        """What the first container says at /execution-parameters."""
        return self.containers[0].handler.execution_parameters()

    def score_table(self, table: pa.Table) -> pa.Array:
        """Typed columns to one value a row, for batch transform over Parquet; a table of no rows gives the type.

        No size limits: nothing is sent. Raises NacreError with container and row, counted from 1.
        """
        found = None if table.num_rows else no_rows(table, self.containers[0], self.containers[-1])
        return self.containers[-1].handler.to_array(self.frame_of(table) if found is None else found)

    def frame_of(self, given: pa.Table | Reply) -> Any:
        """The last container's frame, of typed columns or of another container's answer. Raises NacreError."""
        frame: Any = None
        for position, container in enumerate(self.containers):
            try:
                frame = container.handler.predict(self._taken(position, frame) if position else first(container, given))
            except NacreError as error:
                raise error.at(container=container.name) from error.__cause__
        return frame

    def _taken(self, position: int, frame: Any) -> Any:
        """The frame of the container at `position` from its predecessor's, in numbers however many, else in text."""
        handler = self.containers[position - 1].handler
        values = handler.hand_over(frame)

        def text() -> Reply:
            return handler.encode(frame, ANY)

        return decode(self.containers[position], text() if values is None else Numbers(values, text), ANY)


def no_rows(table: pa.Table, first: Container, last: Container) -> Any | None:
    """The frame of `last` for a table without rows, whose columns `first` looks at: text between containers has no word
    for no rows. None if they are the same or `last` does not know."""
    FusedChain([first]).frame_of(table)
    return None if first is last else last.handler.no_rows()


def first(container: Container, given: pa.Table | Reply) -> Any:
    return decode(container, given, ANY) if isinstance(given, Reply) else container.handler.from_table(given)


def check_fusable(pipeline: Pipeline) -> None:
    """Refuse what runs the user's code in this process. Raises SetupError naming the container."""
    for item in pipeline.containers:
        if item.alone:
            raise SetupError(
                f"the {item.kind} container runs code of its own and cannot be fused", container=item.name,
                expected="containers of our own code only", got=item.image,
                fix="Open the chain with nacre.serving.opening.opened",
            )  # fmt: skip


def decode(container: Container, message: Message, accept: str) -> Any:
    """The frame a container makes of what came to it. Raises what its `negotiate` and `decode` raise."""
    handler = container.handler
    if not isinstance(message, Reply):
        handler.negotiate("text/csv", accept)
        if isinstance(message, Numbers):
            frame = handler.take_over(message.values)
        else:
            frame = handler.take_over_row(message.values)
        if frame is not None:
            return frame
        message = message.text()
        return handler.decode(message.body, message.content_type)
    container.check_size(len(message.body))
    try:
        handler.negotiate(message.content_type, accept)
    except NacreError:
        handler.invoke(message.body, message.content_type, accept)  # a kind may refuse the body before the headers
        raise
    return handler.decode(message.body, message.content_type)
