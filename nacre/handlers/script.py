"""The container that runs a script of the user: model_fn, input_fn, predict_fn, output_fn, or transform_fn.

The base of all kinds that do so. A kind is a subclass that says what happens where the script lacks a function, by
overriding any of

    default_model_fn(model_dir)             the model; default: an error that asks for model_fn
    default_input_fn(body, content_type)    data of a body (str of JSON and CSV, else bytes)
    default_predict_fn(data, model)         a prediction; default: model.predict(data), or model(data)
    default_output_fn(prediction, accept)   the reply: bytes, str, (body, content type), or a Reply

and the class attributes below. Each default raises NacreError with its status, and that is the reply. The order is
SageMaker's: the script is imported and model_fn called once, before the workers are forked; a request goes through
input_fn, predict_fn and output_fn, one request at a time in a worker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from nacre.errors import ModelError, NacreError, RequestError
from nacre.handlers import script_formats as formats
from nacre.handlers.base import COMPAT, Handler, Reply, Setting, as_aws
from nacre.handlers.container import positive
from nacre.handlers.script_code import DIRECTORY, LOG_LEVEL, PROGRAM, Context, Hook, ScriptError, UserCode
from nacre.handlers.script_folders import INSTALL
from nacre.handlers.script_watch import TIMEOUT, Watch

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

DEFAULT_ACCEPT = Setting("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", formats.JSON, "type of replies to Accept: */*")
TOGETHER = Setting(
    "NACRE_SCRIPT_THREADS", "false", "true: functions of the script may run for several requests of a worker at once"
)
SETTINGS = (PROGRAM, DIRECTORY, INSTALL, DEFAULT_ACCEPT, TOGETHER, TIMEOUT, LOG_LEVEL, COMPAT)


class Raw(NamedTuple):
    """A request as it came: the frame of a script with transform_fn."""

    body: str | bytes
    content_type: str


class Script(Handler):
    """Frames are what the script makes of a body, then what it predicts."""

    kind: ClassVar[str] = "script"
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    alone: ClassVar[bool] = True
    default_program: ClassVar[str] = "inference.py"
    needs_code: ClassVar[bool] = True
    """False for kinds that can serve a model without a script: then `default_model_fn` finds it."""
    default_content_type: ClassVar[str] = formats.JSON
    """Of requests that name none."""
    charset: ClassVar[bool] = True
    """Whether replies of a text type get `; charset=utf-8`, as Flask gives it."""

    def __init__(self, model_dir: Path, env: Mapping[str, str], code: UserCode | None):
        """Takes the functions together; the model is loaded by :meth:`start`."""
        self.model_dir = model_dir.resolve()
        self.env = env
        self.code = code
        self.compat = as_aws(env)
        self.default_accept = env.get(DEFAULT_ACCEPT.name) or DEFAULT_ACCEPT.default or ""
        self.model: Any = None
        together = env.get(TOGETHER.name) == "true"
        self._lock: AbstractContextManager[Any] = nullcontext() if together else Lock()
        self._watch = Watch(positive(TIMEOUT.name, env.get(TIMEOUT.name) or TIMEOUT.default or ""))
        self._request = local()
        self._encoders = formats.AWS_ENCODERS if self.compat else formats.ENCODERS
        own = code.hooks if code is not None else {}
        self.transform_fn = own.get("transform_fn")
        self.input_fn = own.get("input_fn") or Hook("input_fn", self.default_input_fn, None)
        self.predict_fn = own.get("predict_fn") or Hook("predict_fn", self.default_predict_fn, None)
        self.output_fn = own.get("output_fn") or Hook("output_fn", self.default_output_fn, None)

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Script:
        """Find and import the script, then load the model. Raises NacreError with one sentence."""
        code = UserCode.find(model_dir, env, cls.default_program, cls.needs_code)
        if code is None and cls.needs_code:
            fix = f"Put it into code/ of the model, or set {PROGRAM.name} and {DIRECTORY.name}"
            expected = f"code/{cls.default_program} in the model"
            raise ModelError("no script", expected=expected, got="none", file=str(model_dir), fix=fix)
        handler = cls(model_dir, env, code)
        handler.start()
        return handler

    def start(self) -> None:
        """pre_model_fn, model_fn and model_warmup_fn, each the script's or none; model_fn has a default."""
        own = self.code.hooks if self.code is not None else {}
        directory, context = str(self.model_dir), Context(str(self.model_dir))
        if "pre_model_fn" in own:
            own["pre_model_fn"](directory, context=context)
        model_fn = own.get("model_fn") or Hook("model_fn", self.default_model_fn, None)
        self.model = model_fn(directory if "model_fn" in own else self.model_dir, context=context)
        if "model_fn" in own and self.model is None:
            got = "None: has it a return statement?"
            raise ModelError("model_fn gave no model", expected="a model", got=got, file=self.program)
        if "model_warmup_fn" in own:
            own["model_warmup_fn"](directory, self.model, context=context)

    @property
    def program(self) -> str | None:
        return self.code.program if self.code is not None else None

    def owns(self, name: str) -> bool:
        """Whether the script defines this function."""
        return self.code is not None and name in self.code.hooks

    # What a subclass overrides

    def default_model_fn(self, model_dir: Path) -> Any:
        file = self.program or self.default_program
        fix = "Write one that loads the model and returns it"
        raise ModelError("the script has no model_fn", expected="model_fn(model_dir)", got="none", file=file, fix=fix)

    def default_input_fn(self, body: str | bytes, content_type: str) -> Any:
        """Rows, as `script_formats` reads them; a predict_fn of the script, which is written for the toolkit, gets them
        in its shapes."""
        if self.compat or self.owns("predict_fn"):
            return formats.as_toolkit(body, content_type)
        data = formats.decode(body, content_type)
        return data.reshape(1, -1) if getattr(data, "ndim", 2) < 2 else data

    def default_predict_fn(self, data: Any, model: Any) -> Any:
        predict = getattr(model, "predict", None) or (model if callable(model) else None)
        if predict is None:
            fix = "Write predict_fn(input_data, model)"
            got = f"a {type(model).__name__}"
            raise ScriptError("the model cannot predict", expected="a model with predict", got=got, fix=fix)
        return predict(data)

    def default_output_fn(self, prediction: Any, accept: str) -> Any:
        name = formats.chosen(accept, self.default_accept)
        return self._encoders[name](prediction), name

    # A request

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        """One request at a time: a script may keep state between its functions, as SageMaker's workers let it."""
        with self._lock, self._watch:
            self._request.context = Context(str(self.model_dir), content_type, accept)
            return super().invoke(body, content_type, accept)

    @property
    def context(self) -> Context:
        return getattr(self._request, "context", None) or Context(str(self.model_dir))

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        """415, then 406, before anything is read, where the types are ours. A kind that reads others says 415 when it
        decodes, and 406 must not come before that."""
        others = type(self).default_input_fn is not Script.default_input_fn
        if self.transform_fn is not None or (others and not self.owns("input_fn")):
            return
        if not self.owns("input_fn"):
            formats.check_readable(content_type or self.default_content_type)
        if not self.owns("output_fn") and type(self).default_output_fn is Script.default_output_fn:
            formats.chosen(self.accepted(accept), self.default_accept)

    def accepted(self, accept: str | None) -> str:
        """Accept as our own functions get it; nothing means anything."""
        return accept if accept and accept.strip() not in ("", "*/*") else self.default_accept

    def decode(self, body: bytes, content_type: str | None) -> Any:
        header = content_type or self.default_content_type
        name = header if self.compat else formats.known(header)
        content = formats.text_of(body, header) if name in formats.AS_TEXT else body
        if self.transform_fn is not None:
            return Raw(content, name)
        given = name if self.owns("input_fn") else header
        return self.guarded(self.input_fn, content, given)

    def predict(self, frame: Any) -> Any:
        if self.transform_fn is not None:
            return frame
        return self.guarded(self.predict_fn, frame, self.model)

    def encode(self, frame: Any, accept: str | None) -> Reply:
        told = self.accepted(accept)
        own = self.best(told)
        if self.transform_fn is not None:
            result = self.guarded(self.transform_fn, self.model, frame.body, frame.content_type, own)
            return self.reply("transform_fn", result, own)
        given = own if self.owns("output_fn") else told
        return self.reply("output_fn", self.guarded(self.output_fn, frame, given), own)

    def best(self, accept: str) -> str:
        """Accept as a function of the script gets it: the one type that is wanted most."""
        if self.compat:
            return accept
        found = [name for name in formats.choices(accept) if not name.endswith("/*")]
        return found[0] if found else self.default_accept

    def guarded(self, hook: Hook, *arguments: Any) -> Any:
        """A default of ours calls the model of the user: what that raises is an answer too, not a fault of ours."""
        if hook.folder is not None:
            return hook(*arguments, context=self.context)
        try:
            return hook(*arguments)
        except (NacreError, MemoryError):
            raise
        except Exception as error:
            if hook.name != "predict_fn":
                raise
            from nacre.handlers.script_code import failed

            raise failed("predict", error, self.model_dir) from error

    def reply(self, name: str, result: Any, accept: str) -> Reply:
        """What output_fn or transform_fn may return: a body, (body, content type), a Response of Flask, a Reply."""
        if isinstance(result, Reply):
            return result
        if callable(getattr(result, "get_data", None)) and hasattr(result, "status_code"):
            passed = ("content-type", "content-length")
            headers = tuple((key, value) for key, value in result.headers.items() if key.lower() not in passed)
            return Reply(result.get_data(), result.headers.get("Content-Type"), result.status_code, headers)
        content_type: Any = accept
        if isinstance(result, tuple) and len(result) == 2:
            result, content_type = result
        if isinstance(result, (dict, list)):
            result, content_type = formats.document(result, self.compat), formats.JSON
        if isinstance(result, str):
            result = result.encode()
        if not isinstance(result, (bytes, bytearray, memoryview)) or not isinstance(content_type, str | None):
            got = f"({type(result).__name__}, {type(content_type).__name__})"
            raise ScriptError(
                f"{name} returned something else", expected="bytes, str, or one of these and its content type",
                got=got if content_type is not accept else type(result).__name__, file=self.program,
            )  # fmt: skip
        return Reply(bytes(result), self.typed(content_type or accept))

    def typed(self, content_type: str) -> str:
        text = content_type.startswith("text/") and "charset" not in content_type
        return f"{content_type}; charset=utf-8" if self.charset and text else content_type

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        """The canonical JSON; of types that nobody reads or writes, the toolkit's own under NACRE_COMPAT=aws."""
        if self.compat and error.status in (406, 415):
            body = {"error": "UnsupportedFormatError", "error-message": error.message, "stack-trace": ""}
            return Reply(json.dumps(body).encode(), formats.JSON, error.status)
        return super().failure(error, accept)

    def execution_parameters(self) -> Mapping[str, Any]:
        """What execution_parameters_fn of the script says, as a mapping, JSON or a Response; else the default."""
        if not self.owns("execution_parameters_fn"):
            return super().execution_parameters()
        assert self.code is not None
        told = self.code.hooks["execution_parameters_fn"](context=self.context)
        told = told.get_data() if callable(getattr(told, "get_data", None)) else told
        try:
            told = json.loads(told) if isinstance(told, (str, bytes)) else told
            return dict(told)
        except (TypeError, ValueError):
            got = type(told).__name__
            message = "execution_parameters_fn returned something else"
            raise ScriptError(message, expected="a mapping, or its JSON", got=got, file=self.program) from None

    # Typed columns, for batch transform over Parquet

    def from_table(self, table: pa.Table) -> Any:
        if self.transform_fn is not None or self.owns("input_fn"):
            raise RequestError(
                "the script reads bytes, not typed columns", status=415, expected="no input_fn of its own"
            )
        return formats.from_table(table)

    def to_array(self, frame: Any) -> pa.Array:
        import pyarrow as pa

        return pa.array(formats.plain(frame))

    def hand_over(self, frame: Any) -> np.ndarray | None:
        return None
