"""Training data with few entries a row: libsvm text (`label[:weight] [qid:n] index:value …`) and recordio-protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import NacreError, RowError
from nacre.formats import libsvm, recordio
from nacre.train.table import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE_KINDS = ("csv", "libsvm", "parquet", "recordio-protobuf")
QUERY = "qid:"


def kind_of(file: Path) -> str:
    """The kind of a data file, by its first bytes."""
    import pyarrow as pa

    with file.open("rb") as opened:
        head = opened.read(4)
    if head == b"PAR1":
        return "parquet"
    if head == recordio.HEAD.pack(recordio.MAGIC, 0)[:4]:
        return "recordio-protobuf"
    with pa.input_stream(file, compression="detect") as stream:
        tokens = stream.read(1 << 16).split(b"\n")[0].split()
    sparse = len(tokens) > 1 and all(b":" in token for token in tokens[1:]) and b"," not in tokens[0]
    return "libsvm" if sparse else "csv"


def joined(parts: Sequence[Any]) -> Any:
    """Feature matrices one below the other; sparse ones are widened to the widest."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    from scipy.sparse import vstack

    width = max(part.shape[1] for part in parts)
    return vstack([widened(part, width) for part in parts], format="csr")


def widened(features: Any, width: int) -> Any:
    """A sparse matrix of at least so many columns; what it lacks is missing."""
    if features.shape[1] < width:
        features.resize((features.shape[0], width))
    return features


def _csr(found: libsvm.Sparse) -> Any:
    from scipy.sparse import csr_matrix

    shape = (found.rows, found.columns)
    return csr_matrix((found.value.astype(np.float32), (found.row, found.column)), shape=shape)


def text_of(file: Path) -> str:
    import pyarrow as pa

    with pa.input_stream(file, compression="detect") as stream:
        content = bytes(stream.read())
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        got = f"byte {content[error.start]:#04x}"
        raise RowError("not a libsvm file", expected="text in UTF-8", got=got, file=str(file)) from None


def libsvm_base(files: Iterable[Path]) -> str:
    """The number of the first feature in these files, as text: 1 if none of them names a feature 0."""
    for file in files:
        if any(" 0:" in line or "\t0:" in line for line in text_of(file).split("\n")):
            return "0"
    return "1"


def read_libsvm(file: Path, base: str) -> Rows:
    """Rows of one file; blank lines are none. Raises RowError naming file and row."""
    heads: list[tuple[float, float]] = []
    queries: list[int] = []
    entries = []
    weighted = False
    for number, line in enumerate(text_of(file).split("\n"), 1):
        tokens = line.split()
        if not tokens:
            continue
        label, colon, weight = tokens[0].partition(":")
        rest = tokens[1:]
        if rest and rest[0].startswith(QUERY):
            queries.append(int(_number(rest[0][len(QUERY) :], "a query's number", file, number)))
            rest = rest[1:]
        if any(":" not in token for token in rest):
            raise RowError("not a libsvm row", expected="index:value", got=line[:50], file=str(file), row=number)
        weighted = weighted or bool(colon)
        known = _number(label, "a label", file, number), _number(weight or "1", "a weight", file, number)
        heads.append(known)
        entries.append(" ".join(rest))
    if queries and len(queries) != len(heads):
        raise RowError("rows with and without qid", expected="all or none", got=len(queries), file=str(file))
    try:
        features = _csr(libsvm.parse("\n".join(entries), base))
    except NacreError as error:
        raise error.at(file=str(file)) from None
    _check_finite(features, file)
    table = np.array(heads, np.float32).reshape(len(heads), 2)
    group = np.array(queries, np.uint32) if queries else None
    return Rows(features, table[:, 0], table[:, 1] if weighted else None, group)


def _number(text: str, what: str, file: Path, row: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.inf
    if not np.isfinite(np.float32(value)):
        raise RowError(f"{what} that is no finite number", expected="a number", got=text, file=str(file), row=row)
    return value


def _check_finite(features: Any, file: Path) -> None:
    """Infinities are refused; an entry that is NaN is missing."""
    bad = np.flatnonzero(np.isinf(features.data))
    if len(bad):
        row = int(np.searchsorted(features.indptr, bad[0], side="right"))
        got = float(features.data[bad[0]])
        expected = "a number float32 can hold"
        raise RowError("a feature that is no finite number", expected=expected, got=got, file=str(file), row=row)


def read_recordio(file: Path) -> Rows:
    """Rows of one file, the label in each record. Raises RowError naming file and record."""
    content = file.read_bytes()
    try:
        tensors = recordio.read(content)
        labels = recordio.read(content, part=recordio.LABEL)
    except NacreError as error:
        raise error.at(file=str(file)) from None
    for number, label in enumerate(labels, 1):
        if len(label.values) != 1 or not np.isfinite(np.float32(label.values[0])):
            got = label.values.tolist()
            raise RowError("a label that is no number", expected="one number", got=got, file=str(file), row=number)
    target = np.array([label.values[0] for label in labels], np.float32)
    if any(tensor.keys is not None for tensor in tensors):
        columns = [np.arange(len(t.values)) if t.keys is None else t.keys for t in tensors]
        rows = np.repeat(np.arange(len(tensors)), [len(part) for part in columns])
        values = np.concatenate([tensor.values for tensor in tensors])
        features = widened(
            _csr(libsvm.Sparse(len(tensors), rows, np.concatenate(columns), values)),
            max(tensor.columns for tensor in tensors),
        )
        _check_finite(features, file)
        return Rows(features, target)
    for number, tensor in enumerate(tensors, 1):
        if len(tensor.values) != len(tensors[0].values):
            wanted, got = f"{len(tensors[0].values)} numbers, as in row 1", len(tensor.values)
            raise RowError("a row of another width", expected=wanted, got=got, file=str(file), row=number)
    dense = np.array([tensor.values for tensor in tensors], np.float64).reshape(len(tensors), -1)
    bad = np.argwhere(np.isinf(dense.astype(np.float32)))
    if len(bad):
        row, column = (int(at) for at in bad[0])
        where: dict[str, Any] = {"file": str(file), "row": row + 1, "field": column + 1}
        expected = "a number float32 can hold"
        raise RowError("a feature that is no finite number", expected=expected, got=float(dense[row, column]), **where)
    return Rows(dense.astype(np.float32), target)
