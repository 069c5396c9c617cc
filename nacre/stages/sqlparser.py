"""``SELECT … FROM __THIS__`` to the expressions of nacre.sql: Spark's grammar of plain expressions, nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nacre.stages.sqltypes import BRANCHES, DEPTH, Expr, SqlError

TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?(?:BD|[LSYFDlsyfd])?(?![A-Za-z0-9_]))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>`(?:[^`]|``)+`)
    |(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<sign><=>|<>|!=|<=|>=|==|\|\||[-+*/%=<>(),.]))""",
    re.X | re.S,
)
RESERVED = {
    "SELECT",
    "FROM",
    "WHERE",
    "AS",
    "AND",
    "OR",
    "NOT",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "IN",
    "LIKE",
    "BETWEEN",
    "IS",
}
NAMES = {
    "EXP": "exp", "LN": "log", "LOG": "log", "LOG10": "log10", "LOG2": "log2", "LOG1P": "log1p", "SQRT": "sqrt",
    "POW": "pow", "POWER": "pow", "ABS": "abs", "FLOOR": "floor", "CEIL": "ceil", "CEILING": "ceil", "UPPER": "upper",
    "UCASE": "upper", "LOWER": "lower", "LCASE": "lower", "TRIM": "trim", "LTRIM": "ltrim", "RTRIM": "rtrim",
    "CONCAT": "concat", "LENGTH": "length", "CHAR_LENGTH": "length", "LEN": "length", "COALESCE": "coalesce",
    "NVL": "coalesce", "IFNULL": "coalesce", "ISNULL": "isnull", "ISNOTNULL": "isnotnull", "ISNAN": "isnan",
    "NEGATIVE": "neg",
}  # fmt: skip
TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "byte", "BYTE": "byte", "SMALLINT": "short", "SHORT": "short", "INT": "int",
    "INTEGER": "int", "BIGINT": "long", "LONG": "long", "FLOAT": "float", "REAL": "float", "DOUBLE": "double",
    "STRING": "string",
}  # fmt: skip
SUFFIXES = {"L": "long", "S": "short", "Y": "byte", "D": "double", "F": "float"}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a", "%": "\\%", "_": "\\_"}
BINARY = ({"*", "/", "%", "DIV"}, {"+", "-", "||"})
COMPARE = {"=": "=", "==": "=", "<>": "!=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "<=>": "<=>"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind in ("word", "sign") else ""


@dataclass(frozen=True, slots=True)
class Select:
    """A parsed statement: items are (expression, name), None for ``*``; `where` may be None."""

    items: list[tuple[Expr, str] | None]
    where: Expr | None


def tokens(text: str) -> list[Token]:
    out, at = [], 0
    text = text.rstrip().removesuffix(";").rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise SqlError(f"near {text[at : at + 30].strip()!r}: not offered")
        out.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return [*out, Token("end", ""), Token("end", "")]  # one to look ahead to


class Parser:
    """Recursive descent over the tokens.

    Args:
        text: the statement.
        columns: names of the columns that ``__THIS__`` has; Spark finds them whatever the case.
    """

    def __init__(self, text: str, columns: Sequence[str]):
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0
        self.known: dict[str, list[str]] = {}
        for name in columns:
            self.known.setdefault(name.lower(), []).append(name)

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self, *words: str) -> str | None:
        """The next token if it is one of these."""
        if self.next.upper and self.next.upper in words:
            self.at += 1
            return self.tokens[self.at - 1].upper
        return None

    def want(self, word: str) -> None:
        if not self.take(word):
            raise SqlError(f"{word} expected at {self.next.text or 'the end'!r}")

    def select(self) -> Select:
        self.want("SELECT")
        items = [self._item()]
        while self.take(","):
            items.append(self._item())
        self.want("FROM")
        self.want("__THIS__")
        where = self.expression() if self.take("WHERE") else None
        if self.next.kind != "end":
            raise SqlError(f"{self.next.text!r} is not offered after FROM __THIS__")
        return Select(items, where)

    def _item(self) -> tuple[Expr, str] | None:
        if self.take("*"):
            return None
        start = self.at
        expr = self.expression()
        if (
            self.take("AS")
            or self.next.kind == "quoted"
            or (self.next.kind == "word" and self.next.upper not in RESERVED)
        ):
            return expr, self._name()
        if expr[0] == "col":
            return expr, expr[1]
        shown = " ".join(token.text for token in self.tokens[start : self.at])
        raise SqlError(f"{shown}: give the expression a name with AS")

    def _name(self) -> str:
        token = self.next
        if token.kind not in ("word", "quoted"):
            raise SqlError(f"a name expected at {token.text!r}")
        self.at += 1
        return token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text

    def expression(self) -> Expr:
        self.depth += 1
        if self.depth > DEPTH:
            raise SqlError(f"nested deeper than {DEPTH}")
        left = self._and()
        while self.take("OR"):
            left = ["call", "or", left, self._and()]
        self.depth -= 1
        return left

    def _and(self) -> Expr:
        left = self._not()
        while self.take("AND"):
            left = ["call", "and", left, self._not()]
        return left

    def _not(self) -> Expr:
        return ["call", "not", self._not()] if self.take("NOT") else self._predicate()

    def _predicate(self) -> Expr:
        left = self._sum()
        while True:
            sign = self.take(*COMPARE)
            if sign:
                left = ["call", COMPARE[sign], left, self._sum()]
                continue
            if self.take("IS"):
                left = self._is(left)
                continue
            negated = self.tokens[self.at + 1].upper in ("IN", "LIKE", "BETWEEN") and bool(self.take("NOT"))
            word = self.take("IN", "LIKE", "BETWEEN")
            if word is None:
                return left
            found = self._tested(word, left)
            left = ["call", "not", found] if negated else found

    def _is(self, left: Expr) -> Expr:
        negated = bool(self.take("NOT"))
        word = self.take("NULL", "TRUE", "FALSE")
        if word == "NULL":
            return ["call", "isnotnull" if negated else "isnull", left]
        if word is None:
            raise SqlError("IS is offered with NULL, TRUE and FALSE")
        test: Expr = ["call", "<=>", left, ["lit", "boolean", word == "TRUE"]]
        return ["call", "not", test] if negated else test

    def _tested(self, word: str, left: Expr) -> Expr:
        if word == "BETWEEN":
            low = self._sum()
            self.want("AND")
            return ["call", "and", ["call", ">=", left, low], ["call", "<=", left, self._sum()]]
        if word == "LIKE":
            pattern = self._primary()
            if pattern[:2] != ["lit", "string"]:
                raise SqlError("LIKE is offered with a literal pattern")
            return ["like", left, pattern[2]]
        self.want("(")
        return ["in", left, self._list()]

    def _list(self) -> list[Expr]:
        """Expressions up to the closing bracket, at least one."""
        if self.next.upper == "SELECT":
            raise SqlError("a query inside a query is not offered")
        items = [self.expression()]
        while self.take(","):
            items.append(self.expression())
        self.want(")")
        return items

    def _sum(self) -> Expr:
        left = self._product()
        while sign := self.take("+", "-", "||"):
            right = self._product()
            left = ["call", "concat" if sign == "||" else sign, left, right]
        return left

    def _product(self) -> Expr:
        left = self._unary()
        while sign := self.take("*", "/", "%"):
            left = ["call", sign, left, self._unary()]
        if self.next.upper == "DIV":
            raise SqlError("DIV is not offered")
        return left

    def _unary(self) -> Expr:
        if self.take("-"):
            if self.next.kind == "number":
                return _number(f"-{self._advance().text}")
            return ["call", "neg", self._unary()]
        return self._unary() if self.take("+") else self._primary()

    def _advance(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def _primary(self) -> Expr:
        token = self._advance()
        if token.kind == "number":
            return _number(token.text)
        if token.kind == "text":
            return ["lit", "string", _unescaped(token.text)]
        if token.upper == "(":
            inner = self.expression()
            self.want(")")
            return inner
        if token.kind == "word" and self.next.upper == "(":
            self.at += 1
            return self._function(token.upper)
        if token.upper in ("TRUE", "FALSE"):
            return ["lit", "boolean", token.upper == "TRUE"]
        if token.upper == "NULL":
            return ["lit", "null", None]
        if token.upper == "CASE":
            return self._case()
        if token.kind in ("word", "quoted") and token.upper not in RESERVED:
            self.at -= 1
            return self._column(self._name())
        raise SqlError(f"{token.text or 'the end'!r} is not offered here")

    def _column(self, name: str) -> Expr:
        if name.upper() == "__THIS__" and self.take("."):
            name = self._name()
        found = self.known.get(name.lower(), [])
        if len(found) != 1:
            raise SqlError(f"{name}: {'no such column' if not found else 'several columns of that name'}")
        return ["col", found[0]]

    def _case(self) -> Expr:
        subject = None if self.next.upper == "WHEN" else self.expression()
        pairs: list[list[Expr]] = []
        while self.take("WHEN"):
            when = self.expression()
            self.want("THEN")
            pairs.append([when if subject is None else ["call", "=", subject, when], self.expression()])
        otherwise = self.expression() if self.take("ELSE") else None
        self.want("END")
        if not 1 <= len(pairs) <= BRANCHES:
            raise SqlError(f"CASE of {len(pairs)} branches; 1 to {BRANCHES} are offered")
        return ["case", pairs, otherwise]

    def _function(self, name: str) -> Expr:
        if name == "CAST":
            inner = self.expression()
            self.want("AS")
            base = self._name().upper()
            self.want(")")
            if base not in TYPES:
                raise SqlError(f"CAST to {base} is not offered")
            return ["cast", TYPES[base], inner]
        given = [] if self.take(")") else self._list()
        return call(name, given)


def call(name: str, given: list[Expr]) -> Expr:
    """A function by its SQL name."""
    if name in ("IF", "IFF") and len(given) == 3:
        return ["case", [[given[0], given[1]]], given[2]]
    if name == "NULLIF" and len(given) == 2:
        return ["case", [[["call", "=", *given], ["lit", "null", None]]], given[0]]
    if name == "NVL2" and len(given) == 3:
        return ["case", [[["call", "isnotnull", given[0]], given[1]]], given[2]]
    if name == "ROUND" and len(given) in (1, 2):
        return ["call", "round", given[0], given[1] if len(given) == 2 else ["lit", "int", 0]]
    if name in ("SUBSTRING", "SUBSTR") and len(given) in (2, 3):
        return ["call", "substring", *given, *([["lit", "int", 2**31 - 1]] if len(given) == 2 else [])]
    if name in TYPES and len(given) == 1:
        return ["cast", TYPES[name], given[0]]
    if name not in NAMES:
        raise SqlError(f"function {name} is not offered")
    return ["call", NAMES[name], *given]


def _number(text: str) -> Expr:
    suffix = text[-1].upper()
    if text.upper().endswith("BD"):
        return ["lit", "decimal", text[:-2]]
    if suffix in SUFFIXES:
        base, bare = SUFFIXES[suffix], text[:-1]
        return ["lit", base, float(bare) if base in ("double", "float") else int(bare)]
    if "e" in text.lower():
        return ["lit", "double", float(text)]
    if "." in text:
        return ["lit", "decimal", text]
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        return ["lit", "decimal", text]
    return ["lit", "int" if -(1 << 31) <= value < 1 << 31 else "long", value]


def _unescaped(text: str) -> str:
    quote, inner = text[0], text[1:-1]
    inner = inner.replace(quote * 2, quote) if "\\" not in inner else inner
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), inner, flags=re.S)
