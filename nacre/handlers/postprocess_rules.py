"""Rules of the postprocess container, compiled to one function: a row's values in, the reply's values out.

A rule is a method that adds its lines; `RULES` at the end of the module lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nacre.errors import shown
from nacre.handlers.postprocess_config import (
    NUMBERS,
    Config,
    Rule,
    kind_of,
    mapping,
    of_base,
    refuse,
)
from nacre.handlers.postprocess_fields import HIDDEN, Fields
from nacre.handlers.postprocess_lookups import banded, best_of, values_base
from nacre.plan.types import INTEGERS
from nacre.stages.sqlcode import Value
from nacre.stages.sqltypes import Expr, SqlError, columns_of

if TYPE_CHECKING:
    from nacre.handlers.postprocess_tables import Loaded


class Compiled(Fields):
    """The function and what it gives."""

    def __init__(self, config: Config, tables: Mapping[str, Loaded]):
        super().__init__(config.ansi)
        self.tables = tables
        self.code.node = "input"
        arguments = [self._argument(column) for column in config.input.columns]
        for rule in config.rules:
            self.code.node = f"rules[{rule.number}]"
            try:
                RULES[rule.kind](self, rule)
            except SqlError as error:
                refuse(rule.where, "an expression that is not offered", "Spark SQL over the fields so far", error)
        self.code.node = "output"
        outputs = [self._output(column, f"output.columns.{column.name}") for column in config.output.columns]
        self.types = [value.base for value in outputs]
        self.code.line(f"return ({''.join(f'{value.name}, ' for value in outputs)})")
        self.function: Callable[..., tuple[Any, ...]] = self.code.function("rules", ", ".join(arguments))

    def set(self, rule: Rule) -> None:
        """`set`, and with `when` also `otherwise`: assignments in order, each sees those before it."""
        sets, others = (
            assignments(rule.settings.get(key), f"rules[{rule.number}].{key}") for key in ("set", "otherwise")
        )
        when = rule.settings.get("when")
        if when is None and others:
            refuse(f"rules[{rule.number}].otherwise", "no condition that it could be otherwise to", "a when", "none")
        hidden = f"{HIDDEN}{rule.number}"
        if when is not None:
            self._define(hidden, self._condition(when, f"rules[{rule.number}].when"))
        for name in dict.fromkeys([*sets, *others]):
            where = f"{rule.where}.{name}"
            self._named(name, where)
            keep: Expr = ["col", name] if name in self.values else ["lit", "null", None]
            then, other = (self._of(each[name], where) if name in each else keep for each in (sets, others))
            self._assign(name, then if when is None else ["case", [[["col", hidden], then]], other], where)

    def map(self, rule: Rule) -> None:
        """Values of a field to others, by equality; what is not listed is refused unless `otherwise` says."""
        settings = rule.settings
        source = self._field(settings["map"], rule.where)
        to = self._named(settings.get("to", settings["map"]), f"rules[{rule.number}].to")
        where = f"rules[{rule.number}].values"
        table = settings.get("values")
        if not isinstance(table, dict) or not table:
            refuse(where, "not usable", "a mapping of values", table)
        for key in table:
            if not of_base(key, "double" if source.base in NUMBERS else source.base):
                refuse(where, "a key of another type", f"keys of {source.base}", key, "Put texts in quotes")
        given = [*table.values(), *([settings["otherwise"]] if "otherwise" in settings else [])]
        base = values_base(given, where)
        found, default = {key: typed(value, base) for key, value in table.items()}, settings.get("otherwise")
        name = self.code.const(found, "map")
        if "otherwise" in settings:
            other = self.code.const([typed(default, base)], "other")
            out = self.code.let(f"{name}.get({source.name}, {other}[0])", "m")
        else:
            out = self.code.let(f"{name}.get({source.name})", "m")
            with self.code.block(f"if {source.name} is not None and {source.name} not in {name}"):
                keys = ", ".join(str(key) for key in list(table)[:20])
                fix = "Add it to the rule's values, or an otherwise"
                self.code.fail(str(settings["map"]), "a value that the rule does not list", keys, source.name, fix)
        self._define(to, Value(out, base, source.nullable or None in given))

    def bands(self, rule: Rule) -> None:
        """A number to the label of the band it lies in: below the first edge, from it on, … NaN is in the last."""
        settings, where = rule.settings, f"rules[{rule.number}].edges"
        source = self._field(settings["bands"], rule.where, *NUMBERS)
        edges = kind_of(settings.get("edges"), list, where, "a list of numbers")
        if not edges or not all(of_base(each, "double") for each in edges) or any(a >= b for a, b in pairwise(edges)):
            refuse(where, "not usable", "numbers, each larger than the one before", edges)
        where = f"rules[{rule.number}].labels"
        labels = kind_of(settings.get("labels"), list, where, "a list of labels")
        if len(labels) != len(edges) + 1:
            refuse(where, "a wrong number of labels", f"{len(edges) + 1}, one more than edges", len(labels))
        base = values_base(labels, where)
        call = self.code.const(banded(edges, [typed(each, base) for each in labels]), "bands")
        to = self._named(settings.get("to"), f"rules[{rule.number}].to")
        self._define(to, Value(self.code.let(f"{call}({source.name})", "b"), base, source.nullable or None in labels))

    def best(self, rule: Rule) -> None:
        """The largest of several fields, as Spark's greatest: its place from 0, its value, its label."""
        settings = rule.settings
        names = kind_of(settings["best"], list, rule.where, "a list of fields")
        sources = [self._field(name, rule.where, *NUMBERS) for name in names]
        made = {key: settings[key] for key in ("index", "value", "label") if settings.get(key) is not None}
        if len(names) < 2 or not made:
            refuse(rule.where, "not usable", "two fields or more, and an index, value or label to make", names)
        call = self.code.const(best_of, "best")
        found = self.code.let(f"{call}(({', '.join(each.name for each in sources)}))", "b")
        nullable = all(each.nullable for each in sources)
        for key, field in made.items():
            name = self._named(field, f"rules[{rule.number}].{key}")
            if key == "label":
                labels = self._labels(rule, len(names))
                base = values_base(labels, f"rules[{rule.number}].labels")
                text = f"{self.code.const([typed(each, base) for each in labels], 'labels')}[{found}[0]]"
            else:
                base, text = ("int", f"{found}[0]") if key == "index" else ("double", f"float({found}[1])")
            out = self.code.let(f"None if {found} is None else {text}" if nullable else text, "b")
            self._define(name, Value(out, base, nullable))

    def _labels(self, rule: Rule, count: int) -> list[Any]:
        where = f"rules[{rule.number}].labels"
        labels: list[Any] = kind_of(rule.settings.get("labels", rule.settings["best"]), list, where, "a list of labels")
        if len(labels) != count:
            refuse(where, "a wrong number of labels", f"{count}, one a field", len(labels))
        return labels

    def clamp(self, rule: Rule) -> None:
        """`{field: [least, most]}`, either of which may be null; as Spark's greatest and least, so NaN becomes most."""
        for name, bounds in mapping(rule.settings["clamp"], rule.where).items():
            where = f"{rule.where}.{name}"
            base = self._field(name, where, *NUMBERS).base
            if not isinstance(bounds, list) or len(bounds) != 2 or bounds == [None, None]:
                refuse(where, "not usable", "[least, most], one of which may be null", bounds)
            pairs = []
            for sign, bound in zip("<>", bounds, strict=True):
                if bound is not None:
                    if not of_base(bound, base):
                        refuse(where, "a bound of another type", f"a {base}", bound)
                    fixed = ["lit", base, float(bound) if base not in INTEGERS else bound]
                    pairs.append([["call", sign, ["col", name], fixed], fixed])
            if None not in bounds and bounds[0] > bounds[1]:
                refuse(where, "bounds in the wrong order", "[least, most]", bounds)
            self._assign(name, ["case", pairs, ["col", name]], where)

    def round(self, rule: Rule) -> None:
        """`{field: digits}`: half up on the decimal digits, as Spark's ROUND."""
        for name, digits in mapping(rule.settings["round"], rule.where).items():
            where = f"{rule.where}.{name}"
            self._field(name, where, *NUMBERS)
            if not of_base(digits, "int") or not -300 <= digits <= 300:
                refuse(where, "not usable", "digits after the point, a whole number", digits)
            self._assign(name, ["call", "round", ["col", name], ["lit", "int", digits]], where)

    def join(self, rule: Rule) -> None:
        """Columns of a table of the model, by key; a null key matches nothing."""
        settings = rule.settings
        table = self.tables.get(settings["join"]) if isinstance(settings["join"], str) else None
        if table is None:
            refuse(rule.where, "no such table", ", ".join(self.tables) or "a table under tables", settings["join"])
        keys = [self._key(rule, table, column) for column in table.key]
        key = keys[0].name if len(keys) == 1 else f"({', '.join(each.name for each in keys)})"
        row = self.code.let(f"{self.code.const(table.rows, 'table')}.get({key})", "r")
        taken = self._taken(rule, table)
        defaults = self._missing(rule, table, taken, row, key)
        for field, column in taken.items():
            place = table.place(column)
            other = self.code.const([defaults.get(field)], "other")
            out = self.code.let(f"{other}[0] if {row} is None else {row}[{place}]", "j")
            self._define(field, Value(out, table.types[column], True))

    def _key(self, rule: Rule, table: Loaded, column: str) -> Value:
        by = rule.settings.get("by", {name: name for name in table.key})
        by = {table.key[0]: by} if isinstance(by, str) else by
        where = f"rules[{rule.number}].by"
        if not isinstance(by, dict) or set(by) != set(table.key):
            refuse(where, "not usable", f"a field, or a field for each of {', '.join(table.key)}", by)
        base = table.types[column]
        return self._field(by[column], where, *(INTEGERS if base in INTEGERS else (base,)))

    def _taken(self, rule: Rule, table: Loaded) -> dict[str, str]:
        """Field -> column of the table; all but the key by default."""
        where = f"rules[{rule.number}].take"
        given = rule.settings.get("take", [name for name in table.types if name not in table.key])
        taken = (
            {name: name for name in given}
            if isinstance(given, list) and all(isinstance(e, str) for e in given)
            else given
        )
        for field, column in mapping(taken, where).items():
            self._named(field, f"{where}.{field}")
            if column not in table.types:
                refuse(f"{where}.{field}", "no such column in the table", ", ".join(table.types), column)
        if not taken:
            refuse(where, "nothing to take", "columns of the table", given)
        return dict(taken)

    def _missing(self, rule: Rule, table: Loaded, taken: Mapping[str, str], row: str, key: str) -> dict[str, Any]:
        """What fields are without a row of the table: null, values of `missing`, or the row is refused."""
        where, missing = f"rules[{rule.number}].missing", rule.settings.get("missing")
        if missing == "refuse":
            with self.code.block(f"if {row} is None"):
                expected = f"a key of the table {rule.settings['join']}"
                fix = "Add the key to the table, or take `missing: refuse` out"
                self.code.fail(", ".join(table.key), "no such key in the table", expected, key, fix)
            return {}
        if missing in (None, "null"):
            return {}
        for field, value in mapping(missing, where, tuple(taken)).items():
            base = table.types[taken[field]]
            if value is not None and not of_base(value, base):
                refuse(f"{where}.{field}", "a value of another type", base, value)
        return {field: typed(value, table.types[taken[field]]) for field, value in missing.items()}

    def check(self, rule: Rule) -> None:
        """A condition that must be true of every row; null is not."""
        text = rule.settings["check"]
        value = self._condition(text, rule.where)
        message = kind_of(
            rule.settings.get("message", "a check of the model failed"),
            str,
            f"rules[{rule.number}].message",
            "a sentence",
        )
        used = columns_of(self._parsed(text))
        names = self.code.const(tuple(used), "names")
        values = "".join(f"{self.values[name].name}, " for name in used)
        with self.code.block(f"if {value.name} is not True"):
            got = f"{self.code.const(told, 'told')}({names}, ({values}))"
            self.code.fail(", ".join(used), message, text, got)


