"""A sample of what `make fuzz` does for as long as it is given; and that it finds what it is there to find."""

from __future__ import annotations

from random import Random

import pytest

from nacre.bundle import wire
from nacre.stages.bucketing import Bucketizer
from tests.fuzz.__main__ import main, run
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import Files, corpus, seeds
from tests.fuzz.target import ENDS, FaultError, limited, tried
from tests.plans import SCORED

CASES = 500


@pytest.fixture(scope="module")
def known() -> dict[str, Files]:
    """The corpus, and a bundle of every op that is not in it yet."""
    found = corpus()
    missing = sorted(SCORED - {name.rpartition("-")[0] for name in found})
    return found | (seeds(missing, 1) if missing else {})


def test_a_sample(known: dict[str, Files]) -> None:
    tally = run(known, 0, range(CASES))
    assert not tally.faults, tally.text()
    assert tally.ends.total() == CASES
    for form in ("json", "protobuf"):
        assert all(tally.ends[form, end] > 0 for end in ENDS if end != "not scored"), tally.text()


@pytest.mark.parametrize("name", corpus())
def test_the_corpus(name: str) -> None:
    """Unspoilt bundles score; those that once broke something come to one of the good ends."""
    end = tried(corpus()[name], Random(1))
    assert end in ENDS
    assert name.startswith("fault-") or end == "scored"


def test_cases_can_be_run_again(known: dict[str, Files]) -> None:
    name = min(known)
    assert mutated(known[name], Random("1:2")) == mutated(known[name], Random("1:2"))
    assert mutated(known[name], Random("1:2")) != known[name]


def only(known: dict[str, Files], op: str) -> dict[str, Files]:
    return {name: files for name, files in known.items() if name.startswith(f"{op}-")}


def test_plans_that_differ_are_found(known: dict[str, Files], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Bucketizer.columns

    def shifted(self: Bucketizer, inputs: object) -> object:
        result = plain(self, inputs)  # type: ignore[arg-type]
        result.outputs[0].values[:] += 1  # type: ignore[union-attr]
        return result

    monkeypatch.setattr(Bucketizer, "columns", shifted)
    tally = run(only(known, "bucketizer"), 1, range(40))
    assert any("columns: " in fault for fault in tally.faults.values())
    assert "FAULT 1:" in tally.text()


def test_errors_of_another_kind_are_found(known: dict[str, Files], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "text", lambda field: field[2].decode())
    tally = run(only(known, "string_indexer"), 1, range(300))
    assert any("UnicodeDecodeError" in fault for fault in tally.faults.values())


def test_what_never_ends_is_found() -> None:
    def forever() -> None:
        with limited(1):
            while True:
                pass

    with pytest.raises(FaultError, match="more than 1 s"):
        forever()


def test_the_counts_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)  # for the whole process, which is the tests'
    assert main(["--seconds", "1", "--op", "bucketizer"]) == 0
    text = capsys.readouterr().out
    assert "0 faults" in text
    assert all(end in text for end in ENDS)
    assert main(["--case", "0:1", "--op", "bucketizer"]) == 0
    assert capsys.readouterr().out.split(maxsplit=1)[1].strip() in ENDS
