"""A schema bound to a model, once: how each value is read and cast, the row function, how the answer is written.

Everything about a schema that can be wrong is found here, and kept until a request reaches the point where the AWS
container would find it: some of it while values are read, some when the stages run, some when the answer is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import NacreError, RequestError, RowError
from nacre.formats import decimals
from nacre.formats.javatext import PARSERS, parse_double, parse_doubles
from nacre.handlers.sparkml_schema import BASIC, STRUCTS, UNSUPPORTED_TYPE, VECTOR, WRONG_TYPE, Column, Schema
from nacre.handlers.sparkml_text import CSV, Renderers, renderers
from nacre.handlers.sparkml_values import BOXES, CastError, caster, class_cast, no_csv, parser, reader
from nacre.plan.rows import compile_positional
from nacre.plan.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nacre.plan.model import Model

    Convert = Callable[[Any], Any]

PASSED = "\0passed"
"""Stands in the row function for the answer where that is an input: its value before the cast to the model's type."""
DENSE = "ml.combust.mleap.tensor.DenseTensor"
TENSOR = "ml.combust.mleap.tensor.Tensor"
SEQUENCE = "scala.collection.Seq"
LIST_CLASS = "scala.collection.convert.Wrappers$JListWrapper"


class Problem(NamedTuple):
    """What is wrong with a schema for this model; `message` is AWS's text."""

    message: str
    expected: str
    got: str
    field: str

    def error(self, kind: type[NacreError] = RequestError) -> NacreError:
        return kind(self.message, expected=self.expected, got=self.got, field=self.field)


class Step(NamedTuple):
    """How one column is read: to the declared type, then to the model's."""

    column: Column
    source: int
    read: Convert
    cast: Convert | None

    def convert(self) -> Convert:
        """Both at once."""
        read, cast = self.read, self.cast
        if cast is None:
            return read

        def both(value: Any) -> Any:
            return cast(read(value))

        return both

    def convert_all(self, values: Sequence[Any]) -> Sequence[Any]:
        """`convert` of a whole column."""
        if self.read is parse_double and self.cast is None:
            return parse_doubles(values)
        return list(map(self.convert(), values))


