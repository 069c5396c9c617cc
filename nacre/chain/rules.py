"""What passes between the containers of a chain; sagemaker-contract.md 1.6 of the reference.

The answer of one container is the request of the next, its Content-Type too; Accept goes to the last only, the others
get `*/*`; the client's custom attributes go to every container and the last non-empty ones come back; anything but
2xx stops the chain. Both chains keep to these by calling the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from nacre.errors import ContainerError, RequestError
from nacre.handlers.base import Reply, Setting
from nacre.handlers.container import canonical, positive

ANY = "*/*"
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
LONGEST_ATTRIBUTES = 1024
HEADER_VALUE = re.compile("[\t\x20-\x7e\x80-\xff]*")

CLIENT = Setting("NACRE_CHAIN_CLIENT_BYTES", "6291456", "largest body of a client, in bytes; 0: no limit")
BETWEEN = Setting(
    "NACRE_CHAIN_BETWEEN_BYTES",
    "5242880",
    "largest body that goes from one container to the next, in bytes; 0: no limit",
)
SETTINGS = (CLIENT, BETWEEN)

Observe = Callable[[str, float], None]
"""Called after every container with its name and the seconds it took, also when it failed."""


class Limits(NamedTuple):
    """Largest bodies in bytes, None for no limit: the client's, and one passed between two containers."""

    client: int | None = 6_291_456
    between: int | None = 5 << 20

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Limits:
        """The limits that the environment sets; 0 is none. Raises SetupError."""
        return cls(most_bytes(CLIENT, env), most_bytes(BETWEEN, env))


def most_bytes(setting: Setting, env: Mapping[str, str]) -> int | None:
    text = env.get(setting.name) or setting.default or ""
    return None if text == "0" else positive(setting.name, text)


LIMITS = Limits()


class Headers(NamedTuple):
    """The client's headers, checked."""

    content_type: str | None
    accept: str
    custom_attributes: str | None

    def accept_of(self, position: int, count: int) -> str:
        """What the container at `position` (from 0) of `count` gets as Accept."""
        return self.accept if position == count - 1 else ANY


def checked(
    body: bytes, content_type: str | None, accept: str | None, custom_attributes: str | None, limits: Limits
) -> Headers:
    """Refuse what no container may get. Raises RequestError."""
    if limits.client is not None and len(body) > limits.client:
        raise RequestError(
            "the body is too large", status=413, expected=f"at most {limits.client} bytes", got=f"{len(body)} bytes"
        )
    if custom_attributes is not None and len(custom_attributes) > LONGEST_ATTRIBUTES:
        got = f"{len(custom_attributes)} characters"
        raise RequestError("the custom attributes are too long", expected=f"at most {LONGEST_ATTRIBUTES}", got=got)
    if custom_attributes is not None and not custom_attributes.isascii():
        raise RequestError(
            f"{CUSTOM_ATTRIBUTES} is not a header's value", expected="ASCII", got=repr(custom_attributes)
        )
    return Headers(
        header("Content-Type", content_type),
        header("Accept", accept) or ANY,
        header(CUSTOM_ATTRIBUTES, custom_attributes),
    )


def header(name: str, value: str | None) -> str | None:
    """A header's value as it arrives at the other side: no blanks around it, None when nothing is left."""
    if value is None:
        return None
    if not (value.isascii() and value.isprintable()) and not HEADER_VALUE.fullmatch(value):
        raise RequestError(f"{name} is not a header's value", expected="visible characters", got=repr(value))
    return value.strip(" \t") or None


def attributes_of(reply: Reply) -> str | None:
    """The custom attributes a container set on its reply, None when it set none."""
    return next((value for name, value in reply.headers if name.lower() == CUSTOM_ATTRIBUTES.lower()), None) or None


def answered(reply: Reply, attributes: str | None) -> Reply:
    """The chain's reply: the last container's, with the last non-empty custom attributes."""
    if attributes is None or attributes == attributes_of(reply):
        return reply
    others = tuple(pair for pair in reply.headers if pair[0].lower() != CUSTOM_ATTRIBUTES.lower())
    return reply._replace(headers=(*others, (CUSTOM_ATTRIBUTES, attributes)))


def failed(name: str, reply: Reply) -> ContainerError:
    """The error for a container's answer that is not 2xx, in SageMaker's words."""
    side = "client" if 400 <= reply.status < 500 else "server"
    text = reply.body[:2048].decode("utf-8", "replace")
    message = f'Received {side} error ({reply.status}) from {name} with message "{text}"'
    return ContainerError(message, reply=reply, container=name)


def cut_short(name: str) -> ContainerError:
    """The error for an answer that ends early, in SageMaker's words."""
    message = f"Received server error (500) from {name} and could not load the entire response body"
    return ContainerError(message, reply=Reply(b"", None, 500), container=name)


def check_passed(names: Sequence[str], reply: Reply, limits: Limits) -> None:
    """Stop the chain at a reply of `names[0]` that is no success, or too large for the container after it."""
    if not 200 <= reply.status < 300:
        raise failed(names[0], reply)
    if len(names) > 1 and limits.between is not None and len(reply.body) > limits.between:
        raise too_large(names[0], names[1], reply, limits.between)


def too_large(sender: str, receiver: str, reply: Reply, limit: int) -> ContainerError:
    """The platform's own error between two containers, status 413."""
    error = RequestError(
        f"Received response from {sender} with status code {reply.status}. However, the request payload from {sender} "
        f"to {receiver} is {len(reply.body)} bytes, which has exceeded the maximum limit of {limit / (1 << 20):g} MB.",
        status=413,
        container=sender,
        fix="Send fewer rows a request",
    )
    return ContainerError(error.message, reply=canonical(error), container=sender, fix=error.fix)


@contextmanager
def timed(observe: Observe | None, name: str) -> Iterator[None]:
    started = perf_counter()
    try:
        yield
    finally:
        if observe is not None:
            observe(name, perf_counter() - started)
