"""One stage as Spark saves it: a metadata line of JSON, a Parquet table, and sub-folders."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle.trees import LEAF, Tree
from nacre.bundle.values import Shape, Tensor
from nacre.errors import BundleError, UnsupportedError
from nacre.plan.types import DOUBLE, Type
from nacre.stages.base import Port, Stage, numbered

if TYPE_CHECKING:
    import pyarrow as pa

    from nacre.bundle.node import Node

_MISSING: Any = object()
WORDS = {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}
"""How Spark's param JSON spells the doubles that JSON has not."""


READ = ("input", "features", "label", "weight", "user", "item", "censor", "offset", "items")
"""How the params begin that name columns a stage reads; all others name what it makes."""


class Saved:
    """A saved stage.

    Args:
        path: its folder.
        types: the columns known where this stage runs, by name; what the folder itself lacks is looked up there.
        attrs: their ML attributes (Spark's ``ml_attr`` metadata), of those columns that have any.
        expand: turns the folder of a nested saved stage into nodes and carries types and attributes along.
        hidden: the columns that stages have taken off the frame so far.
    """

    def __init__(
        self,
        path: Path,
        types: dict[str, Type] | None = None,
        attrs: dict[str, Mapping[str, Any]] | None = None,
        expand: Callable[[Path], list[Node]] | None = None,
        hidden: set[str] | None = None,
    ):
        self.path = path
        self.types = types if types is not None else {}
        self.attrs = attrs if attrs is not None else {}
        self.expand = expand
        self.hidden = hidden if hidden is not None else set()
        self.metadata = _metadata(path)
        self.spark_class: str = self.metadata["class"]
        self.uid: str = self.metadata["uid"]
        self._params = {**self.metadata.get("defaultParamMap", {}), **self.metadata.get("paramMap", {})}

    # Params

    def param(self, name: str, default: Any = _MISSING) -> Any:
        """A param: set, else its default; numbers that JSON cannot hold are floats again."""
        value = self._params.get(name, default)
        if value is _MISSING:
            raise BundleError(
                "a param is missing", expected=name, got=sorted(self._params), file=str(self.path), node=self.uid
            )
        return _numbers(value)

    def extra(self, name: str) -> Any:
        """A fact that stands beside the params in the metadata, such as numFeatures."""
        if name not in self.metadata:
            raise BundleError(
                "metadata lacks a fact", expected=name, got=sorted(self.metadata), file=str(self.path), node=self.uid
            )
        return self.metadata[name]

    def columns(self, port: Port) -> list[str]:
        """The names of the columns at a port."""
        if port.many and self._params.get(port.many):
            return [str(name) for name in self._params[port.many]]
        name = self._params.get(port.param)
        if isinstance(name, list):
            return [str(each) for each in name]
        return [str(name)] if name else []

    def ports(self, ports: Sequence[Port]) -> list[tuple[str, str]]:
        """(port, column) pairs: `input0`… for a list of columns, `input` for one."""
        found: list[tuple[str, str]] = []
        for port in ports:
            names = self.columns(port)
            several = port.many is not None and bool(self._params.get(port.many))
            found += numbered(port, names) if several else [(port.name, name) for name in names]
        return found

    def attributes(self, cls: type[Stage]) -> dict[str, Any]:
        """The values of a Stage's attributes, by the sources its table names."""
        return {attr.name: attr.spark(self) for attr in cls.attributes if attr.spark is not None}

    def reads(self) -> list[str]:
        """The columns that any param names as input, whatever its class."""
        return [name for key, name in self._columns() if key.lower().startswith(READ)]

    def makes(self) -> list[str]:
        """The columns that any other param names."""
        return [name for key, name in self._columns() if not key.lower().startswith(READ)]

    def _columns(self) -> list[tuple[str, str]]:
        """(param, column) of every param whose name ends in Col or Cols."""
        named = [(key, value) for key, value in self._params.items() if key.endswith(("Col", "Cols"))]
        return [
            (key, str(each)) for key, value in named for each in (value if isinstance(value, list) else [value]) if each
        ]

    def child(self, name: str) -> Saved:
        """A saved stage in a sub-folder, which knows the same columns."""
        return Saved(self.path / name, self.types, self.attrs, self.expand, self.hidden)

    def nested(self, name: str) -> list[Node]:
        """The nodes of a saved stage in a sub-folder, which runs on the same frame, such as RFormula's pipeline."""
        assert self.expand is not None, "set by the exporter"
        return self.expand(self.path / name)

    def hide(self, columns: Sequence[str]) -> None:
        """This stage takes columns off the frame; those after it, and the user, do not see them."""
        self.hidden.update(columns)

    def name(self, n: int, count: int) -> str:
        """The name of the n-th of `count` nodes that stand for this stage."""
        return self.uid if count == 1 else f"{self.uid}_{n}"

    # Data

    @cached_property
    def table(self) -> pa.Table:
        """The Parquet table under ``data/``."""
        return read_parquet(self.path / "data", self.uid)

    def has(self, column: str) -> bool:
        return column in self.table.column_names

    def data(self, column: str) -> Any:
        """A column of a one-row table: vectors and matrices as Tensor, other things as Python values."""
        if column not in self.table.column_names or self.table.num_rows != 1:
            got = f"{self.table.num_rows} rows of {self.table.column_names}"
            raise BundleError(
                "model data of another form",
                expected=f"one row with {column}",
                got=got,
                file=str(self.path),
                node=self.uid,
            )
        return _linalg(self.table.column(column)[0].as_py())

    def rows(self, folder: str = "data") -> list[dict[str, Any]]:
        """The rows of a table of any length, vectors and matrices as Tensor."""
        table = self.table if folder == "data" else read_parquet(self.path / folder, self.uid)
        return [{name: _linalg(value) for name, value in row.items()} for row in table.to_pylist()]

    def facts(self, folder: str) -> dict[str, Any]:
        """A line of JSON in a sub-folder's own metadata."""
        return _metadata(self.path / folder, ())

    def trees(self, regression: bool) -> list[tuple[Tree, float]]:
        """(tree, weight) of a tree or an ensemble."""
        rows = self.table.to_pylist()
        if "nodeData" not in self.table.column_names:
            return [(_tree(rows, regression), 1.0)]
        groups: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault(row["treeID"], []).append(row["nodeData"])
        weights = read_parquet(self.path / "treesMetadata", self.uid)
        key, weight = (("_1", "_3") if "_1" in weights.column_names else ("treeID", "weights"))  # fmt: skip
        by_tree = dict(zip(weights.column(key).to_pylist(), weights.column(weight).to_pylist(), strict=True))
        return [(_tree(groups[tree], regression), float(by_tree[tree])) for tree in sorted(groups)]

    # Facts from the frame

    def type_of(self, column: str, default: Type | None = None) -> Type:
        """The type of a column; `default` where nobody knows it."""
        if column in self.types:
            return self.types[column]
        if default is None:
            raise UnsupportedError(
                "the type of a column is not known",
                expected="a schema that names it",
                got=column,
                node=self.uid,
                field=column,
                fix="Give a sample, or the schema of the raw columns",
            )
        return default

    def size_of(self, param: str) -> int:
        """The number of entries of the vector column that a param names."""
        column = str(self.param(param))
        size = self.type_of(column).size
        if size is None:
            raise UnsupportedError(
                "the size of a vector is not known", expected="a schema whose ml_attr tells it", got=column,
                node=self.uid, field=column, fix="Give a sample, or the schema of a transformed frame",
            )  # fmt: skip
        return size

    def shapes(self) -> list[Shape]:
        """Shape of each input column, for the ops that declare them."""
        return [
            _shape(self.type_of(name, DOUBLE)) for name in self.columns(Port("input", None, "inputCol", "inputCols"))
        ]


