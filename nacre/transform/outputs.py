"""Outputs under their final name only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nacre.errors import SetupError


def refuse_existing(target: Path) -> None:
    """Raises SetupError when there is something under the final name already."""
    if target.exists():
        fix = "Name another, or add --overwrite."
        raise SetupError("the output exists", expected="no file of that name", got=str(target), fix=fix)


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A binary stream that becomes `target` when the block ends well, and leaves nothing when it does not.

    Written in the target's folder under a name that begins with a dot, which Spark and `inputs` pass over, because
    a rename is atomic only within one file system.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """The rename itself survives a crash only when the folder is on disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
