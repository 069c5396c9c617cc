"""Models of every kind that can be fused, and what each is asked: a new kind needs an entry in SAMPLES."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from nacre.bundle import write
from nacre.bundle.values import Shape
from nacre.formats import recordio
from nacre.handlers import KINDS, blazingtext, handler_class, postprocess, sparkml_text, xgboost_input, xgboost_output
from tests import bundles, tiny_chain

CSV, JSON, LINES, PARQUET = "text/csv", "application/json", "application/jsonlines", "application/x-parquet"
RECORDIO, LIBSVM = "application/x-recordio-protobuf", "text/libsvm"
SPECIAL = (math.nan, math.inf, -math.inf, -0.0, 1e39, -1e39, 5e-324, 1e308, 3.4028235e38, 16777217.0)
LABELS = ["plain", "a,b", 'say "so"', "two\nlines", "", "ünï“", " blank ", "cr\rlf", "<b>&"]
MANY = 500

Asked = tuple[bytes, str | None]
"""Body and Content-Type."""


class Model(NamedTuple):
    """A model folder to write, the container's environment, and what it is asked: name -> body and Content-Type."""

    name: str
    write: Callable[[Path], Any]
    requests: Mapping[str, Asked]
    env: Mapping[str, str] = {}


class Sample(NamedTuple):
    """A kind: its models, the content types it reads, what Accept may be, and one Accept that nobody can meet."""

    models: Sequence[Model]
    types: Sequence[str]
    accepts: Sequence[str | None]


def fusable() -> list[str]:
    """Kinds of ours that are fused when their environment says nothing else."""
    ours = [kind for kind, known in KINDS.items() if known.handler.startswith("nacre.")]
    return [kind for kind in ours if not handler_class(kind).runs_alone({})]


# Rows of numbers, in every format


def java(value: float) -> str:
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN" if value != value else repr(value))


def csv_of(rows: Sequence[Sequence[float]]) -> bytes:
    return "\n".join(",".join(map(java, row)) for row in rows).encode()


def json_value(value: float) -> Any:
    return value if math.isfinite(value) else java(value)


