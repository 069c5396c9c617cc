"""What a Content-Type and an Accept header say; RFC 9110, 8.3.1 and 12.5.1."""

from __future__ import annotations

UTF8 = ("utf-8", "utf8", "us-ascii")
"""Charsets whose bytes are read as UTF-8."""


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """`text/csv; charset=utf-8` -> its type in lower case, and its parameters."""
    name, *rest = header.split(";")
    pairs = [part.strip().partition("=") for part in rest]
    return name.strip().lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs if key}


def choices(accept: str) -> list[str]:
    """The types of an Accept header, best first: by `q`, then as they stand; those with q=0 are none. A type with
    parameters of its own stays as it is written, the others are in lower case."""
    found = []
    for part in accept.split(","):
        name, parameters = media_type(part)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 0.0
        if name and weight > 0:
            found.append((-weight, part.strip() if parameters else name))
    return [name for _, name in sorted(found, key=lambda each: each[0])]
