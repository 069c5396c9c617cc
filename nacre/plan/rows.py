"""The row plan: one generated function for one row, from a dict or from positional values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nacre.errors import SchemaError
from nacre.formats.javatext import float32, text_of
from nacre.plan.rowcode import ListRef, Part, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import BITS, INTEGERS, TOKENS, Type

if TYPE_CHECKING:
    from nacre.stages.base import Stage


LIMITS = {base: 1 << bits - 1 for base, bits in BITS.items()}


def compile_positional(
    stages: Sequence[Stage], types: Mapping[str, Type], inputs: Sequence[str], output: str
) -> Callable[[Sequence[Any]], Any]:
    """A function of a sequence of values, in the order of `inputs`, already of the model's types (or None)."""
    code = RowCode()
    names = [code.new("a") for _ in inputs]
    if names:
        code.line(f"{', '.join(names)}, = r" if len(names) == 1 else f"{', '.join(names)} = r")
    given = dict(zip(inputs, names, strict=True))
    refs = {column: _reference(code, given[column], types[column]) for column in _raw(stages) if column in given}
    _write(code, stages, refs)
    if output not in refs:
        code.line(f"return {given[output]}")
    else:
        code.line(f"return {refs[output].expression}")
    return code.function("row", "r")


def compile_dict(
    stages: Sequence[Stage],
    types: Mapping[str, Type],
    outputs: Sequence[str],
    trace: bool = False,
    compact: bool = False,
) -> Callable[..., Any]:
    """A function of a dict that returns a dict: the row's own values and the outputs asked for.

    With `trace` it takes a second dict, into which each stage's outputs go as they are computed. With `compact`,
    vectors that the plan holds sparse come as `Sparse`.
    """
    code = RowCode()
    raw = _raw(stages)
    refs: dict[str, Ref] = {}
    if raw:
        variables = [code.new("a") for _ in raw]
        with code.block("try"):
            for name, column in zip(variables, raw, strict=True):
                code.line(f"{name} = r[{code.const(column, 'k')}]")
        with code.block("except KeyError as error"):
            code.line(f"raise {code.const(_missing(raw), 'missing')}(r) from error")
        for name, column in zip(variables, raw, strict=True):
            given = types[column]
            asked = code.let(name, "o") if given.shape == "vector" else None
            _cast(code, name, column, given)
            refs[column] = _reference(code, name, given, asked and f"{code.const(stored_of, 'stored')}({asked})")
    _write(code, stages, refs, trace)
    produced = [name for name in outputs if name in refs]
    shown = {name: _shown(refs[name], compact) for name in produced}
    items = ", ".join(f"{code.const(name, 'k')}: {text}" for name, text in shown.items())
    code.line("return None" if trace else f"return {{**r, {items}}}")
    return code.function("row", "r, out" if trace else "r")


def _shown(ref: Ref, compact: bool) -> str:
    return ref.compact if compact and isinstance(ref, SparseRef) else ref.expression


def _raw(stages: Sequence[Stage]) -> list[str]:
    """The raw columns that these stages read, in order of first use."""
    made: set[str] = set()
    raw: dict[str, None] = {}
    for stage in stages:
        for name in stage.input_names:
            if name not in made:
                raw.setdefault(name)
        made.update(stage.output_names)
    return list(raw)


def _write(code: RowCode, stages: Sequence[Stage], refs: dict[str, Ref], trace: bool = False) -> None:
    for stage in stages:
        code.node = stage.name
        if trace:
            code.line(f"out[{code.const(stage.name, 'n')}] = {{}}")
        outputs = stage.row(code, [refs[name] for name in stage.input_names])
        refs.update(zip(stage.output_names, outputs, strict=True))
        if trace:
            items = ", ".join(f"{code.const(name, 'k')}: {refs[name].expression}" for name in stage.output_names)
            code.line(f"out[{code.const(stage.name, 'n')}] = {{{items}}}")


