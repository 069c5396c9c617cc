"""`import nacre` loads no other package; scoring loads no Spark and no web server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nacre.bundle import write
from nacre.stages import REGISTRY
from tests import bundles
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


def test_a_bundle_loads_the_families_of_its_ops_only(tmp_path: Path) -> None:
    path = write(bundles.pipeline(bundles.node("bucketizer", {"splits": [0.0, 1.0]}, ["x"], ["b"])), tmp_path / "m.zip")
    program = f"import nacre, sys; nacre.load({str(path)!r}); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    families = {name for name in ran.stdout.split() if name.startswith("nacre.stages.")}
    assert "nacre.stages.bucketing" in families
    assert families.isdisjoint(f"nacre.stages.{name}" for name in ("trees", "xgboost", "indexing", "tokenizing"))


def test_the_source_tells_where_every_op_is() -> None:
    """Else the first bundle with such an op would import all families."""
    assert {op: cls.__module__.rpartition(".")[2] for op, cls in REGISTRY.items()} == REGISTRY.places
    assert "word_salad" not in REGISTRY
