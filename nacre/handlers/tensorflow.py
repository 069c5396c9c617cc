"""The TensorFlow container: a SavedModel behind TensorFlow Serving's requests, or a script of the user before it.

As AWS's: `instances` and `inputs` in JSON, JSON Lines, CSV; `predictions` and `outputs` back; `code/inference.py` with
`handler(data, context)`, or with `input_handler` and `output_handler`. Ours besides: a `.keras` file, model_fn and its
like as in the other containers, NPY and Parquet, and CSV, JSON Lines and NPY where Accept asks for them. TensorFlow
itself serves, in the workers: there is no second server.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nacre.errors import NacreError, RequestError, RowError
from nacre.formats.json import reason
from nacre.handlers import script_formats as formats
from nacre.handlers import tensorflow_json as rest_json
from nacre.handlers.base import Handler, Reply, Setting
from nacre.handlers.late import Late, tried
from nacre.handlers.script import SETTINGS, Raw, Script
from nacre.handlers.script_code import DIRECTORY, PROGRAM, UserCode, failed, path_of
from nacre.handlers.script_folders import INSTALL, code_folder, submitted
from nacre.handlers.tensorflow_json import Answered, Asked, Decimal
from nacre.handlers.tensorflow_models import Servable, Spec, imported, load
from nacre.handlers.tensorflow_rest import Rest, TfsContext, TfsResponse

NAME = Setting(
    "SAGEMAKER_TFS_DEFAULT_MODEL_NAME", None, "the model to serve, where the folder holds several: its folder's name"
)
JSON_TYPES = (formats.JSON, formats.JSON_LINES, "application/jsons")
LINES = re.compile(r"\r?\n")


class TensorFlow(Late):
    """Loaded in every worker for itself: TensorFlow's threads do not survive a fork."""

    kind: ClassVar[str] = "tensorflow"
    settings: ClassVar[tuple[Setting, ...]] = (*SETTINGS, NAME)
    alone: ClassVar[bool] = True

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Handler:
        """Import TensorFlow and install the script's requirements, once for all workers; try the rest in a child."""
        imported()
        env = installed(model_dir, env)
        tried(lambda: Serving.load(model_dir, env), model_dir)
        return cls(lambda: Serving.load(model_dir, env))