def _reference(code: RowCode, name: str, given: Type, stored: str | None = None) -> Ref:
    if given.shape not in ("scalar", "vector"):
        return ListRef(name, nullable=True)
    if given.shape != "vector":
        return ScalarRef(name, nullable=True, base=given.base)
    assert given.size is not None, "a plan is compiled for vectors of known size"
    return VectorRef((Part(name, given.size),), given.size, code.let(f"{name} is None", "n"), stored)


def _cast(code: RowCode, name: str, column: str, wanted: Type) -> None:
    """Lines that turn what users pass into the plan's own type; the usual type costs one comparison."""
    usual = {"string": "str", "boolean": "bool"}.get(wanted.base, "int" if wanted.base in INTEGERS else "float")
    usual = "tuple" if wanted.shape == "vector" else usual
    cast = code.const(caster(column, wanted), "cast")
    usual = {"list": "list", "map": "dict", "vectors": "list"}.get(wanted.shape, usual)
    test = f"if {name}.__class__ is not {usual}"
    if wanted.shape == "vector" or wanted.base == "float" or wanted == TOKENS:
        test = "if True"
    elif usual == "int":
        test += f" or not {-LIMITS[wanted.base]} <= {name} < {LIMITS[wanted.base]}"
    with code.block(test):
        code.line(f"{name} = {cast}({name})")


def stored_of(value: Any) -> set[int] | None:
    """The indices that a PySpark SparseVector stores, zeros included; None for any other form of vector."""
    return set(map(int, value.indices)) if hasattr(value, "indices") and hasattr(value, "toArray") else None


def _missing(columns: Sequence[str]) -> Callable[[Mapping[str, Any]], SchemaError]:
    def build(row: Mapping[str, Any]) -> SchemaError:
        absent = [name for name in columns if name not in row]
        fix = "Pass None for a null"
        return SchemaError(
            "a column is missing", expected=absent[0], got=sorted(map(str, row)), field=absent[0], fix=fix
        )

    return build


def caster(column: str, wanted: Type) -> Callable[[Any], Any]:
    """Any Python value to the plan's type, None staying None. Raises SchemaError on another type."""

    def wrong(value: Any) -> SchemaError:
        return SchemaError("value of another type", expected=f"{column}: {wanted}", got=value, field=column)

    def to_vector(value: Any) -> tuple[float, ...] | None:
        if value is None:
            return None
        if isinstance(value, (str, bytes, Mapping)):
            raise wrong(value)
        try:
            numbers = tuple(float(x) for x in (value.toArray() if hasattr(value, "toArray") else value))
        except (TypeError, ValueError):
            raise wrong(value) from None
        if len(numbers) != wanted.size and wanted.strays:
            return None
        if len(numbers) != wanted.size:
            raise SchemaError(
                "vector of another size", expected=f"{wanted.size} entries", got=len(numbers), field=column
            )
        return numbers

    def to_text(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise wrong(value)
        try:
            return text_of(value.item() if hasattr(value, "item") and type(value).__name__ != "float32" else value)
        except (TypeError, ValueError):
            raise wrong(value) from None

    def to_number(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str) or getattr(value, "ndim", None) or not hasattr(value, "__float__"):
            raise wrong(value)
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise wrong(value) from None
        if wanted.base == "double":
            return number
        if wanted.base == "float":
            return float32(number)
        if wanted.base == "boolean":
            return bool(value)
        if number != number or number % 1 or not -LIMITS[wanted.base] <= int(value) < LIMITS[wanted.base]:
            raise wrong(value)
        return int(value)

    def to_list(value: Any) -> list[Any] | None:
        if value is None:
            return None
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise wrong(value)
        items = list(value)
        if wanted == TOKENS and not all(item is None or isinstance(item, str) for item in items):
            raise wrong(value)
        return items

    def to_map(value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        try:
            return dict(value)
        except (TypeError, ValueError):
            raise wrong(value) from None

    if wanted.shape == "vector":
        return to_vector
    if wanted.shape == "map":
        return to_map
    if wanted.shape != "scalar":
        return to_list
    return to_text if wanted.base == "string" else to_number
