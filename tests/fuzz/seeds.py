"""The bundles that are spoilt: the corpus beside this module, and some drawn for every op there is.

`python -m tests.fuzz.seeds` writes a small bundle into the corpus for each op that has none. A bundle that once broke
something stays there under a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from hypothesis import Phase, given, settings

from nacre.bundle import Bundle, write
from nacre.bundle.files import open_bundle
from nacre.bundle.formats import FORMATS
from nacre.bundle.writer import _files
from nacre.stages import REGISTRY
from tests.plans import STRATEGIES
from tests.test_plan import PLANS, models

CORPUS = Path(__file__).with_name("corpus")
Files = dict[str, bytes]


def corpus() -> dict[str, Files]:
    """The bundles of the corpus by name, as files."""
    return {path.stem: unpacked(path) for path in sorted(CORPUS.glob("*.zip"))}


def unpacked(path: Path) -> Files:
    with open_bundle(path) as files:
        return {name: files.read(name) for name in files}


def drawn(op: str, count: int) -> list[Bundle]:
    """Some bundles of an op; always the same ones."""
    found: list[Bundle] = []

    @settings(PLANS, max_examples=count, phases=[Phase.generate])
    @given(models(op, "spark", {}))
    def collect(pair: tuple[object, object]) -> None:
        found.append(pair[0].bundle)  # type: ignore[attr-defined]

    collect()
    return found


def seeds(ops: list[str], count: int = 4) -> dict[str, Files]:
    """All bundles to start from, in both formats."""
    found = {name: files for name, files in corpus().items() if name.partition("-")[0] in {*ops, "fault"}}
    for op in ops:
        for (n, bundle), form in zip(enumerate(drawn(op, count)), cycle(FORMATS), strict=False):
            found[f"{op}-{n}"] = written(bundle, form)
    return found


def written(bundle: Bundle, form: str) -> Files:
    bundle.format = form
    return dict(_files(bundle))


def fill() -> Iterator[Path]:
    """Write what the corpus lacks."""
    CORPUS.mkdir(exist_ok=True)
    for op, form in ((op, form) for op in sorted(STRATEGIES) if op in REGISTRY for form in FORMATS):
        path = CORPUS / f"{op}-{form}.zip"
        if not path.exists():
            bundle = min(drawn(op, 8)[2:], key=lambda each: sum(map(len, written(each, form).values())))
            yield write(bundle, path, format=form)


if __name__ == "__main__":
    for path in fill():
        print(path)
