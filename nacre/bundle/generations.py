"""What differs between the MLeap versions in the encoding itself, by the version that `bundle.json` names."""

from __future__ import annotations

import re
from dataclasses import dataclass

BASIC_TYPES = {
    0: "unknown", 1: "boolean", 2: "byte", 3: "short", 4: "int", 5: "long", 6: "float", 7: "double", 100: "string",
    101: "byte_string",
}  # fmt: skip
"""Number of each basic type in protobuf, since 0.9.0."""
OLD_BASIC_TYPES = {
    number - 1 if number < 100 else number: name for number, name in BASIC_TYPES.items() if name != "unknown"
}
"""Before that there was no UNDEFINED, and counting began with boolean."""


@dataclass(frozen=True)
class Generation:
    """How to read the values of one bundle."""

    basic_types: dict[int, str]
    """Number -> name, in protobuf."""
    types_as_bytes: bool = False
    """JSON lists of basic types stand under the tag byte_string, up to 0.9.1."""


NEWEST = Generation(BASIC_TYPES)


def generation(version: str) -> Generation:
    """That of a version such as ``0.8.1`` or ``0.10.0-SNAPSHOT``; a text that is no version counts as the newest."""
    found = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version)
    if found is None:
        return NEWEST
    number = tuple(int(part or 0) for part in found.groups())
    return Generation(OLD_BASIC_TYPES if number < (0, 9, 0) else BASIC_TYPES, types_as_bytes=number < (0, 9, 2))
