"""The postprocess container: labels, rules, joins, formats and checks after a model, all declared in one YAML.

No code of the user runs: rules are Spark SQL expressions, compiled once at the load. It is a container like the others,
so it stands anywhere in a chain, before a model as well, and it is fused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nacre.errors import RequestError, RowError, SetupError
from nacre.formats.headers import UTF8, choices, media_type
from nacre.handlers import postprocess_config as configs
from nacre.handlers.base import Handler, Reply, Setting
from nacre.handlers.container import positive
from nacre.handlers.postprocess_bodies import CSV, JSON, JSON_LINES, PARQUET, SPELLED, Reader, Row, Writer
from nacre.handlers.postprocess_rules import Compiled
from nacre.handlers.postprocess_tables import Limits, load
from nacre.plan.types import Type

if TYPE_CHECKING:
    import pyarrow as pa

    from nacre.handlers.postprocess_config import Config

ACCEPT = Setting("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", CSV, "type of replies to Accept: */*")
TABLE_ROWS = Setting("NACRE_TABLE_ROWS", "1000000", "most rows of a table of the model")
TABLE_MB = Setting("NACRE_TABLE_MB", "256", "largest file of a table of the model, in MB")

WRITTEN = (CSV, JSON, JSON_LINES)
RANGES = {"*/*": None, "text/*": CSV, "application/*": JSON}


class Postprocess(Handler):
    """Frames are lists of rows: what `decode` gives has the input's columns, what `predict` gives the output's."""

    kind: ClassVar[str] = "postprocess"
    settings: ClassVar[tuple[Setting, ...]] = (ACCEPT, TABLE_ROWS, TABLE_MB)

    def __init__(self, config: Config, model_dir: Path, env: Mapping[str, str]):
        def setting(of: Setting) -> int:
            return positive(of.name, env.get(of.name) or of.default or "")

        limits = Limits(setting(TABLE_ROWS), setting(TABLE_MB) << 20)
        tables = {name: load(each, model_dir, limits) for name, each in config.tables.items()}
        rules = Compiled(config, tables)
        self.reader = Reader(config.input)
        self.writer = Writer(config.output, rules.types)
        self.rules = rules.function
        self.default_accept = default_accept(env.get(ACCEPT.name) or CSV)

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Postprocess:
        return cls(configs.read(model_dir), model_dir, env)

    # Headers

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        kind_of(content_type)
        self._accepted(accept)

    def _accepted(self, accept: str | None) -> str:
        """The type to answer in: the best of the list that is written here. Raises RequestError, 406."""
        for name, _ in map(media_type, choices(accept or "*/*")):
            if name in RANGES:
                return RANGES[name] or self.default_accept
            if SPELLED.get(name) in WRITTEN:
                return SPELLED[name]
        raise RequestError("cannot answer in this type", status=406, expected=", ".join(WRITTEN), got=accept)

    # The four steps

    def decode(self, body: bytes, content_type: str | None) -> list[Row]:
        return self.reader.read(body, kind_of(content_type))

    def predict(self, frame: Sequence[Row]) -> list[Row]:
        rules = self.rules
        made: list[Row] = []
        try:
            for row in frame:
                made.append(rules(*row))  # noqa: PERF401  the number of the failing row is their count
        except RowError as error:
            raise error.at(row=len(made) + 1) from None
        return made

    def encode(self, frame: Sequence[Row], accept: str | None) -> Reply:
        kind = self._accepted(accept)
        return Reply(self.writer.write(frame, kind), f"{kind}; charset=utf-8" if kind == CSV else kind)

    # Batch

    def from_table(self, table: pa.Table) -> list[Row]:
        return self.reader.table(table)

    def to_array(self, frame: Sequence[Row]) -> pa.Array:
        """One column as it is, several as a struct."""
        import pyarrow as pa

        kinds = [Type(base).arrow() for base in self.writer.types]
        columns = zip(*frame, strict=True) if frame else ([] for _ in kinds)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        return arrays[0] if len(arrays) == 1 else pa.StructArray.from_arrays(arrays, self.writer.names)

    def no_rows(self) -> list[Row]:
        return []

    # Inside a fused chain

    def hand_over(self, frame: Sequence[Row]) -> np.ndarray | None:
        if self.default_accept != CSV or self.writer.form.header or set(self.writer.types) != {"double"}:
            return None
        if any(None in row for row in frame):
            return None
        return np.array(frame, np.float64).reshape(len(frame), len(self.writer.types))

    def take_over(self, numbers: np.ndarray) -> list[Row] | None:
        return self.reader.matrix(numbers.tolist()) if self.reader.doubles and len(numbers) else None


def kind_of(content_type: str | None) -> str:
    """The type of a request's body, its parameters looked at for a charset. Raises RequestError, 415."""
    name, parameters = media_type(content_type or "")
    charset = parameters.get("charset", "utf-8").lower()
    if name not in SPELLED or charset not in UTF8:
        expected = f"{', '.join((*WRITTEN, PARQUET))} in UTF-8"
        raise RequestError("cannot read this type", status=415, expected=expected, got=content_type)
    return SPELLED[name]


def default_accept(value: str) -> str:
    kind = SPELLED.get(media_type(value)[0])
    if kind not in WRITTEN:
        raise SetupError(f"{ACCEPT.name} is not usable", expected=f"one of {', '.join(WRITTEN)}", got=value)
    return kind
