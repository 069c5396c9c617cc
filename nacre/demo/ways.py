"""The ways to a score that the demo compares, each run by its own process into its own file.

    python -m nacre.demo.ways NAME HOME

writes HOME/results/NAME.parquet: `prediction`, one a row in the order of the input, and `features` for the ways that
end before the model. The reference is Spark's own features and the XGBoost library's own score on them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.demo.home import Home

if TYPE_CHECKING:
    import pyarrow as pa

TIMED = 1000
"""Real-time requests whose latency is reported."""


def reference(home: Home) -> None:
    """Spark's features as the Spark job wrote them, through the XGBoost library."""
    import pyarrow.parquet as pq
    import xgboost

    table = pq.read_table(home.reference).sort_by("_row")
    features = np.array([dense(vector) for vector in table["features"].to_pylist()])
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(model_bytes(home)))
    scores = booster.predict(xgboost.DMatrix(features.astype(np.float32), nthread=1), validate_features=False)
    _write(home, "reference", scores.astype(np.float64), features)


def columns(home: Home) -> None:
    """The columns plan over the whole table, and the booster over its matrix."""
    import nacre

    table = nacre.load(home.bundle).transform(raw(home), columns=["features"])
    features = np.array(table["features"].to_pylist())
    _write(home, "columns", booster(home).predict(features.astype(np.float32)).astype(np.float64), features)


def row(home: Home) -> None:
    """The row plan, a row at a time."""
    import nacre

    model, rings = nacre.load(home.bundle), booster(home)
    found = [model.row(values) for values in raw(home).to_pylist()]
    features = [values["features"] for values in found if values is not None]
    _write(home, "row", np.array([rings.row(values) for values in features]), np.array(features))


def fused(home: Home) -> None:
    """The chain in one process, one request a row."""
    from nacre.chain import FusedChain
    from nacre.pipeline import Pipeline

    with TemporaryDirectory() as folder:
        chain = FusedChain.load(Pipeline.read(home.pipeline), Path(folder))
        _write(home, "fused", np.array([number(chain.invoke(line, "text/csv").body) for line in lines(home)]))


def http(home: Home) -> None:
    """The chain over HTTP, a process a container, one request a row; the first thousand are timed by container."""
    from nacre.chain import HttpChain
    from nacre.pipeline import Pipeline
    from nacre.serving.processes import started

    seconds: dict[str, list[float]] = {}

    def observe(name: str, took: float) -> None:
        seconds.setdefault(name, []).append(took)

    with (
        started(Pipeline.read(home.pipeline), home.logs / "containers") as urls,
        HttpChain(urls, observe=observe) as chain,
    ):
        predictions = []
        for line in lines(home):
            start = perf_counter()
            predictions.append(number(chain.invoke(line, "text/csv").body))
            seconds.setdefault("chain", []).append(perf_counter() - start)
    home.latencies.parent.mkdir(parents=True, exist_ok=True)
    home.latencies.write_text(json.dumps({name: took[:TIMED] for name, took in seconds.items()}))
    _write(home, "http", np.array(predictions))


def batch_csv(home: Home) -> None:
    """`nacre transform` over the CSV file."""
    out = home.path / "batch" / "requests.csv.out"
    _transform(home, home.requests_csv, out)
    _write(home, "batch_csv", np.array([number(line) for line in out.read_bytes().splitlines()]))


def batch_parquet(home: Home) -> None:
    """`nacre transform` over the Parquet file."""
    import pyarrow.parquet as pq

    out = home.path / "batch" / "requests.parquet"
    _transform(home, home.requests_parquet, out)
    _write(home, "batch_parquet", pq.read_table(out)["prediction"].to_numpy())


WAYS: dict[str, Callable[[Home], None]] = {
    "columns": columns,
    "row": row,
    "fused": fused,
    "http": http,
    "batch_csv": batch_csv,
    "batch_parquet": batch_parquet,
}
"""name -> way, in the order of the table."""


def _transform(home: Home, source: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "nacre", "transform", str(home.pipeline), str(source), str(out), "--overwrite"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)


def raw(home: Home) -> pa.Table:
    """The requests as a typed table."""
    import pyarrow.parquet as pq

    return pq.read_table(home.requests_parquet)


def lines(home: Home) -> Iterator[bytes]:
    """The requests as CSV lines."""
    return iter(home.requests_csv.read_bytes().splitlines())


def number(text: bytes) -> float:
    return float(text)


def dense(vector: Any) -> list[float]:
    """Spark's VectorUDT struct as numbers."""
    if vector["type"] == 1:
        return list(vector["values"])
    out = [0.0] * vector["size"]
    for i, x in zip(vector["indices"], vector["values"], strict=True):
        out[i] = x
    return out


def model_bytes(home: Home) -> bytes:
    """The booster's file out of its model.tar.gz."""
    with tarfile.open(home.rings_model) as archive:
        file = archive.extractfile("xgboost-model")
        assert file is not None, "the training job wrote it"
        return file.read()


def booster(home: Home) -> Any:
    import nacre.booster

    return nacre.booster.load(model_bytes(home))


def _write(home: Home, name: str, predictions: np.ndarray, features: np.ndarray | None = None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays: dict[str, Any] = {"prediction": predictions.astype(np.float64)}
    if features is not None:
        arrays["features"] = pa.array(list(features.astype(np.float64)))
    home.result(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), home.result(name))


def main(argv: list[str]) -> int:
    name, path = argv
    from nacre.errors import NacreError

    try:
        {"reference": reference, **WAYS}[name](Home(Path(path)))
    except NacreError as error:
        print(f"nacre: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