class Columns:
    """The columns of a request in one of the two forms, text (CSV) or JSON."""

    def __init__(self, steps: Sequence[Step], width: int, types_first: bool):
        """`types_first`: an unknown type is refused before it is seen that there is no value."""
        self.steps = steps
        self.types_first = types_first
        self.width = width
        self.passed = steps[-1].source if len(steps) > width else None
        self.converts = tuple(step.convert() for step in steps)
        self.plain = _plain_from(steps) if self.passed is None else width
        """The first column from which on all are doubles."""

    def line(self, text: str) -> Sequence[Any]:
        """`values` of the fields of one line of CSV, its doubles at the end read together."""
        count = self.width - self.plain
        if count > 1:
            read: list[Any] = text.split(",", self.plain)
            found = decimals.read_floats(read.pop().encode())
            if found is not None and len(read) == self.plain and len(found) >= count:
                try:
                    for n, convert in enumerate(self.converts[: self.plain]):
                        read[n] = convert(read[n])
                except ValueError:
                    raise self._why(text.split(","), 1) from None
                read += found if len(found) == count else found[:count]
                return read
        return self.values(text.split(","), 1)

    def values(self, fields: Sequence[Any], row: int) -> Sequence[Any]:
        """The row function's arguments. Raises RowError for the first value that cannot be had, as AWS would."""
        try:
            if len(fields) >= self.width:
                if self.passed is not None:
                    fields = [*fields[: self.width], fields[self.passed]]
                return [convert(field) for convert, field in zip(self.converts, fields, strict=False)]
        except ValueError:
            pass  # which one is found out below
        raise self._why(fields, row)

    def table(self, records: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """`values` of many records, column by column, which is faster. Raises as `values` does."""
        if not self.steps:
            return [() for _ in records]
        try:
            columns = list(zip(*records, strict=True))
            read = [step.convert_all(columns[step.source]) for step in self.steps]
        except (ValueError, IndexError):  # records of several lengths too
            return [self.values(record, row) for row, record in enumerate(records, 1)]
        return list(zip(*read, strict=True))

    def _why(self, fields: Sequence[Any], row: int) -> RowError:
        """The first error, all columns read before any is cast."""
        read = []
        for step in self.steps:
            if step.source >= len(fields) and (step.column.type in PARSERS or not self.types_first):
                return self._too_few(step.column, step.source, fields, row)
            value = fields[step.source] if step.source < len(fields) else None
            try:
                read.append(step.read(value))
            except ValueError as error:
                return _refused(str(error), step.column, value, row)
        for step, value in zip(self.steps, read, strict=True):
            try:
                if step.cast is not None:
                    step.cast(value)
            except ValueError as error:
                return _refused(str(error), step.column, value, row)
        raise AssertionError("a row was refused that can be read")

    def _too_few(self, column: Column, index: int, fields: Sequence[Any], row: int) -> RowError:
        names = ", ".join(step.column.name for step in self.steps[: self.width])
        return RowError(
            f"Index {index} out of bounds for length {len(fields)}",
            expected=f"{self.width} values: {names}", got=f"{len(fields)}", row=row, field=column.name,
        )  # fmt: skip


def _plain_from(steps: Sequence[Step]) -> int:
    """Where the doubles begin that are taken as they are, up to the last column."""
    others = [n for n, step in enumerate(steps, 1) if step.read is not parse_double or step.cast is not None]
    return others[-1] if others else 0


def _refused(message: str, column: Column, value: Any, row: int) -> RowError:
    return RowError(message, expected=str(column), got=value, row=row, field=column.name)


class Binding:
    """A schema on a model. `mleap`: answer as the AWS container does, every stage run whether it is needed or not."""

    def __init__(self, model: Model, schema: Schema, mleap: bool):
        self.schema = schema
        self.width = len(schema.input)
        passed = next((n for n, c in enumerate(schema.input) if c.name == schema.output.name), None)
        self.passes = passed is not None
        self.stage_problem = _stage_problem(model, schema, mleap)
        """Found when the stages run."""
        self.output = _output_type(model, schema)
        self.output_problem = _output_problem(schema.output, self.output, mleap)
        """Found when the answer is written."""
        self.csv_problem = next(filter(None, map(_csv_problem, schema.input)), None)
        """Found after the fields of a CSV record have been read."""
        self.csv = Columns(self._steps(model, mleap, passed, parser), self.width, types_first=False)
        self.json = Columns(
            self._steps(model, mleap, passed, lambda c: reader(c, nulls=not mleap)), self.width, types_first=True
        )
        self.score = None if self.stage_problem else self._compile(model, mleap)
        self.renderers: Renderers | None = None if self.output_problem else renderers(_present(self.output))
        self.sound = not (self.csv_problem or self.problem())
        """Whether one line of CSV can be answered."""

    def _steps(self, model: Model, mleap: bool, passed: int | None, read: Callable[[Column], Convert]) -> list[Step]:
        steps = [Step(c, n, read(c), _caster(c, model, mleap)) for n, c in enumerate(self.schema.input)]
        if passed is not None:
            steps.append(Step(self.schema.input[passed], passed, read(self.schema.input[passed]), None))
        return steps

    def _compile(self, model: Model, mleap: bool) -> Callable[[Sequence[Any]], Any] | None:
        if self.output is None:
            return compile_positional(model.stages, model.types, self.schema.names, self.schema.names[0])
        names = [*self.schema.names, PASSED] if self.passes else self.schema.names
        output = PASSED if self.passes else self.schema.output.name
        if mleap:
            return compile_positional(model.stages, model.types, names, output)
        return model.compile_row(names, output)

    def answer(self, line: str) -> Any:
        """The answer to one line of CSV, for a sound binding. Raises whatever is wrong with the values."""
        assert self.score is not None, "only asked of sound ones"
        return self.score(self.csv.line(line))

    def one(self, line: str) -> str:
        """The same as CSV."""
        assert self.renderers is not None, "only asked of sound ones"
        return self.renderers.records[CSV](self.answer(line))

    def problem(self) -> Problem | None:
        """What no request can get past, None if some can."""
        columns = self.schema.input
        types = (
            Problem(WRONG_TYPE, f"one of {', '.join(PARSERS)}", c.type, c.name)
            for c in columns
            if c.type not in PARSERS
        )
        structs = (
            Problem("unknown struct", f"one of {', '.join(STRUCTS)}", c.struct, c.name)
            for c in (*columns, self.schema.output)
            if c.struct.strip() not in ("", *STRUCTS)
        )
        vectors = (_csv_problem(c) for c in columns if c.struct == VECTOR and c.type != "double")
        return next((p for p in (*types, *structs, *vectors, self.stage_problem, self.output_problem) if p), None)


def _csv_problem(column: Column) -> Problem | None:
    message = no_csv(column)
    return None if message is None else Problem(message, "single values", str(column), column.name)


def _caster(column: Column, model: Model, mleap: bool) -> Convert | None:
    wanted = model.inputs.get(column.name)
    try:
        return None if wanted is None else caster(column, wanted, mleap)
    except CastError:
        return None  # a stage problem


def _stage_problem(model: Model, schema: Schema, mleap: bool) -> Problem | None:
    """What MLeap's frame and stages refuse whatever the values are, the first of it."""
    declared: dict[str, Column] = {}
    for column in schema.input:
        if column.name in declared:
            return _exists(column.name, "each column once")
        declared[column.name] = column
    made: set[str] = set()
    for stage in model.stages:
        missing = [name for name in stage.input_names if name not in declared and name not in made]
        if missing:
            return _missing(missing, stage.op, len(stage.input_names), schema, model)
        for name in stage.input_names:
            if name not in made and (problem := _cast_problem(declared[name], model.inputs[name], mleap)):
                return problem
        for name in stage.output_names:
            if name in declared:
                return _exists(name, "no column that the model makes")
        made.update(stage.output_names)
    return None


def _exists(name: str, expected: str) -> Problem:
    return Problem(f"struct already has field: {name}", f"{expected} in the schema's input", name, name)


def _missing(missing: list[str], op: str, count: int, schema: Schema, model: Model) -> Problem:
    many = count > 1 or op == "vector_assembler"
    message = f"invalid fields: {','.join(missing)}" if many else f"invalid field: {missing[0]}"
    needed = ", ".join(model.inputs)
    return Problem(message, f"the columns {needed} in the schema's input", ", ".join(schema.names), missing[0])


def _cast_problem(column: Column, wanted: Type, mleap: bool) -> Problem | None:
    try:
        caster(column, wanted, mleap)
    except CastError as error:
        return Problem(str(error), str(wanted), str(column), column.name)
    return None


def _output_type(model: Model, schema: Schema) -> Type | None:
    """The type of the answer's column as it stands in the frame; None if there is no such column."""
    name = schema.output.name
    declared = next((column for column in schema.input if column.name == name), None)
    if declared is None:
        return model.outputs.get(name)
    return Type(declared.type, "scalar" if declared.basic else "list" if declared.array else "vector")


def _output_problem(output: Column, given: Type | None, mleap: bool) -> Problem | None:
    """Why the answer's column cannot be written as the schema declares it."""
    if given is None:
        return Problem(
            f"invalid fields: {output.name}", "a column of the request or of the model", output.name, output.name
        )
    message = _basic_problem(output.type, given, mleap) if output.struct == BASIC else _struct_problem(output, given)
    return None if message is None else Problem(message, str(given), str(output), output.name)


def _basic_problem(declared: str, given: Type, mleap: bool) -> str | None:
    if declared not in PARSERS:
        return UNSUPPORTED_TYPE
    if given == Type(declared) and not (mleap and declared == "float"):
        return None
    wanted = "double" if declared == "float" else declared
    return None if given == Type(wanted) else class_cast(_class_of(given), BOXES[wanted])


def _struct_problem(output: Column, given: Type) -> str | None:
    shape, wanted = ("vector", TENSOR) if output.struct == VECTOR else ("list", SEQUENCE)
    return None if given.shape == shape else class_cast(_class_of(given), wanted)


def _class_of(given: Type) -> str:
    """The Java class of a value of this type."""
    if given.shape == "scalar":
        return BOXES.get(given.base, "java.lang.Object")
    return DENSE if given.shape == "vector" else LIST_CLASS


def _present(given: Type | None) -> Type:
    assert given is not None, "an answer without a column is an output problem"
    return given
