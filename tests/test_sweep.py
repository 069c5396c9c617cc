"""The sweep over other Sparks sees what it is there to see, and its figures reach the page. It needs no other Spark."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from nacre.bundle import write
from nacre.plan.types import Type, vector
from nacre.proof import NOTE, Proof, ProofRow
from tests.bundles import node, pipeline
from tests.parity import figures
from tests.parity.sweep import TOLD, Told, check_all, chosen

if TYPE_CHECKING:
    from pathlib import Path

SPARSE = {"size": 4, "indices": [2], "values": [1.0]}


def saved(folder: Path, answer: Any, outcome: str = "scored", **told: dict[str, str]) -> Path:
    """What a sweep leaves: a one-hot encoder that Spark said `answer` of, and the cases without a bundle."""
    attributes = {"category_sizes": [4], "drop_last": False, "handle_invalid": "keep"}
    bundle = pipeline(node("one_hot_encoder", {**attributes, "handle_invalid": "error"}, ["x"], ["v"]))
    row = ProofRow({"x": 2.0}, outcome, {"v": answer} if outcome == "scored" else {})
    bundle.notes[NOTE] = Proof({"x": Type("double"), "v": vector(4)}, [row], "9.9").encode()
    write(bundle, folder / "one_hot_encoder@plain.zip")
    (folder / TOLD).write_text(json.dumps(asdict(Told(**told))))
    return folder


def test_no_difference(tmp_path: Path) -> None:
    found = check_all(saved(tmp_path, SPARSE, skipped={"new_op@case": "ImportError: no such class"}), "9.9")
    assert found.bad == []
    assert asdict(found.ops["one_hot_encoder"]) == {"cases": 1, "rows": 1, "difference": 0.0, "bound": 0.0}
    assert "1 ops, 1 cases, 1 rows; 0 differences; 1 cases not run there" in found.text()
    assert "not run: new_op@case: ImportError: no such class" in found.text()


@pytest.mark.parametrize(
    ("answer", "outcome", "told"),
    [
        ({**SPARSE, "indices": [1]}, "scored", "one_hot_encoder@plain: v (one_hot_encoder): 1, 1 off, bound 0, row 1"),
        ([0.0, 0.0, 1.0, 0.0], "scored", "one_hot_encoder@plain: v: stored as [2], Spark stores dense"),
        (None, "dropped", "one_hot_encoder@plain: row 1: Spark dropped, columns plan scored"),
    ],
)
def test_differences(tmp_path: Path, answer: Any, outcome: str, told: str) -> None:
    assert told in check_all(saved(tmp_path, answer, outcome), "9.9").bad


def test_what_cannot_be_saved_is_a_difference(tmp_path: Path) -> None:
    found = check_all(saved(tmp_path, SPARSE, failed={"idf@plain": "UnsupportedError: no"}), "9.9")
    assert found.bad == ["idf@plain: not saved: UnsupportedError: no"]


def test_the_sample_is_one_case_of_every_op() -> None:
    names = [name.split("@")[0] for name, _ in chosen([], sample=True)]
    assert sorted(names) == sorted({name.split("@")[0] for name, _ in chosen([], sample=False)})


def test_the_page_is_written_again(tmp_path: Path) -> None:
    sweeps = [
        asdict(
            check_all(
                saved(tmp_path, SPARSE, skipped={"new_op@case": "ImportError: no such class (/a/path.py)"}), "9.9"
            )
        )
    ]
    empty = figures.PAGE.read_text().split(figures.BEGIN)[0] + figures.BEGIN + figures.END + "\n"
    once = figures.page(empty, sweeps)
    assert figures.page(once, sweeps) == once
    assert "| 9.9 | 1 | 1 | 1 | 0 | 1 |" in once
    assert "| `one_hot_encoder` | 1 | 1 | 0 |" in once
    assert "- `new_op@case`: no such class\n" in once
