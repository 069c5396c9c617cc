"""Bad bodies for the tensorflow container: a SavedModel of two signatures, on three numbers and on texts with whole
numbers. Needs TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bad import CSV, JSON, LINES, Wire, nested, post

NEEDS = "tensorflow"
NPY, PARQUET = "application/x-npy", "application/x-parquet"
GOOD = (JSON, b'{"instances": [[1, 2, 3]]}')
LIMIT = 1 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    import tensorflow as tf

    class Model(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def numbers(self, x: Any) -> Any:
            return {"sum": tf.reduce_sum(x, 1)}

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec([None], tf.string, name="t"), tf.TensorSpec([None], tf.int32, name="n")]
        )
        def texts(self, t: Any, n: Any) -> Any:
            return {"joined": tf.strings.join([t, tf.strings.as_string(n)])}

    model = Model()
    signatures = {"serving_default": model.numbers, "texts": model.texts}
    tf.saved_model.save(model, str(folder / "1"), signatures=signatures)
    return folder, {"MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"json": (JSON, documents()), "json lines": (LINES, lines()), "csv": (CSV, csv())}
    tables |= {"npy": (NPY, {"no NPY": b"garbage"}), "parquet": (PARQUET, {"no Parquet": b"PAR1 is not all of it"})}
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def documents() -> dict[str, bytes | str]:
    def texts(*rows: Any) -> str:
        return json.dumps({"signature_name": "texts", "instances": rows})

    return {
        "broken": '{"instances": [[1,2,',
        "null": "null",
        "a text": '"a"',
        "rows and columns at once": '{"instances": [[1,2,3]], "inputs": [[1,2,3]]}',
        "examples, which are for classify": '{"examples": [{"x": 1}]}',
        "no rows": '{"instances": []}',
        "instances that are a number": '{"instances": 1}',
        "a signature that is not there": '{"signature_name": "x", "instances": [[1,2,3]]}',
        "a signature's name that is a number": '{"signature_name": 1, "instances": [[1,2,3]]}',
        "an input that is not there": '{"instances": [{"y": [1,2,3]}]}',
        "an input too many": '{"instances": [{"x": [1,2,3], "y": 1}]}',
        "objects and lists": '{"instances": [{"x": [1,2,3]}, [1,2,3]]}',
        "two values of three": '{"instances": [[1,2]]}',
        "rows of two widths": '{"instances": [[1,2,3],[1,2]]}',
        "a row too deep": '{"instances": [[[1,2,3]]]}',
        "a text where a number belongs": '{"instances": [[1,2,3],[1,"2",3]]}',
        "true where a number belongs": '{"instances": [[1,true,3]]}',
        "null where a number belongs": '{"instances": [[1,null,3]]}',
        "a number too large for float32": '{"instances": [[1,2,1e39]]}',
        "columns of two values": '{"inputs": [[1,2]]}',
        "columns of another name": '{"inputs": {"y": [[1,2,3]]}}',
        "10,000 brackets": nested(10_000),
        "no UTF-8": b'{"instances": [["\xff"]]}',
        "lists for several inputs": texts(["a", 1]),
        "a number where a text belongs": texts({"t": 1, "n": 1}),
        "a broken b64": texts({"t": {"b64": "?"}, "n": 1}),
        "a fraction where a whole number belongs": texts({"t": "a", "n": 1.5}),
        "a number too large for int32": texts({"t": "a", "n": 2**31}),
        "a number too large for int64": texts({"t": "a", "n": 2**64}),
    }


def lines() -> dict[str, bytes | str]:
    return {
        "the second line is broken": "[1,2,3]\n[1,2",
        "an empty line between": "[1,2,3]\n\n[1,2,3]",
        "the second row is short": "[1,2,3]\n[1,2]",
        "a text where a number belongs": '["x",2,3]',
    }


def csv() -> dict[str, bytes | str]:
    return {
        "a word where a number belongs": "1,2,3\n1,abc,3",
        "an empty field": "1,,3",
        "two fields of three": "1,2",
        "rows of two widths": "1,2,3\n1,2",
        "a quote that is not closed": '1,2,"3',
        "line breaks only": "\n\n",
        "no UTF-8": b"1,2,\xff",
    }
