"""A sample of rows with what Spark makes of each: the schema of the transformed frame, and the proof for the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, SetupError
from nacre.plan.sparkschema import VECTOR_CLASS, from_spark_json
from nacre.proof import Proof, ProofRow
from nacre.proof.notes import DROPPED, FAILED, SCORED, plain_value
from nacre.spark.sparkerrors import is_sparks, root_cause

if TYPE_CHECKING:
    from nacre.plan.model import Model

NUMBER = "nacre_row_number"
"""A column that says which row of the sample a transformed row comes from."""


class Sample:
    """A frame the model was or can be applied to.

    Args:
        model: the fitted PySpark transformer.
        frame: a DataFrame, raw or already transformed by the model.
        rows: how many rows to take for the proof; 0 takes none, and reads at most one row for the sizes of vectors.
    """

    def __init__(self, model: Any, frame: Any, rows: int):
        self.model = model
        self.frame = frame
        made = made_columns(model)
        self.transformed = bool(made) and made <= set(frame.columns)
        self.rows: list[Any] = frame.limit(rows).collect() if rows else []
        self.result = frame if self.transformed else self._apply(frame)

    def _apply(self, frame: Any) -> Any:
        try:
            return self.model.transform(frame)
        except Exception as error:
            if is_sparks(error):
                raise SetupError(
                    "Spark cannot transform the sample", expected="rows as the model was fitted on",
                    got=root_cause(error),
                ) from error  # fmt: skip
            raise

    def schema(self) -> dict[str, Any]:
        """Spark's schema JSON of the transformed frame, with the sizes of raw vectors filled in from its first row."""
        schema: dict[str, Any] = json.loads(self.result.schema.json())
        raw = {field["name"]: field for field in json.loads(self.frame.schema.json())["fields"]}
        kept = {field["name"] for field in schema["fields"]}  # an SQLTransformer may leave raw columns out
        schema["fields"] += [field for name, field in raw.items() if name not in kept]
        if not self.transformed:  # a stage may give back a raw column in another type; the type it came in counts
            schema["fields"] = [raw.get(field["name"], field) for field in schema["fields"]]
        unsized = [field for field in schema["fields"] if _unsized(field) and field["name"] in self.frame.columns]
        if unsized:
            first = self.rows[0] if self.rows else self.frame.select(*[field["name"] for field in unsized]).first()
            for field in unsized if first is not None else []:
                if first[field["name"]] is not None:
                    field["metadata"] = {"ml_attr": {"num_attrs": int(first[field["name"]].size)}}
        return schema

    def proof(self, model: Model, schema: Mapping[str, Any]) -> Proof | None:
        """The sample's rows with Spark's answers; None where there are no rows, or the raw columns are gone."""
        names = list(model.inputs)
        if not self.rows or not set(names) <= set(self.frame.columns):
            return None
        answers = dict(enumerate(self.rows)) if self.transformed else self._answers(self._suspected(model, names))
        outputs = [name for name in model.outputs if name not in names]
        known = from_spark_json(schema)
        types = {name: known.get(name, kind) for name, kind in {**model.inputs, **model.outputs}.items()}
        return Proof(
            {**types, **model.inputs},
            [self._row(row, answers.get(n), names, outputs) for n, row in enumerate(self.rows)],
            str(self.frame.sparkSession.version),
        )

    def _row(self, row: Any, answer: Any, names: list[str], outputs: list[str]) -> ProofRow:
        inputs = {name: plain_value(row[name]) for name in names}
        if answer is None:
            return ProofRow(inputs, DROPPED, {})
        if answer == FAILED:
            return ProofRow(inputs, FAILED, {})
        return ProofRow(inputs, SCORED, {name: plain_value(answer[name]) for name in outputs})

    def _suspected(self, model: Model, names: list[str]) -> set[int]:
        """Numbers of the rows that Nacre refuses: Spark most likely does too."""
        return {n for n, row in enumerate(self.rows) if _refused(model, {name: row[name] for name in names})}

    def _answers(self, suspected: set[int]) -> dict[int, Any]:
        """Number of the row -> what Spark made of it. A row that Spark refuses fails a whole frame, so those suspected
        are asked for one by one, and all others together."""
        numbers = range(len(self.rows))
        with self._numbered() as frame:
            if NUMBER not in self.model.transform(frame).columns:  # a statement that keeps chosen columns only
                suspected = set(numbers)
            found = self._halved(frame, [n for n in numbers if n not in suspected])
            for n in sorted(suspected):
                found |= self._halved(frame, [n])
        return found

    @contextmanager
    def _numbered(self) -> Iterator[Any]:
        """The rows with their numbers, kept by Spark meanwhile: they go there once, however many jobs follow."""
        from pyspark.sql.types import IntegerType, StructField, StructType

        schema = StructType([*self.frame.schema.fields, StructField(NUMBER, IntegerType(), False)])
        local = [(*row, n) for n, row in enumerate(self.rows)]
        frame = self.frame.sparkSession.createDataFrame(local, schema).coalesce(1).cache()
        try:
            yield frame
        finally:
            frame.unpersist()

    def _halved(self, frame: Any, numbers: list[int]) -> dict[int, Any]:
        """What Spark makes of these rows: in one job if it takes them all, else in halves down to those it refuses."""
        if not numbers:
            return {}
        chosen = frame.where(f"{NUMBER} in ({', '.join(map(str, numbers))})")
        try:
            answers = self.model.transform(chosen).collect()
        except Exception as error:
            if not is_sparks(error):
                raise
        else:
            return {numbers[0] if len(numbers) == 1 else row[NUMBER]: row for row in answers}
        if len(numbers) == 1:
            return {numbers[0]: FAILED}
        middle = len(numbers) // 2
        return self._halved(frame, numbers[:middle]) | self._halved(frame, numbers[middle:])


def _refused(model: Model, row: Mapping[str, Any]) -> bool:
    try:
        model.row(row, vectors="sparse")
    except NacreError:
        return True
    return False


def _unsized(field: Mapping[str, Any]) -> bool:
    kind = field["type"]
    vector = isinstance(kind, dict) and kind.get("class") == VECTOR_CLASS
    return vector and "ml_attr" not in (field.get("metadata") or {})


def made_columns(model: Any) -> set[str]:
    """Names of the columns that the model's stages make, as far as their params tell."""
    if isinstance(getattr(model, "stages", None), list):
        return {name for stage in model.stages for name in made_columns(stage)}
    names = {
        model.getOrDefault(param)
        for param in ("outputCol", "predictionCol")
        if hasattr(model, param) and model.isDefined(param)
    }
    if hasattr(model, "outputCols") and model.isSet("outputCols"):
        names |= set(model.getOrDefault("outputCols"))
        if model.hasParam("outputCol") and not model.isSet("outputCol"):
            names -= {model.getOrDefault("outputCol")}
    return names
