"""Every error Nacre raises on purpose: what was expected, what came, where, and what to do.

One base class, one sentence layout (`str(error)`) and one canonical JSON body (`error.body()`).
The keyword arguments are stored only; nothing is formatted until somebody reads the error, so raising
one on a request costs next to nothing.
"""

from __future__ import annotations

from typing import Any

LONGEST = 2000
"""Characters of a message in a reply; what a client sent may stand in it."""
WHERE = ("container", "file", "node", "row", "field")
"""The places an error can name, widest first."""


class NacreError(Exception):
    """Base of all expected failures.

    Args:
        message: one sentence without a full stop, what went wrong.
        expected, got: what was wanted there and what was found; any value, shown with ``repr`` unless a str.
        fix: what the reader can do about it, one sentence.
        where: any of the names in :data:`WHERE`; a row is counted from 1 in the order of the input.
    """

    status = 400
    """HTTP status a container answers when this error ends a request."""
    exit_code = 1
    """What a command ends with."""
    limit = 200
    """Characters of `expected` and of `got` that are shown."""

    def __init__(self, message: str, *, expected: Any = None, got: Any = None, fix: str | None = None, **where: Any):
        unknown = set(where) - set(WHERE)
        if unknown:
            raise TypeError(f"where takes {', '.join(WHERE)}; got {', '.join(sorted(unknown))}")
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.got = got
        self.fix = fix
        self.where: dict[str, Any] = {key: where[key] for key in WHERE if where.get(key) is not None}

    def at(self, **where: Any) -> NacreError:
        """The same error with more of its place filled in; places already named stay."""
        merged = {**where, **self.where}
        self.where = {key: merged[key] for key in WHERE if merged.get(key) is not None}
        return self

    def detail(self) -> str:
        """Expected, got, where and fix as one line; empty when none is known."""
        parts = []
        if self.expected is not None:
            parts.append(f"expected {shown(self.expected, self.limit)}")
        if self.expected is not None or self.got is not None:
            parts.append(f"got {shown(self.got, self.limit)}")
        if self.where:
            parts.append("at " + ", ".join(f"{key} {value}" for key, value in self.where.items()))
        line = ", ".join(parts)
        if self.fix:
            line = f"{line}. {self.fix}" if line else self.fix
        return line

    def __str__(self) -> str:
        detail = self.detail()
        return f"{self.message}: {detail}" if detail else self.message

    def body(self) -> dict[str, Any]:
        """The canonical JSON error body of the platform and of every container without an AWS twin."""
        message = self.message and shown(self.message, max(LONGEST, self.limit))
        error: dict[str, Any] = {"type": type(self).__name__, "message": message}
        if self.expected is not None or self.got is not None:
            error["expected"] = None if self.expected is None else shown(self.expected, self.limit)
            error["got"] = shown(self.got, self.limit)
        if self.where:
            error["where"] = self.where
        if self.fix:
            error["fix"] = self.fix
        return {"error": error}


def shown(value: Any, limit: int = 200) -> str:
    """A value as an error shows it: text as it is but for the empty one, other things by repr, `limit` long at most."""
    text = value if value and isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


class BundleError(NacreError):
    """A bundle that cannot be read: broken, truncated, unsafe, or holding what its op forbids."""


class UnsupportedError(NacreError):
    """Well-formed, but nothing here can score or write it: an unknown op, a Spark class with no op."""

    limit = 20_000  # the list of all that stands in the way is shown whole


class SchemaError(NacreError):
    """Columns that are missing, of another type, or of another size than the model needs."""


class RowError(NacreError):
    """One value in one row that the fitted pipeline refuses, as Spark refuses it."""


class RequestError(NacreError):
    """A request whose body, content type or Accept cannot be read."""

    def __init__(self, message: str, *, status: int = 400, **known: Any):
        super().__init__(message, **known)
        self.status = status


class ModelError(NacreError):
    """An artefact that is no model, or a container that cannot load it."""

    status = 500


class SetupError(NacreError):
    """Something missing on the machine or in the settings: a package, Java, a file, a variable."""

    status = 500


class ContainerError(NacreError):
    """A container of a chain that answered with an error status; `reply` is its answer, unchanged."""

    def __init__(self, message: str, *, reply: Any, **known: Any):
        super().__init__(message, **known)
        self.reply = reply
        self.status = reply.status
