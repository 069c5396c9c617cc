"""The SparkML container: a Bundle.ML model behind the contract of AWS's own, without its JVM.

What it answers is `sparkml-serving.md` of the reference, observed on the real server. Where ours is better on
purpose, `NACRE_COMPAT=aws` switches back: one record of a CSV, Java's list text as answer to JSON Lines, nulls
refused, MLeap's numbers, no float outputs, errors without our detail.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.errors import NacreError, RequestError, RowError
from nacre.formats import csv, decimals, json
from nacre.handlers import sparkml_text as text
from nacre.handlers.base import COMPAT, Handler, Reply, Setting, as_aws, processors
from nacre.handlers.sparkml_binding import Binding
from nacre.handlers.sparkml_requests import (
    ACCEPT,
    AcceptError,
    FrameworkError,
    bad_accept,
    byte_order_mark,
    check_content_type,
    empty_body,
    empty_line,
    kind_of,
    line_request,
    no_rows,
    request_of,
)
from nacre.handlers.sparkml_start import SCHEMA, VERIFY, bundle_in, own_binding
from nacre.plan.model import Model, load
from nacre.plan.rowcode import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from nacre.handlers.sparkml_schema import Schema

BATCH = Setting("SAGEMAKER_BATCH", None, "set by batch transform; any value but empty: get ready for large requests")

TABLE_FROM = 128
"""Lines from which a plain CSV is read by Arrow and scored as columns."""
COLUMNS_FROM = 512
"""Rows from which whole columns are scored: below, row by row is as fast and needs no Arrow."""
BINDINGS = 64
"""Schemas of requests that are kept compiled."""
MAX_PAYLOAD_MB = 5


class Frame:
    """A decoded request: rows of values as the row function takes them. `lines`: it was JSON Lines."""

    __slots__ = ("binding", "lines", "rows")

    def __init__(self, binding: Binding, rows: list[Sequence[Any]], lines: bool = False):
        self.binding = binding
        self.rows = rows
        self.lines = lines


class TableFrame:
    """Typed columns, for batch over Parquet."""

    __slots__ = ("binding", "table")

    def __init__(self, binding: Binding, table: pa.Table):
        self.binding = binding
        self.table = table


class Scores:
    """A value a row: a list, or float64 of shape (rows,) or (rows, size)."""

    __slots__ = ("binding", "lines", "values")

    def __init__(self, binding: Binding, values: Sequence[Any] | np.ndarray, lines: bool = False):
        self.binding = binding
        self.values = values
        self.lines = lines


class SparkML(Handler):
    """Frames: `decode` gives a Frame, `from_table` a TableFrame, `predict` Scores."""

    kind: ClassVar[str] = "sparkml"
    settings: ClassVar[tuple[Setting, ...]] = (SCHEMA, ACCEPT, BATCH, COMPAT, VERIFY)

    def __init__(self, model: Model, env: Mapping[str, str]):
        self.model = model
        self.compat = as_aws(env)
        self.default_accept = env.get(ACCEPT.name) or text.CSV
        self.bind: Callable[[Schema], Binding] = lru_cache(BINDINGS)(self._bind)
        self._own: Callable[[], Binding] = own_binding(model, env.get(SCHEMA.name), self.compat, self.bind)

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> SparkML:
        mode = "mleap" if as_aws(env) else "spark"
        bundle = bundle_in(model_dir)
        if env.get(VERIFY.name) == "true":
            from nacre.proof.verify import require

            require(bundle)
        handler = cls(load(bundle, mode=mode), env)
        if env.get(BATCH.name):  # large requests will come
            handler.warm()
        return handler

    def warm(self) -> None:
        if not self.compat:  # there large requests go row by row too
            import nacre.handlers.sparkml_table  # noqa: F401  needs Arrow

            self.model.warm()

    def _bind(self, schema: Schema) -> Binding:
        return Binding(self.model, schema, mleap=self.compat)

    def _binding(self, schema: Schema | None) -> Binding:
        return self._own() if schema is None else self.bind(schema)

    # Headers

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        if content_type not in text.CONTENT_TYPES:
            check_content_type(content_type)
        if self._accept(accept) not in text.ACCEPTED:
            raise bad_accept(accept, self.default_accept)

    def _accept(self, accept: str | None) -> str:
        accept = (accept or "").strip()
        return self.default_accept if accept in ("", "*/*") else accept

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        if content_type == text.CSV and (accept is None or accept in ("*/*", text.CSV)):
            reply = self._one_line(body)
            if reply is not None:
                return reply
        try:
            self.negotiate(content_type, accept)
        except AcceptError:
            self._readable(body, content_type)
            raise
        return self.encode(self.predict(self.decode(body, content_type)), accept)

    def _one_line(self, body: bytes) -> Reply | None:
        """The usual request, one line of CSV, by the shortest way; None for whatever else it is, and for what is wrong
        with it: the four steps find out."""
        try:
            binding, line = self._plain_line(body)
            return Reply(binding.one(line).encode("utf-8", "replace"), text.CSV)
        except Exception:  # noqa: BLE001  the ordinary way says what it is
            return None

    def _plain_line(self, body: bytes) -> tuple[Binding, str]:
        """Raises ValueError for what is more than one plain line."""
        line, binding = body.decode(), self._own()
        if '"' in line or "\n" in line or "\r" in line or not line or line[0] == csv.BYTE_ORDER_MARK:
            raise ValueError("no plain line")
        if not binding.sound or self.default_accept != text.CSV:
            raise ValueError("not answered as CSV")
        return binding, line

    def _readable(self, body: bytes, content_type: str | None) -> None:
        """Raises FrameworkError for a body that the framework refuses before anybody looks at Accept."""
        if not body:
            raise empty_body()
        if kind_of(content_type) == text.JSON:
            request_of(body)

    # Bytes in

    def decode(self, body: bytes, content_type: str | None) -> Frame | TableFrame:
        if not body:
            raise empty_body()
        kind = kind_of(content_type)
        if kind == text.CSV:
            return self._csv(csv.decode(body))
        if kind == text.JSON:
            schema, data = request_of(body)
            binding = self._binding(schema)
            return Frame(binding, [binding.json.values(data, 1)])
        return self._json_lines(json.lines(body))

    def _csv(self, body: str) -> Frame | TableFrame:
        binding = self._own()
        if body.startswith(csv.BYTE_ORDER_MARK) and not self.compat:
            raise byte_order_mark()
        if '"' in body or "\r" in body or "\n" in body or binding.csv_problem:
            return self._csv_records(body, binding)
        return Frame(binding, [binding.csv.line(body)])

    def _csv_records(self, body: str, binding: Binding) -> Frame | TableFrame:
        if body.count("\n") >= TABLE_FROM and (table := self._csv_table(body, binding)) is not None:
            return TableFrame(binding, table)
        try:
            records = csv.records(body, keep_empty=not self.compat)
        except csv.CsvError as error:
            raise RequestError(str(error), expected="CSV as in RFC 4180", got=f"line {error.line}") from None
        if not records:
            raise no_rows("CSV")
        if self.compat:
            del records[1:]
        lines = records.index([]) if [] in records else len(records)
        rows = binding.csv.table(records[:lines])
        if lines < len(records):
            raise empty_line(lines + 1)
        if binding.csv_problem is not None:
            raise binding.csv_problem.error()
        return Frame(binding, rows)

    def _csv_table(self, body: str, binding: Binding) -> pa.Table | None:
        """Many plain records as columns; None where the ordinary way has to look at them."""
        if '"' in body or "\r" in body or self.compat or binding.passes or not binding.sound:
            return None
        from nacre.handlers.sparkml_table import read_csv

        return read_csv(body, binding)

    def _json_lines(self, lines: list[str]) -> Frame:
        if not lines:
            raise no_rows("JSON Lines")
        schema, _ = line_request(lines[0], 1)
        binding = self._binding(schema)
        data = [
            row for number, line in enumerate(lines, 1) for row in self._rows_of(line_request(line, number)[1], binding)
        ]
        if not data:
            raise no_rows("JSON Lines")
        return Frame(binding, [self._json_row(binding, row, n) for n, row in enumerate(data, 1)], lines=True)

    def _rows_of(self, data: list[Any], binding: Binding) -> list[Any]:
        """`data` is one record, or a list of them if it holds nothing but lists (and nulls)."""
        if not all(each is None or isinstance(each, list) for each in data):
            return [data]
        if None in data and not self.compat and _is_record(data, binding.schema):
            return [data]
        return data

    def _json_row(self, binding: Binding, row: Any, number: int) -> Sequence[Any]:
        if row is None:
            message = 'Cannot invoke "java.util.List.get(int)" because "data" is null'
            raise RowError(message, expected="a list of values", got=None, row=number)
        return binding.json.values(row, number)

    def from_table(self, table: pa.Table) -> TableFrame:
        from nacre.handlers.sparkml_table import declared_types

        binding = self._own()
        problem = binding.problem()
        if problem is not None:
            raise problem.error()
        return TableFrame(binding, declared_types(table, binding.schema, self.model))

    # Scores

    def predict(self, frame: Frame | TableFrame) -> Scores:
        binding = frame.binding
        if isinstance(frame, TableFrame):
            from nacre.handlers.sparkml_table import score_table

            return Scores(binding, score_table(self.model, frame.table, binding.schema.output.name))
        score = binding.score
        if score is None:
            assert binding.stage_problem is not None, "there is a row function or a reason why not"
            raise binding.stage_problem.error()
        values = self._scored(binding, score, frame.rows)
        if binding.output_problem is not None:
            raise binding.output_problem.error()
        return Scores(binding, values, frame.lines)

    def _scored(self, binding: Binding, score: Callable[[Sequence[Any]], Any], rows: list[Sequence[Any]]) -> Any:
        if len(rows) >= COLUMNS_FROM and not (self.compat or binding.passes):
            from nacre.handlers.sparkml_table import score_columns

            columns = dict(zip(binding.schema.names, zip(*rows, strict=True), strict=True))
            return score_columns(self.model, columns, binding.schema.output.name)
        values = []
        try:
            for row in rows:
                values.append(score(row))  # noqa: PERF401  the number of the failing row is their count
        except Dropped:
            raise text.dropped_row(len(values) + 1) from None
        except RowError as error:
            raise error.at(row=len(values) + 1) from None
        return values

    # Bytes out

    def encode(self, frame: Scores, accept: str | None) -> Reply:
        accept = self._accept(accept)
        if accept == text.CSV and isinstance(frame.values, np.ndarray) and not self.compat:
            lines = decimals.java_lines(frame.values.reshape(len(frame.values), -1))
            if lines is not None:
                return Reply(lines.encode(), text.CSV)
        texts = self._texts(frame, self._renderer(frame, accept))
        if frame.lines and self.compat:
            body = f"[{', '.join([f'[{each}]' for each in texts])}]"
        elif len(texts) == 1:
            body = texts[0]
        else:
            text.check_lines(texts, frame.binding.schema.output.name)
            body = "\n".join(texts)
        return Reply(body.encode("utf-8", "replace"), text.ACCEPTED[accept])

    def _renderer(self, frame: Scores, accept: str) -> Callable[[Any], str]:
        """In answer to JSON Lines every line is a JSON document of its own: a text stands in quotes, for example."""
        found = frame.binding.renderers
        assert found is not None, "predict refused an answer that cannot be written"
        return (found.documents if frame.lines and not self.compat else found.records)[accept]

    def _texts(self, frame: Scores, render: Callable[[Any], str]) -> list[str]:
        texts: list[str] = []
        values = frame.values.tolist() if isinstance(frame.values, np.ndarray) else frame.values
        try:
            for value in values:
                texts.append(render(value))  # noqa: PERF401  the number of the failing row is their count
        except ValueError as error:
            field, row = frame.binding.schema.output.name, len(texts) + 1
            raise RowError(str(error), expected="a value", got=None, row=row, field=field) from None
        return texts

    def to_array(self, frame: Scores) -> pa.Array:
        from nacre.handlers.sparkml_table import to_arrow

        assert frame.binding.output is not None, "an answer has a type"
        return to_arrow(frame.values, frame.binding.output)

    def no_rows(self) -> Scores:
        return Scores(self._own(), [])

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        if isinstance(error, FrameworkError):
            added = None if self.compat else text.full_text(error)
            return text.framework_reply(error.status, accept, added, error.headers)
        body = (error.message if self.compat else text.full_text(error)).encode("utf-8", "replace")
        try:
            kind = text.error_type(accept)
        except ValueError:
            return text.framework_reply(error.status, accept, None if self.compat else body.decode())
        if kind is None:
            return Reply(b"", None, 406) if self.compat else Reply(body, text.PLAIN, 406)
        return Reply(body, kind, error.status)

    def execution_parameters(self) -> Mapping[str, Any]:
        strategy = "SINGLE_RECORD" if self.compat else "MULTI_RECORD"
        return {"MaxConcurrentTransforms": processors(), "BatchStrategy": strategy, "MaxPayloadInMB": MAX_PAYLOAD_MB}

    # Inside a fused chain

    def hand_over(self, frame: Scores) -> np.ndarray | None:
        kind = frame.binding.output
        if kind is None or kind.base != "double" or self.default_accept != text.CSV or (frame.lines and self.compat):
            return None
        values = frame.values
        if isinstance(values, list) and (
            None in values or (kind.shape == "list" and any(None in each for each in values))
        ):
            return None
        try:
            numbers = np.array(values, dtype=np.float64)
        except ValueError:  # lists of several lengths
            return None
        if not len(numbers):
            return numbers.reshape(0, 1 if kind.shape == "scalar" else kind.size or 0)
        return numbers if numbers.ndim == 2 else numbers[:, None]

    def hand_over_row(self, body: bytes, content_type: str | None) -> Sequence[float] | None:
        if content_type != text.CSV:
            return None
        try:
            binding, line = self._plain_line(body)
            if binding.output is None or binding.output.base != "double" or binding.output.shape != "vector":
                return None
            return binding.answer(line)  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001  the ordinary way says what it is
            return None

    def take_over(self, numbers: np.ndarray) -> Frame | None:
        binding = self._own()
        columns = binding.schema.input
        doubles = all(c.basic and c.type == "double" for c in columns) and binding.csv_problem is None
        wanted = [self.model.inputs.get(c.name) for c in columns]
        if not doubles or any(kind is not None and kind.base != "double" for kind in wanted) or binding.passes:
            return None
        if not len(numbers) or numbers.shape[1] < binding.width or not np.isfinite(numbers).all():
            return None  # the text decides what these are
        rows = numbers[: 1 if self.compat else None, : binding.width].tolist()
        return Frame(binding, rows)


def _is_record(data: list[Any], schema: Schema) -> bool:
    """Whether lists and nulls can be the values of one record: a list only where the schema has a vector or array."""
    fits = all(each is None or not column.basic for each, column in zip(data, schema.input, strict=False))
    return fits and len(data) >= len(schema.input)
