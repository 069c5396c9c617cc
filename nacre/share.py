"""Where the programs and settings that come with Nacre are: `jobs/`, `serving/`, `containers/`, `conf/`.

An installed wheel carries them under `nacre/share/` (see setup.py); in a checkout, editable install included, they
are the folders beside the package.
"""

from __future__ import annotations

from pathlib import Path

from nacre.errors import SetupError

PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """The folder that holds the shared folders."""
    installed = PACKAGE / "share"
    return installed if installed.is_dir() else PACKAGE.parent


def folder(name: str) -> Path:
    """The shared folder `name`, absolute. Raises SetupError when this installation does not have it."""
    found = root() / name
    if name.isidentifier() and found.is_dir():
        return found
    have = sorted(path.name for path in root().iterdir() if path.is_dir() and path.name[0] not in "._")
    raise SetupError(
        f"this installation of nacre has no folder {name!r}",
        expected=f"one of {', '.join(have)}" if have else "shared folders",
        got=name,
        file=str(root()),
        fix="Install nacre from a wheel or from a full checkout; `benchmarks` comes with a checkout only",
    )


def checkout() -> Path | None:
    """The checkout this package runs from, or None for an installed wheel."""
    here = PACKAGE.parent
    return here if (here / "pyproject.toml").is_file() and not (PACKAGE / "share").is_dir() else None
