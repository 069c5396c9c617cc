"""A file of PyTorch's, looked through before PyTorch loads it: what is TorchScript, what is a `torch.export` archive
without code in it, and what only a pickle could load.

`torch.export.load` turns texts of an archive into Python: names become source code, sizes and guards are evaluated, and
where the archive says so it unpickles with code allowed or loads compiled libraries. Here an archive passes whose texts
are names, operators of PyTorch and arithmetic, and whose pickles hold tensors; any other is refused.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nacre.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".pt", ".pth", ".pt2")
GRAPH_JSON = re.compile(r"(models/[^/]+|serialized_exported_program)\.json$")
PAYLOAD_JSON = re.compile(r"data/(weights|constants)/[^/]+_config\.json$")
OPERATION = re.compile(
    r"torch\.ops\.[\w.]+|torch\._?sym_\w+|math\.\w+|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt"
    r"|le|gt|ge|and_|or_|not_|getitem)"
)
"""What a graph may call: PyTorch's operators, and Python's arithmetic on sizes."""
NAME = re.compile(r"[\w.:+-]*")
"""Nothing that Python could call, even where a name becomes source code."""
SPECS = ("in_spec", "out_spec", "context", "treespec")
"""Texts that are JSON themselves."""
DATA = ("as_string", "as_strings")
"""Texts that are arguments of operators, and never source code."""
ARITHMETIC = (
    *(ast.Expression, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Subscript, ast.Constant, ast.Name),
    *(ast.keyword, ast.Load, ast.operator, ast.boolop, ast.unaryop, ast.cmpop),
)
FUNCTION = re.compile(r"[A-Z]\w*")
"""sympy's classes, which expressions call."""
SYMBOL = re.compile(r"[A-Z]\w*|[a-z]{1,4}\d+|true|false")
"""Other names in expressions: symbols, and `L`, the inputs of guards."""
MEASURES = ("size", "stride", "storage_offset")
LARGEST_JSON = 256 << 20


def kind_of(path: Path, trusted: bool = False) -> str:
    """torchscript or export. Raises ModelError for all else, and for an archive that could run code unless trusted."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] or name for name in archive.namelist()]
            if "constants.pkl" in names and any(name.startswith("code/") for name in names):
                return "torchscript"
            if any(map(GRAPH_JSON.search, archive.namelist())):
                if not trusted:
                    audit(path, archive)
                return "export"
    except (zipfile.BadZipFile, OSError) as error:
        raise refusal(path, "it is no archive of PyTorch", str(error)) from None
    raise refusal(path, "it holds weights or a pickled module, and no program", "a file of torch.save")


def refusal(path: Path, why: str, got: Any) -> ModelError:
    return ModelError(
        f"the model cannot be served: {why}", expected="TorchScript, or an archive of torch.export.save", got=got,
        file=path.name, fix="Save it with torch.export.save, or write model_fn in code/inference.py",
    )  # fmt: skip


def audit(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises ModelError for an archive that could run code."""
    for entry in archive.infolist():
        name = entry.filename
        if "/aotinductor/" in name or name.endswith((".so", ".o", ".cubin", ".cpp")):
            raise refusal(path, "it holds compiled code", name)
        if GRAPH_JSON.search(name):
            check_texts(path, document(path, archive, entry))
        elif PAYLOAD_JSON.search(name):
            for payload in pickled(document(path, archive, entry)):
                weights_only(path, archive, f"{name.rpartition('/')[0]}/{payload}")
        elif name.endswith(".pt"):
            weights_only(path, archive, name)


def document(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    if entry.file_size > LARGEST_JSON:
        raise refusal(path, f"{entry.filename} is too large", f"{entry.file_size} bytes")
    try:
        return json.loads(archive.read(entry))
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"{entry.filename} is no JSON", str(error)) from None


def check_texts(path: Path, value: Any) -> None:
    """Refuse a document with a text that could become code."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        key, each = waiting.pop()
        if isinstance(each, dict):
            called = isinstance(each.get("target"), str) and "inputs" in each
            for name, item in each.items():
                if not NAME.fullmatch(name):
                    raise refusal(path, "a name in it is none", name)
                if name != "metadata":  # where a node came from: kept, and not run
                    waiting.append(("call" if called and name == "target" else name, item))
        elif isinstance(each, list):
            waiting.extend((key, item) for item in each)
        elif isinstance(each, str) and not harmless(key, each):
            what = "its graph calls what is no operator of PyTorch" if key == "call" else f"a text of {key} in it"
            raise refusal(path, what, each)


def harmless(key: str, text: str) -> bool:
    if key in DATA or key == "metadata":
        return True
    if key == "call":
        return OPERATION.fullmatch(text) is not None
    if key in ("expr_str", "guards_code"):
        return is_arithmetic(text)
    if key in SPECS and text[:1] in ("[", "{", '"'):
        try:
            return all(NAME.fullmatch(each) or harmless("context", each) for each in texts(json.loads(text)))
        except (ValueError, RecursionError):
            return False
    return NAME.fullmatch(text) is not None


def texts(value: Any) -> Iterator[str]:
    """All texts inside a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def is_arithmetic(text: str) -> bool:
    """Whether an expression is arithmetic on sizes: sympy's classes, symbols, numbers, and guards on inputs."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(map(is_measure, ast.walk(tree)))


def is_measure(node: ast.AST) -> bool:
    """Whether a part of an expression stands for sizes, numbers or a word."""
    if isinstance(node, ast.Attribute):
        return node.attr in MEASURES
    if isinstance(node, ast.Name):
        return SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.fullmatch(r"\w*", node.value) is not None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return FUNCTION.fullmatch(node.func.id) is not None
    return isinstance(node, ARITHMETIC)


def pickled(value: Any) -> Iterator[str]:
    """Files of weights and constants that are pickles."""
    entries = value.get("config", {}) if isinstance(value, dict) else {}
    for each in entries.values() if isinstance(entries, dict) else ():
        if isinstance(each, dict) and each.get("use_pickle") is not False:
            yield str(each.get("path_name"))


def weights_only(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    """Refuse a pickle of more than tensors."""
    import torch

    try:
        torch.load(io.BytesIO(archive.read(name)), weights_only=True)
    except Exception as error:
        raise refusal(path, f"{name} is no pickle of tensors alone", first_line(error)) from error


def first_line(error: Exception) -> str:
    """The sentence of an error of PyTorch: of TorchScript's the last line, behind the trace."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    last = lines[-1].strip()
    found = last if last.startswith(("RuntimeError: ", "IndexError: ")) else lines[0].strip()
    return found.removeprefix("RuntimeError: ")
