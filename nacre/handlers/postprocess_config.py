"""`postprocess.yaml` as checked values: what comes in, tables, rules, what goes out.

Only the form is checked here; whether the rules fit the fields is found when they are compiled. Everything refused is a
ModelError that names the place in the file, what was expected and what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from nacre.errors import ModelError, SetupError
from nacre.formats.slowpattern import slowness
from nacre.plan.types import BASES, INTEGERS

FILE = "postprocess.yaml"
MOST_BYTES = 1 << 20
MOST_COLUMNS, MOST_RULES, MOST_TABLES = 1000, 1000, 100
NAME = re.compile(r"[^\x00-\x1f`]{1,255}")
LONGEST_PATTERN = 1000
NUMBERS = ("float", "double", *INTEGERS)


@dataclass(frozen=True)
class Column:
    """A field of a request or of a reply: its type, where it is found, and what its values must be."""

    name: str
    type: str | None
    """One of BASES; None, for a column that goes out, is the field's own type."""
    source: str
    """Path in a JSON record (`score.0`), name in a CSV header, or, for a column that goes out, a field."""
    nullable: bool = True
    least: float | None = None
    most: float | None = None
    values: tuple[Any, ...] | None = None
    pattern: str | None = None
    longest: int | None = None


@dataclass(frozen=True)
class Form:
    """How records stand in a body."""

    columns: tuple[Column, ...]
    header: bool = False
    """Whether a CSV has a header line."""
    key: str | None = None
    """The key of a JSON document under which the records are."""
    extra: bool = False
    """Whether further fields are ignored; otherwise they are refused."""


@dataclass(frozen=True)
class Table:
    """A file of the model folder that rules join."""

    name: str
    file: str
    key: tuple[str, ...]
    columns: Mapping[str, str] | None
    """Types of the columns; a Parquet file has its own."""


@dataclass(frozen=True)
class Rule:
    """One step: its number from 1, its kind, and its settings as they stand in the file."""

    number: int
    kind: str
    settings: Mapping[str, Any]

    @property
    def where(self) -> str:
        return f"rules[{self.number}].{self.kind}"


@dataclass(frozen=True)
class Config:
    """The whole file."""

    input: Form
    output: Form
    tables: Mapping[str, Table] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    ansi: bool = True
    """Whether a row is refused where Spark 4 refuses it; otherwise it gets what Spark 3 gives."""


def bad(where: str, message: str, expected: Any, got: Any, fix: str | None = None) -> ModelError:
    return ModelError(message, expected=expected, got=got, file=FILE, field=where or None, fix=fix)


def refuse(where: str, message: str, expected: Any, got: Any, fix: str | None = None) -> NoReturn:
    raise bad(where, message, expected, got, fix)


def read(folder: Path) -> Config:
    """The configuration of a model folder. Raises ModelError."""
    from nacre.pipeline import load_yaml

    path = folder / FILE
    if not path.is_file():
        got = ", ".join(sorted(each.name for each in folder.iterdir())) if folder.is_dir() else "no folder"
        raise ModelError(f"no {FILE} in the model", expected=f"a file {FILE}", got=got or "an empty folder")
    if path.stat().st_size > MOST_BYTES:
        refuse("", "the file is too large", f"at most {MOST_BYTES} bytes", f"{path.stat().st_size} bytes")
    try:
        document = load_yaml(path, aliases=False)
    except SetupError as error:
        raise ModelError(error.message, expected=error.expected, got=error.got, file=FILE, **error.where) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise bad("", "not YAML", "a YAML document in UTF-8", str(error)[:200]) from None
    return config(document)


