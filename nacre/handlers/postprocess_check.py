"""Checks of single fields, of what comes in and of what goes out, as lines of the compiled function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nacre.handlers.postprocess_config import Column, check_fits

if TYPE_CHECKING:
    from nacre.plan.rowcode import RowCode
    from nacre.stages.sqlcode import Value


class Checks:
    """Writes them into `code`."""

    def __init__(self, code: RowCode):
        self.code = code

    def fit(self, column: Column, base: str, where: str) -> None:
        """Refuse checks that the field's type cannot have. Raises ModelError."""
        check_fits(column, base, where)

    def add(self, column: Column, value: Value) -> None:
        """Lines that refuse a row whose value is missing or fails a check; a null that may be is not looked at."""
        if not column.nullable and value.nullable:
            with self.code.block(f"if {value.name} is None"):
                self.code.fail(column.name, "a value is missing", f"a {value.base}", value.name)
        for expected, holds in checks_of(column):
            known = f"{value.name} is not None and " if value.nullable else ""
            with self.code.block(f"if {known}not {self.code.const(holds, 'holds')}({value.name})"):
                self.code.fail(column.name, "a value out of bounds", expected, value.name)


def checks_of(column: Column) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Each check of a column: what it wants, in words, and whether a value has it. NaN is within no bounds."""
    least, most = column.least, column.most
    if least is not None:
        yield f"at least {least}", lambda x: bool(x >= least)
    if most is not None:
        yield f"at most {most}", lambda x: bool(x <= most)
    if column.values is not None:
        yield f"one of {', '.join(map(str, column.values))}", frozenset(column.values).__contains__
    if column.pattern is not None:
        whole = re.compile(column.pattern).fullmatch
        yield f"a text like {column.pattern}", lambda text: whole(text) is not None
    if column.longest is not None:
        longest = column.longest
        yield f"at most {longest} characters", lambda text: len(text) <= longest
