"""Bad bodies for the pytorch container: TorchScript of a linear layer on three numbers. Needs PyTorch."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from tests.bad import CSV, JSON, LINES, Wire, nested, post

NEEDS = "torch"
NPY, PARQUET = "application/x-npy", "application/x-parquet"
GOOD = (CSV, b"1,2,3")
LIMIT = 1 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    import torch

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.trace(torch.nn.Linear(3, 2).eval(), torch.ones(1, 3)).save(str(folder / "model.pt"))
    return folder, {"MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"csv": (CSV, csv()), "json": (JSON, documents()), "json lines": (LINES, lines())}
    tables |= {"npy": (NPY, npy()), "parquet": (PARQUET, {"no Parquet": b"PAR1 is not all of it"})}
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def csv() -> dict[str, bytes | str]:
    return {
        "a word where a number belongs": "1,2,abc",
        "a header line": "a,b,c\n1,2,3",
        "two fields of three": "1,2",
        "four fields of three": "1,2,3,4",
        "rows of two widths": "1,2,3\n1,2",
        "a quote that is not closed": '1,2,"3',
        "line breaks only": "\n\n",
        "no UTF-8": b"1,2,\xff",
        "the second row has a word": "1,2,3\n1,x,3",
    }


def documents() -> dict[str, bytes | str]:
    return {
        "broken": "[[1,2,",
        "null": "null",
        "a text": '"a"',
        "no rows": '{"instances": []}',
        "an empty row": "[[]]",
        "a row of two": "[[1,2]]",
        "rows of two widths": "[[1,2,3],[1,2]]",
        "a text where a number belongs": '[[1,2,"x"]]',
        "an object where a number belongs": '[[1,2,{"a":1}]]',
        "a list where a number belongs": "[[1,2,[3]]]",
        "lists and objects": '[[1,2,3],{"a":1}]',
        "10,000 brackets": nested(10_000),
        "no UTF-8": b'[["\xff"]]',
    }


def lines() -> dict[str, bytes | str]:
    return {
        "the second line is broken": "[1,2,3]\n[1,2",
        "an empty line between": "[1,2,3]\n\n[1,2,3]",
        "the second row is short": "[1,2,3]\n[1,2]",
        "a text where a number belongs": '["x",2,3]',
    }


def npy() -> dict[str, bytes]:
    def saved(values: np.ndarray) -> bytes:
        out = io.BytesIO()
        np.save(out, values)
        return out.getvalue()

    good = saved(np.ones((1, 3), np.float32))
    return {
        "truncated": good[:-5],
        "no NPY": b"garbage",
        "objects, which only a pickle holds": saved(np.array([[None]], object)),
        "texts": saved(np.array([["a", "b", "c"]])),
        "times": saved(np.ones((1, 3), "M8[s]")),
        "whole numbers": saved(np.ones((1, 3), np.int64)),
        "float64, which is not cast": saved(np.ones((1, 3))),
        "two columns of three": saved(np.ones((1, 2), np.float32)),
    }
