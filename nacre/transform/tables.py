"""One Parquet file through a fused chain: typed columns in, the same columns and the prediction out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import pyarrow as pa

from nacre.errors import NacreError, SchemaError
from nacre.formats.parquet import batches, open_parquet, with_column, writer_like
from nacre.transform.failures import own_error

if TYPE_CHECKING:
    from nacre.transform.inputs import Input
    from nacre.transform.progress import Progress


class TableChain(Protocol):
    """A chain whose containers run in this process."""

    def score_table(self, table: pa.Table) -> pa.Array:
        """A prediction a row; raises NacreError with the row counted from 1."""


@dataclass(frozen=True)
class TableTransform:
    """How Parquet files are scored. `column` names the prediction; `partitions` types the folders' columns."""

    chain: TableChain
    column: str
    partitions: Mapping[str, pa.DataType]

    def file(self, item: Input, sink: BinaryIO, progress: Progress) -> int:
        """Score one file into `sink`; returns the number of rows. Raises NacreError naming file, row and field.

        What a column holds is not looked at unless the chain needs it: dictionaries, nulls and nested types pass.
        """
        rows = 0
        try:
            with open_parquet(item.source) as file:
                size = item.source.stat().st_size / max(file.metadata.num_rows, 1)
                schema = file.schema_arrow
                kind = self.score(schema.empty_table(), item, 0).type
                with writer_like(file, sink, with_column(schema, pa.field(self.column, kind))) as writer:
                    for table in batches(file):
                        scores = self.score(table, item, rows)
                        writer.write_table(pa.Table.from_arrays([*table.columns, scores], schema=writer.schema))
                        rows += table.num_rows
                        progress.advance(table.num_rows, table.num_rows * size)
        except NacreError as error:
            raise error.at(file=item.source) from None
        except (pa.ArrowException, OSError) as error:
            raise SchemaError("the file cannot be read", got=str(error), file=item.source) from None
        return rows

    def score(self, table: pa.Table, item: Input, before: int) -> pa.Array:
        """A prediction for each row of `table`, which follows `before` rows of its file."""
        try:
            scores = self.chain.score_table(self._with_partition(table, item))
        except NacreError as error:
            error = own_error(error)
            if "row" in error.where:
                error.where["row"] = before + int(error.where["row"])
            raise error from None
        if len(scores) != table.num_rows:
            raise SchemaError("the chain gave another number of rows", expected=table.num_rows, got=len(scores))
        return scores

    def _with_partition(self, table: pa.Table, item: Input) -> pa.Table:
        """The columns that stand in the names of the folders, for the chain alone; they stay there in the output."""
        for name, text in item.partition.items():
            if name not in table.column_names:
                value = pa.scalar(text, pa.string()).cast(self.partitions[name])
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return table


def partition_types(inputs: list[Input]) -> dict[str, pa.DataType]:
    """The type of each partition column over a whole data set, guessed as Spark does: int, long, double or string."""
    texts: dict[str, list[str | None]] = {}
    for item in inputs:
        for name, text in item.partition.items():
            texts.setdefault(name, []).append(text)
    return {name: _guess(pa.array(values, pa.string())) for name, values in texts.items()}


def _guess(values: pa.Array) -> pa.DataType:
    for kind in (pa.int32(), pa.int64(), pa.float64()):
        try:
            values.cast(kind)
        except pa.ArrowInvalid:
            continue
        return kind
    return pa.string()
