"""The count of round trips sees what it is there to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nacre.bundle.formats import FORMATS
from nacre.stages.bucketing import Bucketizer
from tests.parity.figures import PAGE, between
from tests.parity.roundtrips import NAME, Trips, drawn, text, trip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.mleap import Mleap


def counted(oracle: Mleap, folder: Path) -> Trips:
    trips = Trips(dict.fromkeys(FORMATS, 0))
    for form in FORMATS:
        trip(oracle, folder, form, drawn("bucketizer", {"handle_invalid": "keep"})[1], trips)
    return trips


@pytest.mark.oracle
def test_a_trip(oracle: Mleap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = counted(oracle, tmp_path)
    assert good.bundles == {"json": 1, "protobuf": 1}
    assert good.values > 0 == good.wrong == good.near
    plain = Bucketizer.prepare

    def shifted(self: Bucketizer) -> None:
        plain(self)
        self.splits = [x + 1 for x in self.splits]

    monkeypatch.setattr(Bucketizer, "prepare", shifted)
    assert counted(oracle, tmp_path).wrong > 0


def test_the_page() -> None:
    found: Any = {"idf": Trips({"json": 2, "protobuf": 3}, 9, 8, 7, 0)}
    once = between(PAGE.read_text(), NAME, text(found))
    assert between(once, NAME, text(found)) == once
    assert "1 ops, 5 bundles, 9 rows, 8 values: 7 within the bound" in once
    assert "| `idf` | 2 | 3 | 9 | 8 | 7 | 0 |" in once
