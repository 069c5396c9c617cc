"""A loaded handler under its name: what the HTTP app and the fused chain share, so that both give the same bytes."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from nacre.errors import NacreError, RequestError, SetupError
from nacre.handlers import handler_class
from nacre.handlers.base import Reply, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nacre.handlers.base import Handler

NAME = Setting("NACRE_CONTAINER_NAME", None, "name of the container in errors and logs; default: its kind")
MAX_CONTENT_LENGTH = Setting("MAX_CONTENT_LENGTH", str(100 << 20), "largest body of a request, in bytes")
SETTINGS = (NAME, MAX_CONTENT_LENGTH)


class Container:
    """One handler, its name in the chain, and the largest body it takes (bytes)."""

    def __init__(self, handler: Handler, name: str, body_limit: int):
        self.handler = handler
        self.name = name
        self.body_limit = body_limit

    @classmethod
    def load(cls, kind: str, model_dir: Path, env: Mapping[str, str]) -> Container:
        """Load the artefact, once. Raises NacreError naming the container."""
        name = env.get(NAME.name) or kind
        try:
            handler_type = handler_class(kind)
            return cls(handler_type.load(model_dir, env), name, body_limit(handler_type, env))
        except NacreError as error:
            raise error.at(container=name) from error.__cause__
        except OSError as error:  # a folder that this user may not read, a full disk
            file = None if error.filename is None else str(error.filename)
            raise SetupError(error.strerror or str(error), container=name, file=file) from error

    def check_size(self, size: int) -> None:
        """Refuse a body of more than the limit, in bytes."""
        if size > self.body_limit:
            raise self.too_large(size)

    def too_large(self, size: int | str) -> RequestError:
        return RequestError(
            "Request Entity Too Large",
            status=413,
            expected=f"at most {self.body_limit} bytes",
            got=f"{size} bytes",
            fix=f"Send fewer rows a request, or raise {MAX_CONTENT_LENGTH.name}",
        )

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        """The handler's four steps on a body within the limit. Raises what they raise."""
        self.check_size(len(body))
        return self.handler.invoke(body, content_type, accept)

    def failure(self, error: Exception, accept: str | None) -> Reply:
        """The reply for whatever was raised; an exception nobody meant is a canonical 500 without its text."""
        if isinstance(error, NacreError):
            try:
                return self.handler.failure(error.at(container=self.name), accept)
            except Exception as second:  # noqa: BLE001  the client gets an answer whatever happens
                error = second
        return canonical(unexpected(error, self.name))


def unexpected(error: Exception, name: str) -> NacreError:
    """A fault of ours as an error for the client: what the body held may stand in its text, so only its type shows."""
    fix = "This is a fault in the container; its log names the place"
    failure = NacreError("the container failed on this request", got=type(error).__name__, container=name, fix=fix)
    failure.status = 500
    return failure


def canonical(error: NacreError) -> Reply:
    """The platform's JSON error body."""
    return Reply(dumps(error.body(), default=str).encode(), "application/json", error.status)


def body_limit(handler_type: type[Handler], env: Mapping[str, str]) -> int:
    """Largest body in bytes: the environment's, the kind's own default, or ours."""
    own = [setting for setting in handler_type.settings if setting.name == MAX_CONTENT_LENGTH.name]
    default = (own[0].default if own else None) or MAX_CONTENT_LENGTH.default
    return positive(MAX_CONTENT_LENGTH.name, env.get(MAX_CONTENT_LENGTH.name) or default or "")


def positive(name: str, text: str) -> int:
    """A setting that is a whole number from 1. Raises SetupError."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise SetupError(f"{name} is not usable", expected="a whole number, 1 or more", got=text)
    return int(text)
