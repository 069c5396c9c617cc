"""The XGBoost container in algorithm mode: SageMaker's contract for it, with scores of our own reader.

What it answers is `xgboost-serving.md` of the reference, observed on the real container; `NACRE_COMPAT=aws` switches
off the improvements that its last section lists. The xgboost library is not imported.
"""

from __future__ import annotations

import json
import os
from copy import copy
from math import inf, nan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.errors import LONGEST, NacreError, RowError, SchemaError, SetupError
from nacre.errors import shown as text_shown
from nacre.formats import decimals, libsvm
from nacre.handlers import xgboost_input as inputs
from nacre.handlers import xgboost_output as outputs
from nacre.handlers.base import COMPAT, Handler, Reply, Setting, as_aws
from nacre.handlers.container import positive
from nacre.handlers.xgboost_models import CrashError, Models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from nacre.handlers.xgboost_input import Block
    from nacre.handlers.xgboost_models import Score

    Row = tuple[float, ...]

PROGRAM = Setting("SAGEMAKER_PROGRAM", None, "script mode: this script answers instead, see the container script")
PICKLE = Setting("NACRE_ALLOW_PICKLE", "false", "true: load pickled models, which runs the code inside them")
DEFAULT_ACCEPT = Setting("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", outputs.CSV, "type of replies to Accept: */*")
BATCH = Setting("SAGEMAKER_BATCH", None, "set by batch transform; any value but empty: one plain line a row")
OUTPUT = Setting(
    "SAGEMAKER_INFERENCE_OUTPUT", None, f"keys to reply with: {', '.join(outputs.CLASSES)}, predicted_score"
)
ENSEMBLE = Setting("SAGEMAKER_INFERENCE_ENSEMBLE", "true", "true: several models in the folder answer together")
MAX_CONTENT_LENGTH = Setting("MAX_CONTENT_LENGTH", str(6 << 20), "largest body of a request, in bytes")
FEWER = Setting(
    "NACRE_XGBOOST_FEWER_COLUMNS", "false", "true: columns that a request lacks at its end are missing values"
)
BASE = Setting(
    "NACRE_LIBSVM_BASE", "auto", "number of the first libsvm feature, 0 or 1; auto: 1 if a request names no 0"
)

HTML = "text/html; charset=utf-8"
CSV_REPLY = f"{outputs.CSV}; charset=utf-8"
EMPTY: list[Score] = []
"""The frame of an empty body; its reply is 204."""
EVALUATING = "Unable to evaluate payload provided: "
CSV_TYPES = frozenset(("text/csv", "text/csv; charset=utf-8", "text/csv;charset=utf-8", "csv"))
PAGES = {
    413: ("Request Entity Too Large", "The data value transmitted exceeds the capacity limit."),
    500: (
        "Internal Server Error",
        (
            "The server encountered an internal error and was unable to complete your request. "
            "Either the server is overloaded or there is an error in the application."
        ),
    ),
}
"""Pages of the AWS container's web framework, for NACRE_COMPAT=aws."""


