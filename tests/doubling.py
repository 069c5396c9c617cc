"""A small container of the tests: multiplies every number of a CSV. `python -m tests.doubling serve doubling …` is
`nacre serve` with this kind added, so that a test can have it in a process of its own.

It does on demand what the built-in containers do seldom: custom attributes, a status of its own, a fault, a delay.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from nacre.errors import ModelError, RequestError, RowError
from nacre.handlers import KINDS, Kind
from nacre.handlers.base import Handler, Reply, Setting
from nacre.handlers.container import canonical

KIND = "doubling"


class Doubling(Handler):
    """Frames are float64 arrays (rows, columns)."""

    kind = KIND
    settings = (Setting("FACTOR", "2", "what every number is multiplied with"),)

    def __init__(self, model_dir, env):
        self.factor = float(env.get("FACTOR") or (model_dir / "factor").read_text())
        self.attributes = env.get("ATTRIBUTES")
        self.numbers = env.get("NUMBERS") != "off"
        self.taken = 0

    @classmethod
    def load(cls, model_dir, env):
        if env.get("BROKEN_CODE"):
            raise ZeroDivisionError("a fault while loading")
        if env.get("SLOW_TO_LOAD"):
            print("loading", file=sys.stderr, flush=True)
            time.sleep(float(env["SLOW_TO_LOAD"]))
        if not (model_dir / "factor").is_file():
            raise ModelError("no factor in the model", expected="a file named factor", got=str(model_dir))
        return cls(Path(model_dir), env)

    def negotiate(self, content_type, accept):
        if content_type is None or content_type.split(";")[0] != "text/csv":
            raise RequestError("cannot read this", status=415, expected="text/csv", got=content_type)
        if accept not in (None, "*/*", "text/csv", "application/json"):
            raise RequestError("cannot write this", status=406, expected="text/csv", got=accept)

    def decode(self, body, content_type):
        rows = []
        for at, line in enumerate(body.decode().splitlines(), 1):
            try:
                rows.append([float(field) for field in line.split(",")])
            except ValueError:
                raise RowError("not a number", expected="a number", got=line, row=at) from None
        return np.array(rows, dtype=np.float64)

    def predict(self, frame):
        if frame.size and frame.flat[0] == -1:
            raise KeyError("secret of the body")  # a fault
        if frame.size and frame.flat[0] == -2:
            time.sleep(2)
        return frame * self.factor

    def encode(self, frame, accept):
        headers = (("X-Amzn-SageMaker-Custom-Attributes", self.attributes),) if self.attributes else ()
        if not frame.size:
            return Reply(b"", "text/csv", 204, headers)
        if frame.flat[0] == -6:
            return Reply(b"teapot", "text/plain", 418, headers)
        text = "".join(",".join(map(repr, row)) + "\n" for row in frame.tolist())
        kind = "application/json" if accept == "application/json" else "text/csv; charset=utf-8"
        return Reply(text.encode(), kind, 200, headers)

    def failure(self, error, accept):
        return canonical(error)

    def execution_parameters(self):
        return {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}

    def from_table(self, table):
        return np.column_stack([column.to_numpy() for column in table.columns])

    def to_array(self, frame):
        return pa.array(frame.sum(axis=1))

    def hand_over(self, frame):
        return frame if self.numbers and not self.attributes and not (frame.size and frame.flat[0] == -6) else None

    def take_over(self, numbers):
        self.taken += 1
        return numbers if self.numbers else None


KINDS[KIND] = Kind("tests.doubling:Doubling", "multiplies numbers")


def model(folder: Path, factor: float = 2) -> Path:
    """A model of this kind."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "factor").write_text(str(factor))
    return folder


if __name__ == "__main__":
    from nacre.cli import main

    sys.exit(main(sys.argv[1:]))
