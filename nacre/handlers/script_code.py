"""The user's code of a container: where it is, what it needs installed, its module, and calls of its functions.

Everything that code of the user raises becomes one :class:`ScriptError` that names the function, the file and the
line; the trace goes to the log (stderr) and to nobody else.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import ModelError, NacreError, SetupError
from nacre.handlers.base import Setting
from nacre.handlers.script_folders import code_folder, submitted

if TYPE_CHECKING:
    from types import FrameType, ModuleType

PROGRAM = Setting("SAGEMAKER_PROGRAM", "inference.py", "the script, a file of the folder of the code")
DIRECTORY = Setting(
    "SAGEMAKER_SUBMIT_DIRECTORY", None, "folder or tar.gz of the code, local or s3://; default: code/ of the model"
)

LOG_LEVEL = Setting("SAGEMAKER_CONTAINER_LOG_LEVEL", "20", "lowest level that `logging` in the script writes; 20: INFO")

HOOKS: dict[str, tuple[str, ...]] = {
    "model_fn": ("model_dir",),
    "input_fn": ("input_data", "content_type"),
    "predict_fn": ("input_data", "model"),
    "output_fn": ("prediction", "accept"),
    "transform_fn": ("model", "input_data", "content_type", "accept"),
    "pre_model_fn": ("model_dir",),
    "model_warmup_fn": ("model_dir", "model"),
    "execution_parameters_fn": (),
}
"""Functions that a script may define, and what they are called with; each may take `context` as one more."""
THREE = ("input_fn", "predict_fn", "output_fn")


class ScriptError(NacreError):
    """Code of the user that failed. `status` is the exception's own `status_code` where it has one."""

    def __init__(self, message: str, *, status: int = 500, **known: Any):
        super().__init__(message, **known)
        self.status = status


class Context(NamedTuple):
    """What a function that asks for `context` gets."""

    model_dir: str
    content_type: str | None = None
    accept: str | None = None

    @property
    def system_properties(self) -> dict[str, Any]:
        return {"model_dir": self.model_dir, "gpu_id": None}

    def get_request_header(self, _index: int, name: str) -> str | None:
        return {"content-type": self.content_type, "accept": self.accept}.get(name.lower())


class Hook:
    """One function, the user's or a default of ours, called with or without the context as it takes it."""

    def __init__(self, name: str, function: Callable[..., Any], folder: Path | None):
        self.name = name
        self.function = function
        self.folder = folder
        """Where the user's code is; None for a default of ours, whose errors are its own."""
        self.with_context = folder is not None and takes_context(name, function, folder)

    def __call__(self, *arguments: Any, context: Context | None = None) -> Any:
        """Raises NacreError: what the function raises of that kind, ScriptError for all else."""
        if self.with_context:
            arguments = (*arguments, context)
        if self.folder is None:
            return self.function(*arguments)
        try:
            return self.function(*arguments)
        except NacreError:
            raise
        except (Exception, SystemExit) as error:
            raise failed(self.name, error, self.folder) from error


def takes_context(name: str, function: Callable[..., Any], folder: Path) -> bool:
    """Whether it has one parameter more than it is called with. Raises ModelError if no call can fit it."""
    expected = HOOKS[name]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        where = function if inspect.isroutine(function) else type(function)
        raise ModelError(f"{name} is no function", expected=shape(name), got=repr(where), file=str(folder)) from None
    named = [parameter for parameter in parameters if parameter.kind in kinds]
    required = sum(parameter.default is parameter.empty for parameter in named)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters) and required <= len(expected):
        return False
    if required > len(expected) + 1 or len(named) < len(expected):
        got = f"{name}({', '.join(parameter.name for parameter in named)})"
        raise ModelError(
            f"{name} takes other arguments", expected=shape(name), got=got, file=place_of(function, folder)
        )
    return len(named) == len(expected) + 1


def shape(name: str) -> str:
    return f"{name}({', '.join(HOOKS[name])}), or with context as one more"