class XGBoost(Handler):
    """Frames: what `decode` returns is one row of float32 values as a tuple, or a Block; scores are a list."""

    kind: ClassVar[str] = "xgboost"
    settings: ClassVar[tuple[Setting, ...]] = (
        *(DEFAULT_ACCEPT, BATCH, OUTPUT, ENSEMBLE, MAX_CONTENT_LENGTH),
        *(COMPAT, PICKLE, FEWER, BASE, PROGRAM),
    )

    def __init__(self, models: Models, env: Mapping[str, str]):
        self.models = models
        self.model = models.first
        self.features = self.model.num_features
        self.compat = models.compat
        self.fewer = self.compat or env.get(FEWER.name) == "true"
        self.batch = bool(env.get(BATCH.name))
        self.default_accept = self._default_accept(env.get(DEFAULT_ACCEPT.name))
        chosen = env.get(OUTPUT.name)
        self.keys = None if chosen is None else chosen.replace(" ", "").lower().split(",")
        self.libsvm_base = one_of(BASE, env.get(BASE.name) or "auto", libsvm.BASES)
        limit = env.get(MAX_CONTENT_LENGTH.name) or MAX_CONTENT_LENGTH.default or ""
        self.max_content_length = positive(MAX_CONTENT_LENGTH.name, limit)
        self._encoders = outputs.encoders(strict=not self.compat)
        self._usual = not (self.compat or self.batch) and self.keys is None and self.default_accept == outputs.CSV
        self._round, self._score = self.model.round, models.score

    @classmethod
    def runs_alone(cls, env: Mapping[str, str]) -> bool:
        """In script mode it runs the script that the environment names; one that lies in the model is not run."""
        return bool(env.get(PROGRAM.name))

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Handler:
        if cls.runs_alone(env):
            from nacre.handlers.xgboost_script import XGBoostScript

            return XGBoostScript.load(model_dir, env)
        together = env.get(ENSEMBLE.name, ENSEMBLE.default) == "true"
        return cls(Models.load(model_dir, env, together, compat=as_aws(env)), env)

    def _default_accept(self, value: str | None) -> str:
        """Checked once at the start; the AWS container finds out at each request."""
        if value is None or self.compat:
            return outputs.CSV if value is None else value
        name = value.split(";")[0].strip().lower()
        return one_of(DEFAULT_ACCEPT, name, (*outputs.ACCEPTED, outputs.NPY))

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        """One full row of CSV, the usual request, takes the shortest way through the four steps."""
        if self._usual and content_type in CSV_TYPES and (accept is None or accept in ("*/*", outputs.CSV)):
            row = self._one_row(body)
            if row is not None:
                score = self._score(row)
                return Reply(
                    decimals.python_line(score) if type(score) is float else outputs.csv_text([score]), CSV_REPLY
                )
        return super().invoke(body, content_type, accept)

    # bytes in

    def decode(self, body: bytes, content_type: str | None) -> Row | Block | list[Score]:
        if content_type in CSV_TYPES and not self.compat:
            row = self._one_row(body)
            if row is not None:
                return row
        if not body or (content_type or "").lower().startswith(inputs.FORMS):
            return EMPTY
        kind = inputs.kind_of(content_type, self.compat)
        if kind == "parquet" and not self.compat:
            return self._parquet(body)
        return self._settled(inputs.parse(kind, body, self.features, self.compat, self.libsvm_base))

    def _one_row(self, body: bytes) -> Row | None:
        """The usual request, one line of plain numbers, without arrays; None for whatever else it is."""
        bare = body.rstrip()
        if b"\n" in bare:
            return None
        try:
            return self._full_row(decimals.read(bare) or [*map(float, body.split(b","))])
        except ValueError:
            return None

    def _full_row(self, values: Sequence[float]) -> Row | None:
        """As many numbers as the model has features, rounded; None if they are more, fewer or not finite."""
        if len(values) != self.features:
            return None
        row = self._round(values)
        total = sum(row)
        return None if total - total != 0.0 and (inf in row or -inf in row) else row

    def _settled(self, block: Block) -> Row | Block:
        """One full row goes on as a tuple, so that it is scored the same way whatever it came as."""
        values = block.values
        if values.shape == (1, self.features):
            return tuple(values[0].tolist())
        return block if block.columns >= 0 else block._replace(columns=values.shape[1])

    def _parquet(self, body: bytes) -> Row | Block | list[Score]:
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(io.BytesIO(body))
        except (pa.ArrowException, OSError) as error:
            inputs.failed("parquet", expected="a Parquet file", got=str(error))
        return self.from_table(table)

    def from_table(self, table: pa.Table) -> Row | Block | list[Score]:
        """The model's own feature names, else the vector column `features`, else as many columns as the model has."""
        from nacre.formats import vectors

        names = self.model.feature_names
        if not names and "features" in table.column_names and vectors.is_vector(table.column("features").type):
            return self.take_over(vectors.matrix(table.column("features"), "features"), kind="parquet")
        wanted = list(names) or table.column_names
        missing = [name for name in wanted if name not in table.column_names]
        if missing or len(wanted) != self.features:
            expected = ", ".join(names) or f"a vector column named features, or {self.features} columns"
            got = f"{', '.join(table.column_names)}" or "no columns"
            raise SchemaError("columns the model needs are missing", expected=expected, got=got)
        for name in wanted:
            if not vectors.is_number(table.column(name).type):
                got = str(table.column(name).type)
                raise SchemaError("a column of another type", expected="numbers", got=got, field=name)
        columns = [vectors.numbers(table.column(name)) for name in wanted]
        return self.take_over(np.column_stack(columns), kind="parquet")

    def take_over_row(self, numbers: Sequence[float]) -> Any | None:
        row = self._full_row(numbers)
        return super().take_over_row(numbers) if row is None else row

    def take_over(self, numbers: np.ndarray, kind: str = "csv") -> Row | Block | list[Score]:
        """What the CSV text of these numbers would decode to; parquet is the kind named in errors of typed columns."""
        if len(numbers) == 1:
            row = self._full_row(numbers[0].tolist())
            if row is not None:
                return row
        if not len(numbers):
            return EMPTY
        return self._settled(inputs.as_block(numbers, kind))

    # scores

    def predict(self, frame: Any) -> list[Score]:
        """Scores as Python floats, or tuples of them. Raises SchemaError, 400."""
        if type(frame) is tuple:
            return [self._score(frame)]
        if frame is EMPTY:
            nothing: list[Score] = frame
            return nothing
        self._check_columns(frame)
        x: np.ndarray = frame.values
        if x.shape[1] < self.features:
            x = np.pad(x, ((0, 0), (0, self.features - x.shape[1])), constant_values=nan)
        return self.models.predict(x)

    def _check_columns(self, block: Block) -> None:
        if self.compat and self.model.pickled:
            self._check_pickled(block)
        if block.columns > self.features:
            message = "Number of columns does not match number of features in booster"
            raise SchemaError(EVALUATING + message, expected=self.features, got=block.columns)
        if block.columns < self.features and not (block.sparse or self.fewer):
            fix = f"Send an empty field for a missing value, or set {FEWER.name}=true"
            raise SchemaError(EVALUATING + "too few columns", expected=self.features, got=block.columns, fix=fix)

    def _check_pickled(self, block: Block) -> None:
        """The AWS container lets a pickled model's row lack its last column, and no more."""
        expected, got = self.features, block.columns
        if got > expected + 1 if block.kind == "libsvm" else got not in (expected, expected - 1):
            text = f"Feature size of {block.kind} inference data {got} is not consistent"
            raise SchemaError(f"{EVALUATING}{text} with feature size of trained model {expected}.")

    # bytes out

    def encode(self, frame: Any, accept: str | None) -> Reply:
        if frame is EMPTY:
            return Reply(b"", HTML, 204)
        accept = outputs.accepted(accept, self.default_accept)
        return Reply(self._body(frame, accept), f"{accept}; charset=utf-8" if accept.startswith("text/") else accept)

    def _body(self, scores: Sequence[Score], accept: str) -> bytes:
        if self.keys is not None:
            rows = outputs.select(scores, self.keys, self.model.objective, self.model.num_class)
            return outputs.encode_selected(rows, self.keys, accept, self.batch, strict=not self.compat)
        if self.batch:
            return outputs.batch_text([list(score) if type(score) is tuple else score for score in scores], accept)
        if accept not in self._encoders:
            raise CrashError(
                "no reply of this type without selectable output", expected=list(self._encoders), got=accept
            )
        return self._encoders[accept](scores)

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        """The container's plain text under its type text/html; the canonical JSON where Accept names JSON."""
        if self.compat and (isinstance(error, CrashError) or error.status == 413):
            title, text = PAGES[error.status]
            head = f"<!doctype html>\n<html lang=en>\n<title>{error.status} {title}</title>\n"
            return Reply(f"{head}<h1>{title}</h1>\n<p>{text}</p>\n".encode(), HTML, error.status)
        if not self.compat and outputs.allows_json(accept):
            return Reply(json.dumps(error.body(), default=str).encode(), outputs.JSON, error.status)
        return Reply(plain(error, escaped=not self.compat).encode(), HTML, error.status)

    def execution_parameters(self) -> Mapping[str, Any]:
        return {
            "MaxConcurrentTransforms": os.cpu_count() or 1,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": self.max_content_length // 1024**2,
        }

    def to_array(self, frame: Any) -> pa.Array:
        import pyarrow as pa

        return pa.array(frame, pa.list_(pa.float64()) if self.models.vector else pa.float64())

    def no_rows(self) -> list[Score]:
        return EMPTY

    def hand_over(self, frame: Any) -> np.ndarray | None:
        """Only where the reply to `*/*` is CSV of these very numbers."""
        if self.default_accept != outputs.CSV or self.keys is not None or frame is EMPTY:
            return None
        if self.batch and type(frame[0]) is tuple:  # written as a list in brackets
            return None
        return np.array(frame, np.float64).reshape(len(frame), -1)


def plain(error: NacreError, escaped: bool) -> str:
    """The error as text; what a request held must not come back as markup under text/html."""
    shown = copy(error)
    shown.where = {key: value for key, value in error.where.items() if key != "container"}
    if escaped:  # the AWS container sends all of what it was sent back
        shown.message = text_shown(error.message, LONGEST)
    text = str(shown)
    if isinstance(error, (RowError, SchemaError)) and not text.startswith(EVALUATING):
        text = EVALUATING + text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") if escaped else text


def one_of(setting: Setting, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise SetupError(f"{setting.name} is not usable", expected=f"one of {', '.join(known)}", got=value)
    return value
