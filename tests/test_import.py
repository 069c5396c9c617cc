"""`import nacre` loads no other package; scoring loads no Spark and no web server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.shared import CHECKOUT

HEAVY = ("boto3", "flask", "gunicorn", "matplotlib", "numpy", "pandas", "pyarrow", "pyspark", "xgboost")


def loaded_by(statement: str) -> set[str]:
    """The packages among sys.modules after `statement`, in a fresh interpreter."""
    program = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("statement", ["import nacre", "import nacre.cli", "import nacre.doctor, nacre.share"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement).isdisjoint(HEAVY)


def test_the_scorer_needs_numpy_and_pyarrow_only() -> None:
    loaded = loaded_by("import nacre; nacre.load, nacre.show")
    assert loaded.isdisjoint(set(HEAVY) - {"numpy", "pyarrow"})


def test_a_name_that_is_not_there() -> None:
    import nacre

    with pytest.raises(AttributeError, match="'nacre' has no attribute 'lod'"):
        nacre.lod  # noqa: B018


def test_every_public_name_is_there() -> None:
    import nacre

    assert [name for name in nacre.__all__ if not hasattr(nacre, name)] == []