def _shape(given: Type) -> Shape:
    if given.shape == "scalar":
        return Shape("scalar")
    return Shape("tensor", dims=None if given.size is None else (given.size,))


def _metadata(path: Path, needed: tuple[str, ...] = ("class", "uid")) -> dict[str, Any]:
    folder = path / "metadata"
    if not folder.is_dir():
        raise BundleError(
            "not a saved Spark model",
            expected="a folder named metadata in it",
            got=str(path),
            fix="Save with model.write().save(path)",
        )
    parts = [each for each in sorted(folder.iterdir()) if not each.name.startswith(("_", "."))]
    try:
        content = json.loads(parts[0].read_text())
        if not set(needed) <= set(content):
            raise ValueError("no class or uid")
    except (IndexError, ValueError, OSError) as error:
        raise BundleError(
            "unreadable metadata of a saved Spark model", expected="one line of JSON", got=str(error), file=str(folder)
        ) from error
    return content  # type: ignore[no-any-return]


def read_parquet(folder: Path, uid: str) -> pa.Table:
    """All part files of a folder as one table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = (
        [each for each in sorted(folder.glob("*")) if not each.name.startswith(("_", "."))] if folder.is_dir() else []
    )
    if not parts:
        raise BundleError(
            "a saved Spark model without its data",
            expected="Parquet part files",
            got="none",
            file=str(folder),
            node=uid,
        )
    try:
        return pa.concat_tables([pq.ParquetFile(part).read() for part in parts])
    except (pa.ArrowInvalid, OSError) as error:
        raise BundleError(
            "unreadable data of a saved Spark model", expected="Parquet part files", got=str(error), file=str(folder),
            node=uid,
        ) from error  # fmt: skip


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return WORDS.get(value, value) if isinstance(value, str) else value


def _linalg(value: Any) -> Any:
    """Spark's vector and matrix structs, or lists of them, to Tensor, matrices column-major; anything else as it is."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_linalg(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "numRows" in value:
        return _matrix(value)
    if value["type"] == 1:
        return Tensor(list(value["values"]), (len(value["values"]),))
    dense = [0.0] * value["size"]
    for i, x in zip(value["indices"], value["values"], strict=True):
        dense[i] = x
    return Tensor(dense, (len(dense),))