class UserCode:
    """A script that is loaded: its folder, its module, and those of the HOOKS it defines."""

    def __init__(self, program: str, folder: Path, module: ModuleType):
        self.program = program
        self.folder = folder
        self.module = module
        self.hooks: dict[str, Hook] = {}
        for name in HOOKS:
            function = getattr(module, name, None)
            if function is not None:
                self.hooks[name] = Hook(name, function, folder)
        both = [name for name in THREE if name in self.hooks]
        if "transform_fn" in self.hooks and both:
            raise ModelError(
                "transform_fn stands beside functions it replaces", expected="transform_fn alone, or the other three",
                got=f"transform_fn and {', '.join(both)}", file=program,
            )  # fmt: skip

    @classmethod
    def find(
        cls, model_dir: Path, env: Mapping[str, str], default: str = "inference.py", needed: bool = True
    ) -> UserCode | None:
        """The code that the environment names, else `code/` of the model; None if neither is there, or if it is not
        `needed` and `code/` holds other things only.

        Installs its requirements, imports it. Raises ModelError, SetupError or ScriptError, with one sentence.
        """
        program = env.get(PROGRAM.name) or default
        told = bool(env.get(PROGRAM.name) or env.get(DIRECTORY.name))
        folder = submitted(env.get(DIRECTORY.name), program, model_dir)
        file = folder / path_of(program)
        if not file.is_file():
            if not told and not (needed and folder.is_dir()):
                return None
            fix = f"Set {PROGRAM.name} and {DIRECTORY.name}, or put the script into code/ of the model"
            got = listed(folder) if folder.is_dir() else "no such folder"
            raise ModelError("no script", expected=path_of(program), got=got, file=str(folder), fix=fix)
        code_folder(folder, env)
        logging.basicConfig(level=log_level(env), format="%(levelname)s - %(name)s - %(message)s")
        return cls(path_of(program), folder, imported(file, folder))


def log_level(env: Mapping[str, str]) -> int:
    """A number of Python's logging. Raises SetupError."""
    text = env.get(LOG_LEVEL.name) or LOG_LEVEL.default or ""
    if not text.isdecimal():
        raise SetupError(f"{LOG_LEVEL.name} is not usable", expected="a number, such as 20", got=text)
    return int(text)


def path_of(program: str) -> str:
    """`inference`, `inference.py` or `package/inference.py` as a path inside the folder; an absolute one is its name,
    since its folder is the folder of the code."""
    path = PurePosixPath(program if program.endswith(".py") else f"{program}.py")
    return path.name if path.is_absolute() else str(path)


def listed(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:10]) or "an empty folder"


def imported(file: Path, folder: Path) -> ModuleType:
    """The module, with its folder on the path before all others. Raises ScriptError naming the line that fails."""
    inside = file.relative_to(folder).with_suffix("")
    name = ".".join(inside.parts)
    if name in sys.modules:  # the name of some other module: that one stays what it is to everybody else
        name = f"nacre_user_{name.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, "a file of Python has a loader"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except NacreError:
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise unusable(error, folder) from error
    return module


def unusable(error: BaseException, folder: Path) -> ScriptError:
    """The script cannot even be imported."""
    got = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        where = f"{inside(error.filename or '', folder)}, line {error.lineno}"
        return ScriptError("the script cannot be read", expected="Python", got=error.msg, file=where)
    fix = None
    if isinstance(error, ModuleNotFoundError):
        fix = f"Put {(error.name or '').partition('.')[0]} into requirements.txt beside the script"
    else:
        log_trace(error)
    return ScriptError("the script cannot be imported", got=got, file=place(error, folder), fix=fix)


def failed(name: str, error: BaseException, folder: Path) -> ScriptError:
    """A function of the script that raised; its trace is written to the log."""
    log_trace(error)
    got = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ScriptError(f"{name} failed", status=status_of(name, error), got=got, file=place(error, folder))


def status_of(name: str, error: BaseException) -> int:
    """What the exception itself says, as those of SageMaker's toolkits do; 500 for all others."""
    if type(error).__name__ == "UnsupportedFormatError":
        return 406 if name == "output_fn" else 415
    status = getattr(error, "status_code", None)
    return status if type(status) is int and 400 <= status < 600 else 500


def log_trace(error: BaseException) -> None:
    """The trace without frames of ours at its top."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None and is_ours(at.tb_frame):
        at = at.tb_next
    sys.stderr.write("".join(traceback.format_exception(type(error), error, at)))
    sys.stderr.flush()


def is_ours(frame: FrameType) -> bool:
    file = Path(frame.f_code.co_filename)
    return file.parent == Path(__file__).parent or "importlib" in str(file)


def place(error: BaseException, folder: Path) -> str | None:
    """`FILE, line N, in FUNCTION`: the innermost place in the user's folder, else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    if not (own or frames):
        return None
    frame = (own or frames)[-1]
    function = "" if frame.name == "<module>" else f", in {frame.name}"
    return f"{inside(frame.filename, folder)}, line {frame.lineno}{function}"


def place_of(function: Callable[..., Any], folder: Path) -> str:
    code = getattr(function, "__code__", None)
    return f"{inside(code.co_filename, folder)}, line {code.co_firstlineno}" if code else str(folder)


def inside(file: str, folder: Path) -> str:
    """A file by its name inside the folder of the code, or inside that of its package."""
    for root in [str(folder), *sorted(filter(None, sys.path), key=len, reverse=True)]:
        if Path(file).is_relative_to(root):
            return str(Path(file).relative_to(root))
    return file