def installed(model_dir: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    """The environment in which nothing is left to be fetched or installed."""
    program = env.get(PROGRAM.name) or Serving.default_program
    folder = submitted(env.get(DIRECTORY.name), program, model_dir)
    if not (folder / path_of(program)).is_file():
        return env
    code_folder(folder, env)
    return {**env, DIRECTORY.name: str(folder), INSTALL.name: "false"}


class Serving(Script):
    """Frames are Asked and Answered, or what a script makes of them."""

    kind: ClassVar[str] = TensorFlow.kind
    needs_code: ClassVar[bool] = False
    charset: ClassVar[bool] = False

    def __init__(self, model_dir: Path, env: Mapping[str, str], code: UserCode | None):
        super().__init__(model_dir, env, code)
        module = code.module if code is not None else None
        self.handler = getattr(module, "handler", None)
        self.around = getattr(module, "input_handler", None), getattr(module, "output_handler", None)
        self.handled = self.handler is not None or all(self.around)
        self.rest: Rest | None = None

    def default_model_fn(self, model_dir: Path) -> Servable:
        return load(model_dir, self.env.get(NAME.name))

    # A request, answered by the model

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        if not (self.handled or self.owns("input_fn") or self.transform_fn is not None):
            self.check_type(content_type or self.default_content_type)
        if not (self.handled or self.owns("output_fn") or self.transform_fn is not None or self.compat):
            formats.chosen(self.accepted(accept), self.default_accept)

    def check_type(self, content_type: str) -> str:
        name = formats.media_type(content_type)[0]
        known = (*JSON_TYPES, formats.CSV, *(() if self.compat else (formats.NPY, formats.PARQUET)))
        if name not in known:
            message = f"Unsupported Media Type: {content_type}"
            raise RequestError(message, status=415, expected=", ".join(known), got=content_type)
        return name

    def decode(self, body: bytes, content_type: str | None) -> Any:
        if self.handled:
            return Raw(body, content_type or self.default_content_type)
        return super().decode(body, content_type)

    def default_input_fn(self, body: str | bytes, content_type: str) -> Any:
        if not isinstance(self.model, Servable):
            return super().default_input_fn(body, content_type)
        name = self.check_type(content_type)
        if name in JSON_TYPES:
            text = body if isinstance(body, str) else formats.text_of(body, content_type)
            return rest_json.asked(document_of(text), self.model)
        if name == formats.CSV:
            assert isinstance(body, str), "CSV comes as text"
            return self.from_csv(body)
        return self.from_array(formats.decode(body, content_type))

    def from_csv(self, text: str) -> Asked:
        """A row a line, one value without brackets as TensorFlow Serving's container has it; of texts if the model
        takes texts."""
        signature = self.model.signature(None)
        spec = signature.inputs[rest_json.only(signature)]
        rows = formats.csv_rows(text)
        values = [[field if spec.dtype == "object" else number(field, row) for field in fields] for row, fields in
                  enumerate(rows, 1)]  # fmt: skip
        flat: list[Any] = [row[0] if len(row) == 1 else row for row in values]
        return Asked(signature, rest_json.from_rows(flat, signature))

    def from_array(self, data: Any) -> Asked:
        """Rows of an array, or of a frame: columns named as the inputs, or all of them as the only input."""
        signature = self.model.signature(None)
        if hasattr(data, "columns"):
            if set(data.columns) >= set(signature.inputs):
                columns = {name: data[name].tolist() for name in signature.inputs}
                return Asked(signature, rest_json.from_columns(columns, signature))
            data = data.to_numpy()
        return Asked(signature, rest_json.from_rows(data.tolist(), signature))

    def from_table(self, table: Any) -> Any:
        if not isinstance(self.model, Servable) or self.handled:
            return super().from_table(table)
        return self.from_array(formats.from_table(table))

    def predict(self, frame: Any) -> Any:
        return frame if self.handled else super().predict(frame)

    def default_predict_fn(self, data: Any, model: Any) -> Any:
        if not isinstance(model, Servable):
            return super().default_predict_fn(data, model)
        if not isinstance(data, Asked):  # of an input_fn of the user
            signature = model.signature(None)
            named = data if isinstance(data, Mapping) else {rest_json.only(signature): data}
            data = Asked(signature, {name: cast(value, signature.inputs.get(name)) for name, value in named.items()})
        answered = Answered(data.signature.call(data.arrays), data.rows)
        if not self.owns("output_fn"):
            return answered
        return answered.arrays if len(answered.arrays) > 1 else next(iter(answered.arrays.values()))

    def default_output_fn(self, prediction: Any, accept: str) -> Any:
        if not isinstance(prediction, Answered):
            return super().default_output_fn(prediction, accept)
        name = formats.JSON if self.compat else formats.chosen(accept, self.default_accept)
        if name == formats.JSON:
            return rest_json.answer(prediction, nan=self.compat).replace("\n", ""), name
        if name == formats.NPY:
            if len(prediction.arrays) != 1:
                raise RequestError("several outputs are no array", status=406, expected=formats.JSON, got=name)
            return formats.to_npy(next(iter(prediction.arrays.values()))), name
        return self._encoders[name](flat_rows(prediction) if name == formats.CSV else plain_rows(prediction)), name

    def to_array(self, frame: Any) -> Any:
        import pyarrow as pa

        return pa.array(plain_rows(frame)) if isinstance(frame, Answered) else super().to_array(frame)

    # A request, answered by handlers of the user

    def encode(self, frame: Any, accept: str | None) -> Reply:
        if not self.handled:
            return super().encode(frame, accept)
        told = self.best(self.accepted(accept))
        context = self.tfs_context(frame, told)
        data = io.BytesIO(frame.body)
        if self.handler is not None:
            return self.reply("handler", self.user("handler", self.handler, data, context), told)
        before, after = self.around
        status, content = self.answered(as_bytes(self.user("input_handler", before, data, context)))
        result = self.user("output_handler", after, TfsResponse(status, content), context)
        return self.reply("output_handler", result, told)

    def user(self, name: str, function: Any, *arguments: Any) -> Any:
        """Raises ScriptError with the place in the script."""
        assert self.code is not None
        try:
            return function(*arguments)
        except NacreError:
            raise
        except (Exception, SystemExit) as error:
            raise failed(name, error, self.code.folder) from error

    def tfs_context(self, frame: Raw, accept: str) -> TfsContext:
        model = self.model if isinstance(self.model, Servable) else Servable("model", "1", {})
        if self.rest is None:
            self.rest = Rest(model.name, model.version, self.answered)
        length = len(frame.body)
        none = None
        return TfsContext(
            model.name, none, "predict", self.rest.uri, none, none, none, frame.content_type, accept, length
        )

    def answered(self, body: bytes) -> tuple[int, bytes]:
        """What TensorFlow Serving's REST API answers: status and JSON."""
        try:
            asked = rest_json.asked(parsed(body.decode()), self.model)
            return 200, rest_json.answer(Answered(asked.signature.call(asked.arrays), asked.rows), nan=True).encode()
        except UnicodeDecodeError as error:
            return 400, json.dumps({"error": str(error)}).encode()
        except NacreError as error:
            return error.status, json.dumps({"error": str(error)}).encode()

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        if self.compat:
            return Reply(json.dumps({"error": str(error)}).encode(), formats.JSON, error.status)
        return super().failure(error, accept)


def cast(value: Any, spec: Spec | None) -> np.ndarray:
    """An array of a script; its numbers in the input's own type."""
    array = np.asarray(value)
    return array if spec is None or array.dtype.kind not in "iuf" else array.astype(spec.dtype)


def as_bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is no JSON", expected=rest_json.EXPECTED, got=reason(error)) from None


def document_of(text: str) -> Any:
    """A request of the API as it is; other JSON and JSON Lines as its rows, as AWS's container makes of them."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {"instances": lines_of(text)}
    if isinstance(document, Mapping) and {"instances", "inputs", "examples"} & document.keys():
        return document
    nested = isinstance(document, list) and bool(document) and isinstance(document[0], list)
    return {"instances": document if nested else [document]}


def lines_of(text: str) -> list[Any]:
    """Raises RowError, or RequestError where the first line is no JSON."""
    lines = LINES.split(text.strip())
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if number == 1:
                raise RequestError("the body is no JSON", expected=rest_json.EXPECTED, got=reason(error)) from None
            raise RowError("a line that is no JSON", expected="a row", got=reason(error), row=number) from None
    return rows


def number(field: str, row: int) -> float | int:
    try:
        return int(field)
    except ValueError:
        pass
    try:
        return float(field)
    except ValueError:
        raise RowError("not a number", expected="a number", got=field, row=row) from None


def plain_rows(answered: Answered) -> list[Any]:
    """A value a row, or an object with a value an output; float32 as the shortest decimals that give it back."""
    rows: list[Any] = short(rest_json.rows_of(answered))
    return rows


def short(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(str(np.float32(value)))
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    return [short(each) for each in value] if isinstance(value, list) else value


def flat_rows(answered: Answered) -> list[Any]:
    """The values of all outputs of a row, in order of their names."""
    rows = plain_rows(answered)
    if len(answered.arrays) == 1:
        return rows
    return [[value for part in row.values() for value in (part if isinstance(part, list) else [part])] for row in rows]