def _matrix(value: dict[str, Any]) -> Tensor:
    rows, columns, flat = value["numRows"], value["numCols"], value["values"]
    if value["type"] == 0:
        major = rows if value["isTransposed"] else columns
        minor = columns if value["isTransposed"] else rows
        dense = [0.0] * (rows * columns)
        for i in range(major):
            for k in range(value["colPtrs"][i], value["colPtrs"][i + 1]):
                dense[i * minor + value["rowIndices"][k]] = flat[k]
        flat = dense
    if value["isTransposed"]:  # row-major as stored
        flat = [flat[i * columns + j] for j in range(columns) for i in range(rows)]
    return Tensor(list(flat), (rows, columns))


def _tree(rows: list[dict[str, Any]], regression: bool) -> Tree:
    """A node table (ids pre-order, root 0, in any row order) to flat arrays."""
    rows = sorted(rows, key=lambda row: row["id"])
    position = {row["id"]: n for n, row in enumerate(rows)}
    tree = Tree()
    for row in rows:
        if row["leftChild"] == LEAF:
            tree.add_leaf((row["prediction"],) if regression else tuple(row["impurityStats"]))
            continue
        split = row["split"]
        numbers = split["leftCategoriesOrThreshold"]
        if split["numCategories"] == -1:
            node = tree.add_split(split["featureIndex"], numbers[0])
        else:
            node = tree.add_categorical(split["featureIndex"], *_stored_side(numbers, split["numCategories"]))
        tree.left[node], tree.right[node] = position[row["leftChild"]], position[row["rightChild"]]
    return tree


def _stored_side(left: list[float], count: int) -> tuple[tuple[float, ...], bool, int]:
    """The side a bundle stores: Spark's own choice, the left one when it has at most half of the categories."""
    if len(left) <= count // 2:
        return tuple(left), True, count
    known = set(left)
    return tuple(float(i) for i in range(count) if float(i) not in known), False, count
