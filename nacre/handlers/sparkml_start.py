"""The start of the SparkML container: where the bundle is, and the schema of requests that bring none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nacre.errors import ModelError, NacreError, RequestError, SetupError
from nacre.handlers import sparkml_schema as schemas
from nacre.handlers.base import Setting
from nacre.handlers.sparkml_binding import Problem
from nacre.handlers.sparkml_schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nacre.handlers.sparkml_binding import Binding
    from nacre.plan.model import Model

SCHEMA = Setting("SAGEMAKER_SPARKML_SCHEMA", None, "schema of requests, JSON; default: the bundle's own columns")
VERIFY = Setting("NACRE_VERIFY", None, "true: refuse a bundle unless its own proof holds (nacre verify)")
ARCHIVES = (".zip", ".tar.gz", ".tgz")


def bundle_in(model_dir: Path) -> Path:
    """The bundle in a model folder: unpacked there, or its only archive. Raises ModelError."""
    if not model_dir.is_dir() or (model_dir / "bundle.json").is_file():
        return model_dir
    files = sorted(path for path in model_dir.iterdir() if not path.name.startswith("."))
    archives = [path for path in files if path.is_file() and path.name.endswith(ARCHIVES)]
    folders = [path for path in files if (path / "bundle.json").is_file()]
    if len(archives) + len(folders) == 1:
        return (archives + folders)[0]
    raise ModelError(
        "no bundle in the model folder" if not archives + folders else "several bundles in the model folder",
        expected="bundle.json and root/, or exactly one .zip or .tar.gz of them",
        got=", ".join(path.name for path in files) or "an empty folder",
        file=str(model_dir),
    )


def no_schema() -> Binding:
    fix = f"Set {SCHEMA.name}, or send a schema with the data"
    raise RequestError(schemas.NO_SCHEMA, expected=schemas.EXAMPLE, got="none", fix=fix)


def refusing(problem: Problem) -> Callable[[], Binding]:
    def refuse() -> Binding:
        raise problem.error()

    return refuse


def setup_error(message: str, error: NacreError, fix: str) -> SetupError:
    known = {key: value for key, value in error.where.items() if key == "field"}
    return SetupError(f"{SCHEMA.name}: {message}", expected=error.expected, got=error.got, fix=fix, **known)


def own_binding(
    model: Model, given: str | None, compat: bool, bind: Callable[[Schema], Binding]
) -> Callable[[], Binding]:
    """A function that gives the schema of the environment, or the bundle's own one, bound to the model.

    A schema that no request could pass fails the start with SetupError; with `compat` the function raises, for every
    request, what the AWS container answers then.
    """
    if compat:
        return _as_aws(given, bind)
    if given is not None and given.strip():
        return _checked(given, bind)
    output = model.default_output
    if output is None:
        return no_schema
    columns = tuple(schemas.column_of(name, kind) for name, kind in model.inputs.items())
    binding = bind(Schema(columns, schemas.column_of(output, model.outputs[output])))
    return lambda: binding


def _as_aws(given: str | None, bind: Callable[[Schema], Binding]) -> Callable[[], Binding]:
    if given is None:
        return no_schema
    try:
        schema = schemas.read_text(given)
    except RequestError as error:
        return refusing(Problem(error.message, str(error.expected), str(error.got), "schema"))
    if schema is None:
        message = f'Cannot invoke "{schemas.DTO}DataSchema.getInput()" because "schema" is null'
        return refusing(Problem(message, schemas.EXAMPLE, "null", "schema"))
    binding = bind(schema)
    return lambda: binding


def _checked(given: str, bind: Callable[[Schema], Binding]) -> Callable[[], Binding]:
    fix = f"Correct {SCHEMA.name}, or leave it out for the bundle's own columns"
    try:
        schema = schemas.read_text(given)
    except RequestError as error:
        raise setup_error(error.message, error, fix) from None
    if schema is None:
        raise SetupError(f"{SCHEMA.name} is null", expected=schemas.EXAMPLE, got=given, fix=fix)
    binding = bind(schema)
    problem = binding.problem()
    if problem is not None:
        raise setup_error(problem.message, problem.error(), fix)
    return lambda: binding