def lines_of(rows: Sequence[Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def parquet_of(columns: Mapping[str, Sequence[Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), sink)
    return sink.getvalue()


def recordio_of(rows: Sequence[Sequence[float]]) -> bytes:
    """Records of features, which our writer has no need for: labels under the number of features."""
    made = []
    for row in rows:
        tensor = recordio._field(recordio.VALUES, np.asarray(row, "<f4").tobytes())
        entry = recordio._field(1, b"values") + recordio._field(2, recordio._field(2, tensor))
        made.append(recordio.framed(recordio._field(recordio.FEATURES, entry)))
    return b"".join(made)


def numbers(width: int, seed: int = 3) -> dict[str, list[list[float]]]:
    """Tables that hurt: each special value first and last among others, and 500 rows with and without them."""
    chance = random.Random(seed)
    plain = [[chance.choice((0.0, 1.0, round(chance.uniform(-2, 9), 3))) for _ in range(width)] for _ in range(MANY)]
    tables = {"1 row": plain[:1], "2 rows": plain[1:3], f"{MANY} rows": plain}
    for value in SPECIAL:
        tables[f"{java(value)}"] = [[value, *plain[0][1:]]]
        tables[f"{java(value)} last, row 2"] = [plain[0], [*plain[1][:-1], value]]
    tables[f"{MANY} rows with NaN"] = [[math.nan if at % 7 == 0 else row[0], *row[1:]] for at, row in enumerate(plain)]
    tables[f"{MANY} rows and 1e39 in row 400"] = [*plain[:399], [1e39, *plain[0][1:]], *plain[400:]]
    return tables


PLAIN = ("1 row", "2 rows", f"{MANY} rows")


def formats(name: str) -> tuple[str, ...]:
    """What a table of `numbers` is sent in besides CSV: plain ones in everything, the others in one each."""
    if name in PLAIN:
        return (JSON, LINES)
    return () if "rows " in name else (LINES,) if "last" in name else (JSON,)


BROKEN: dict[str, Asked] = {
    "empty": (b"", CSV),
    "line break": (b"\n", CSV),
    "words": (b"a,b", CSV),
    "ragged": (b"1,2\n3", CSV),
    "blank line": (b"1\n\n2", CSV),
    "no utf-8": (b"\xff\xfe", CSV),
    "quote": (b'"1', CSV),
    "broken json": (b'{"data": [', JSON),
    "json of nothing": (b"{}", JSON),
    "empty json": (b"", JSON),
    "broken line": (b'{"data": [1]}\n{', LINES),
    "no content type": (b"1", None),
    "another content type": (b"1", "image/png"),
    "charset": (b"1", "text/csv; charset=utf-8"),
}


# sparkml


def one_column(folder: Path) -> None:
    write(bundles.pipeline(bundles.node("vector_assembler", {"input_shapes": [Shape()]}, ["x"], ["v"])), folder)


def labels(folder: Path) -> None:
    write(bundles.pipeline(bundles.node("reverse_string_indexer", {"labels": LABELS}, ["i"], ["label"])), folder)


def features(folder: Path) -> None:
    folder.mkdir()
    tiny_chain.bundle(folder / "model.zip")


def schema(inputs: Mapping[str, str], output: str, kind: str = "double", struct: str = "basic") -> dict[str, str]:
    columns = [{"name": name, "type": each} for name, each in inputs.items()]
    whole = {"input": columns, "output": {"name": output, "type": kind, "struct": struct}}
    return {"SAGEMAKER_SPARKML_SCHEMA": json.dumps(whole)}


def sparkml_requests(tables: Mapping[str, Sequence[Sequence[float]]], first: Sequence[Any] = ()) -> dict[str, Asked]:
    """In CSV, and the small ones in JSON and JSON Lines too; `first` goes before every row."""
    found: dict[str, Asked] = {}
    for name, rows in tables.items():
        found[name] = ("\n".join(",".join([*first, *map(java, row)]) for row in rows).encode(), CSV)
        data = [[*first, *map(json_value, row)] for row in rows]
        if JSON in formats(name):
            found[f"{name}, json"] = (json.dumps({"data": data[0]}).encode(), JSON)
        if LINES in formats(name):
            found[f"{name}, lines"] = (lines_of([{"data": each} for each in data]), LINES)
    return found | BROKEN


INDEXES = {
    "every label": [[float(at)] for at in range(len(LABELS))],
    **{f"label {at}": [[float(at)]] for at in range(len(LABELS))},
    f"{MANY} labels": [[float(at % 2)] for at in range(MANY)],
    "no such label": [[0.0], [99.0]],
    "NaN": [[math.nan]], "-0.0": [[-0.0]], "1e39": [[1e39]],
}  # fmt: skip
SPARKML = (
    Model(
        "features", features,
        sparkml_requests(numbers(3), ["M"]) | {"unseen": (b"M,1,2,3\nX,1,2,3", CSV), "quoted": (b'"F",1,2,3', CSV)},
        {"SAGEMAKER_SPARKML_SCHEMA": json.dumps(tiny_chain.SCHEMA)},
    ),
    Model("vector of one", one_column, sparkml_requests(numbers(1)), schema({"x": "double"}, "v", struct="vector")),
    Model("labels", labels, sparkml_requests(INDEXES), schema({"i": "double"}, "label", "string")),
    Model(
        "json lines", one_column, sparkml_requests({"1 row": [[0.5]], "NaN": [[math.nan]], "2 rows": [[1.0], [-0.0]]}),
        schema({"x": "double"}, "v", struct="vector") | {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": LINES},
    ),
)  # fmt: skip


# xgboost


def booster(objective: str, width: int) -> Callable[[Path], None]:
    def write_model(folder: Path) -> None:
        import xgboost

        folder.mkdir()
        chance = np.random.default_rng(1)
        rows = chance.uniform(-2, 9, (200, width)).round(3)
        target = (rows.sum(axis=1) > rows.sum(axis=1).mean()).astype(float) + (rows[:, 0] > 5)
        settings = {"objective": objective, "max_depth": 3, "nthread": 1, "seed": 1}
        classes = {"num_class": 3} if objective.startswith("multi:") else {}
        trained = xgboost.train(settings | classes, xgboost.DMatrix(rows, target, nthread=1), num_boost_round=5)
        trained.save_model(folder / "xgboost-model.json")

    return write_model


def xgboost_requests(width: int) -> dict[str, Asked]:
    found: dict[str, Asked] = {}
    for name, rows in numbers(width).items():
        found[name] = (csv_of(rows), CSV)
        values = [[None if x != x else x for x in row] for row in rows]
        if LINES in formats(name):
            found[f"{name}, lines"] = (lines_of(values), LINES)
        if JSON in formats(name):
            found[f"{name}, json"] = (json.dumps(values).encode(), JSON)
        if name in (*PLAIN, "NaN", "-0.0"):
            libsvm = ["0 " + " ".join(f"{at}:{java(x)}" for at, x in enumerate(row) if x) for row in rows]
            found[f"{name}, libsvm"] = ("\n".join(libsvm).encode(), LIBSVM)
            found[f"{name}, recordio"] = (recordio_of(rows), RECORDIO)
            columns = {f"f{at}": [row[at] for row in rows] for at in range(width)}
            found[f"{name}, parquet"] = (parquet_of(columns), PARQUET)
    return found | BROKEN


XGBOOST = (
    Model("score of 6", booster("reg:squarederror", 6), xgboost_requests(6)),
    Model("score of 1", booster("reg:squarederror", 1), xgboost_requests(1)),
    Model("3 classes of 6", booster("multi:softprob", 6), xgboost_requests(6)),
    Model("class of 1", booster("multi:softmax", 1), xgboost_requests(1)),
    Model("3 classes of 1 in batch", booster("multi:softprob", 1), xgboost_requests(1), {"SAGEMAKER_BATCH": "true"}),
    Model(
        "json of 1", booster("reg:squarederror", 1), xgboost_requests(1), {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": JSON}
    ),
)


# blazingtext


def fasttext(mode: str) -> Callable[[Path], None]:
    def write_model(folder: Path) -> None:
        from nacre.train.blazingtext import Data, train

        words = [f'__label__{label} one two {at}.5 "{at}"' for at in range(20) for label in ("yes", 'no,"never"')]
        text = folder.with_suffix(".txt")
        text.write_text("\n".join(words) + "\n")
        settings = {"vector_dim": 4, "buckets": 50, "min_count": 1, "threads": 1, "epochs": 5}
        if mode == "skipgram":
            settings |= {"sampling_threshold": 1}
        train(Data(text), folder, {"mode": mode, **settings}, lambda _: None)

    return write_model


TEXTS = ["one", "two 1.5", *LABELS, "1.0,2.0", "NaN"]
BLAZINGTEXT_REQUESTS: dict[str, Asked] = {
    "1 row": (b"one two", "text/plain"),
    "2 rows": (b"one\n1.5,2", CSV),
    f"{MANY} rows": (b"\n".join([b"one two"] * MANY), "text/plain"),
    f"{MANY} rows, lines": (lines_of([{"source": f"one {at}.5", "k": 2} for at in range(MANY)]), LINES),
    "json": (json.dumps({"instances": TEXTS, "configuration": {"k": 2}}).encode(), JSON),
    **{f"{text!r}": (json.dumps({"instances": [text]}).encode(), JSON) for text in TEXTS},
    **{f"{text!r}, lines": (lines_of([{"source": text}]), LINES) for text in TEXTS},
    "bad k": (b'{"instances": ["one"], "configuration": {"k": 0}}', JSON),
    **BROKEN,
}
BLAZINGTEXT = (
    Model("classifier", fasttext("supervised"), BLAZINGTEXT_REQUESTS),
    Model("vectors", fasttext("skipgram"), BLAZINGTEXT_REQUESTS),
)


# postprocess


def rules(document: Mapping[str, Any]) -> Callable[[Path], None]:
    def write_model(folder: Path) -> None:
        folder.mkdir()
        (folder / "postprocess.yaml").write_text(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))

    return write_model


def doubles(width: int, given: Sequence[dict[str, Any]] = (), outputs: Any = None, **more: Any) -> dict[str, Any]:
    names = [f"x{at}" for at in range(width)]
    columns = dict.fromkeys(names, "double")
    return {"input": {"columns": columns, **more}, "rules": list(given), "output": {"columns": outputs or names}}


TO_LABELS = {
    "bands": "x0",
    "to": "label",
    "edges": [0.0, 1.0, 2.0],
    "labels": [LABELS[1], LABELS[2], LABELS[3], LABELS[4]],
}


def postprocess_requests(width: int) -> dict[str, Asked]:
    found: dict[str, Asked] = {}
    for name, rows in numbers(width).items():
        found[name] = (csv_of(rows), CSV)
        values = [[json_value(x) for x in row] for row in rows]
        if JSON in formats(name):
            found[f"{name}, json"] = (json.dumps(values).encode(), JSON)
        if LINES in formats(name):
            found[f"{name}, lines"] = (lines_of(values), LINES)
        if name in (*PLAIN, "NaN", "-0.0"):
            columns = {f"x{at}": [row[at] for row in rows] for at in range(width)}
            found[f"{name}, parquet"] = (parquet_of(columns), PARQUET)
    return found | {"null": (lines_of([[None] * width]), LINES)} | BROKEN


def text_requests() -> dict[str, Asked]:
    found = {f"{text!r}": (json.dumps([text]).encode(), JSON) for text in LABELS}
    found |= {f"{text!r}, csv": (f'"{text.replace(chr(34), chr(34) * 2)}"\n'.encode(), CSV) for text in LABELS}
    found["all"] = (lines_of([[text] for text in LABELS]), LINES)
    found["null"] = (b"[null]\n", LINES)
    found[f"{MANY} rows"] = (parquet_of({"text": [LABELS[at % len(LABELS)] for at in range(MANY)]}), PARQUET)
    return found | BROKEN


TEXT = {"input": {"columns": {"text": "string"}}, "output": {"columns": ["text"]}}
LENGTH = {"rules": [{"set": "n = length(text)"}], "output": {"columns": ["n", "text"]}}
POSTPROCESS = (
    Model("1 number", rules(doubles(1, [{"set": "x0 = x0 * 2"}])), postprocess_requests(1)),
    Model("6 numbers", rules(doubles(6)), postprocess_requests(6)),
    Model("3 numbers", rules(doubles(3)), postprocess_requests(3)),
    Model("labels of 1", rules(doubles(1, [TO_LABELS], ["label"], extra="ignore")), postprocess_requests(1)),
    Model(
        "1 number as json", rules(doubles(1)), postprocess_requests(1), {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": JSON}
    ),
    Model("texts", rules(TEXT), text_requests()),
    Model("lengths", rules(TEXT | LENGTH), text_requests(), {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": LINES}),
)

NOT_THERE = "image/png"
SAMPLES: dict[str, Sample] = {
    "sparkml": Sample(SPARKML, sparkml_text.CONTENT_TYPES, (None, *sparkml_text.ACCEPTED, NOT_THERE)),
    "xgboost": Sample(
        XGBOOST, (CSV, LIBSVM, RECORDIO, PARQUET, *(names[0] for names in xgboost_input.OURS.values() if "json" in names[0])),
        (None, *xgboost_output.ACCEPTED, NOT_THERE),
    ),
    "blazingtext": Sample(
        BLAZINGTEXT, (blazingtext.JSON, blazingtext.JSON_LINES, blazingtext.CSV, blazingtext.PLAIN), (None, JSON)
    ),
    "postprocess": Sample(
        POSTPROCESS, tuple(dict.fromkeys(postprocess.SPELLED.values())), (None, *postprocess.WRITTEN, NOT_THERE)
    ),
}  # fmt: skip
"""Every kind that can be fused."""


def models() -> Iterator[tuple[str, Model]]:
    """Kind and model, all of them."""
    return ((kind, model) for kind, sample in SAMPLES.items() for model in sample.models)