RULES: dict[str, Callable[[Compiled, Rule], None]] = {
    "set": Compiled.set, "map": Compiled.map, "bands": Compiled.bands, "best": Compiled.best, "clamp": Compiled.clamp,
    "round": Compiled.round, "join": Compiled.join, "check": Compiled.check,
}  # fmt: skip


def told(names: Sequence[str], values: Sequence[Any]) -> str:
    return ", ".join(
        f"{name} = {'null' if value is None else shown(value, 50)}" for name, value in zip(names, values, strict=True)
    )


def typed(value: Any, base: str) -> Any:
    """A value of the YAML as the type's Python value."""
    return float(value) if value is not None and base in ("float", "double") else value


def assignments(given: Any, where: str) -> dict[str, Any]:
    """`field = expression`, a list of these, or a mapping; in order."""
    if given is None:
        return {}
    if isinstance(given, dict):
        return mapping(given, where)
    made = {}
    for text in given if isinstance(given, list) else [given]:
        name, equals, expression = kind_of(text, str, where, "field = expression").partition("=")
        name = name.strip()
        if name.startswith("`") and name.endswith("`"):
            name = name[1:-1]
        if not (name and equals and expression.strip()) or name in made:
            refuse(where, "not an assignment", "field = expression, each field once", text)
        made[name] = expression
    return made