def config(document: Any) -> Config:
    """A parsed document as a configuration. Raises ModelError."""
    parts = mapping(document, "", ("input", "tables", "rules", "output", "ansi"), required=("input", "output"))
    tables = mapping(parts.get("tables") or {}, "tables")
    if len(tables) > MOST_TABLES:
        refuse("tables", "too many tables", f"at most {MOST_TABLES}", len(tables))
    rules = kind_of(parts.get("rules") or [], list, "rules", "a list of rules")
    if len(rules) > MOST_RULES:
        refuse("rules", "too many rules", f"at most {MOST_RULES}", len(rules))
    return Config(
        form(parts["input"], "input", ("columns", "header", "key", "extra")),
        form(parts["output"], "output", ("columns", "header", "key")),
        {name: table(each, name) for name, each in tables.items()},
        tuple(rule(each, number) for number, each in enumerate(rules, 1)),
        kind_of(parts.get("ansi", True), bool, "ansi", "true or false"),
    )


def mapping(
    value: Any, where: str, known: tuple[str, ...] | None = None, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A mapping of texts, with no key but the `known` and with all that are required."""
    shown = f"a mapping of {', '.join(known)}" if known else "a mapping of names"
    if not isinstance(value, dict):
        refuse(where, "not a mapping", shown, value)
    for key in value:
        if not isinstance(key, str) or not NAME.fullmatch(key):
            refuse(where, "a key that is no name", "a text", key, "Put it in quotes")
        if known is not None and key not in known:
            from nacre.pipeline import meant

            refuse(f"{where}.{key}".lstrip("."), "unknown key", ", ".join(known), key, meant(key, known))
    for key in required:
        if key not in value:
            refuse(f"{where}.{key}".lstrip("."), "missing", f"the key {key}", "nothing")
    return value


def kind_of(value: Any, kind: type | tuple[type, ...], where: str, expected: str) -> Any:
    """A value of the right Python type; true and false are no numbers."""
    if not isinstance(value, kind) or (
        isinstance(value, bool) and bool not in (kind if type(kind) is tuple else (kind,))
    ):
        refuse(where, "not usable", expected, value)
    return value


def optional(parts: Mapping[str, Any], key: str, kind: type | tuple[type, ...], where: str, expected: str) -> Any:
    value = parts.get(key)
    return None if value is None else kind_of(value, kind, f"{where}.{key}", expected)


def form(given: Any, where: str, known: tuple[str, ...]) -> Form:
    parts = mapping(given, where, known, required=("columns",))
    made = columns(parts["columns"], f"{where}.columns", incoming=where == "input")
    extra = parts.get("extra", "refuse")
    if extra not in ("refuse", "ignore"):
        refuse(f"{where}.extra", "not usable", "refuse or ignore", extra)
    header = kind_of(parts.get("header", False), bool, f"{where}.header", "true or false")
    key = optional(parts, "key", str, where, "a key of a JSON object")
    return Form(made, header, key, extra == "ignore")


def columns(given: Any, where: str, incoming: bool) -> tuple[Column, ...]:
    """`{name: type}` or `{name: {type: …, min: …}}`; what goes out may also be a list of fields."""
    if isinstance(given, list) and not incoming:
        given = {kind_of(name, str, f"{where}[{at}]", "a field"): None for at, name in enumerate(given, 1)}
    named = mapping(given, where)
    if not 1 <= len(named) <= MOST_COLUMNS:
        refuse(where, "a wrong number of columns", f"1 to {MOST_COLUMNS}", len(named))
    lowered: dict[str, str] = {}
    for name in named:
        other = lowered.setdefault(name.lower(), name)
        if other != name:
            refuse(f"{where}.{name}", "two columns that differ in case only", "names that differ", f"{other}, {name}")
    return tuple(column(name, each, f"{where}.{name}", incoming) for name, each in named.items())


CHECKS = ("type", "from", "nullable", "min", "max", "values", "pattern", "max_length")


def column(name: str, given: Any, where: str, incoming: bool) -> Column:
    parts = {"type": given} if isinstance(given, str) else {} if given is None and not incoming else given
    parts = mapping(parts, where, CHECKS, required=("type",) if incoming else ())
    base = parts.get("type")
    if (incoming or base is not None) and base not in BASES:
        refuse(f"{where}.type", "no such type", ", ".join(BASES), base)
    numbers = {key: optional(parts, key, (int, float), where, "a number") for key in ("min", "max")}
    pattern = optional(parts, "pattern", str, where, "a regular expression")
    if pattern is not None:
        check_pattern(pattern, f"{where}.pattern")
    values = optional(parts, "values", list, where, "a list of values")
    made = Column(
        name,
        base,
        optional(parts, "from", str, where, "a name") or name,
        kind_of(parts.get("nullable", True), bool, f"{where}.nullable", "true or false"),
        numbers["min"],
        numbers["max"],
        None if values is None else tuple(values),
        pattern,
        optional(parts, "max_length", int, where, "a whole number"),
    )
    if base is not None:
        check_fits(made, base, where)
    return made


def check_pattern(pattern: str, where: str) -> None:
    if len(pattern) > LONGEST_PATTERN:
        refuse(where, "too long", f"at most {LONGEST_PATTERN} characters", len(pattern))
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        refuse(where, "not a regular expression", "Python's re", f"{pattern}: {error}")
    why = slowness(rf"(?:{pattern})\Z")  # a value has to match as a whole
    if why is not None:
        refuse(where, "a pattern that some texts can hold up for ever", "one without nested repetitions", why)


def check_fits(column: Column, base: str, where: str) -> None:
    """Refuse a check that a value of this type cannot be asked."""
    for key, wanted, given in (
        ("min", NUMBERS, column.least), ("max", NUMBERS, column.most),
        ("pattern", ("string",), column.pattern), ("max_length", ("string",), column.longest),
    ):  # fmt: skip
        if given is not None and base not in wanted:
            refuse(f"{where}.{key}", f"a check that a {base} cannot have", " or ".join(wanted), base)
    for value in column.values or ():
        if not of_base(value, base):
            refuse(f"{where}.values", "a value of another type", base, value)


def of_base(value: Any, base: str) -> bool:
    """Whether a value of the YAML can be a value of that type."""
    if base == "string":
        return isinstance(value, str)
    if base == "boolean":
        return isinstance(value, bool)
    return isinstance(value, int if base in INTEGERS else (int, float)) and not isinstance(value, bool)


def table(given: Any, name: str) -> Table:
    where = f"tables.{name}"
    parts = mapping(given, where, ("file", "key", "columns"), required=("file", "key"))
    key = parts["key"]
    keys = tuple(key) if isinstance(key, list) and key else (key,)
    for each in keys:
        kind_of(each, str, f"{where}.key", "a column, or a list of columns")
    types = parts.get("columns")
    if types is not None:
        for column_name, base in mapping(types, f"{where}.columns").items():
            if base not in BASES:
                refuse(f"{where}.columns.{column_name}", "no such type", ", ".join(BASES), base)
    return Table(name, kind_of(parts["file"], str, f"{where}.file", "a file of the model folder"), keys, types)


RULES: dict[str, tuple[str, ...]] = {
    "set": ("when", "set", "otherwise"),
    "map": ("map", "to", "values", "otherwise"),
    "bands": ("bands", "to", "edges", "labels"),
    "best": ("best", "index", "value", "label", "labels"),
    "clamp": ("clamp",),
    "round": ("round",),
    "join": ("join", "by", "take", "missing"),
    "check": ("check", "message"),
}
"""Kind of a rule, which is also one of its keys -> all its keys."""


def rule(given: Any, number: int) -> Rule:
    where = f"rules[{number}]"
    parts = mapping(given, where)
    kinds = [kind for kind in RULES if kind in parts]
    if len(kinds) != 1:
        expected = f"exactly one of {', '.join(RULES)}"
        refuse(where, "not a rule", expected, ", ".join(parts) or "an empty mapping")
    return Rule(number, kinds[0], mapping(given, where, RULES[kinds[0]]))
