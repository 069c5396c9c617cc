"""Models of TensorFlow in a container's folder: found as TensorFlow Serving's container finds them, and loaded.

A SavedModel stands in a folder named by its version, a number (the highest is served), at any depth; ours besides are
a SavedModel without a version, and one `.keras` file. Nothing else is loaded: an `.h5` may hold code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import ModelError, RequestError, SchemaError, SetupError

if TYPE_CHECKING:
    import numpy as np

SAVED = "saved_model.pb"
DEFAULT_SIGNATURE = "serving_default"
TAG = "serve"


class Spec(NamedTuple):
    """An input: numpy's name of its type (`object` for texts), and its shape, None where a size is free."""

    dtype: str
    shape: tuple[int | None, ...] | None


class Signature(NamedTuple):
    """What can be asked of a model: inputs by name, and the function from arrays to arrays by name."""

    inputs: Mapping[str, Spec]
    call: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


class Servable:
    """A loaded model under its name and version."""

    def __init__(self, name: str, version: str, signatures: Mapping[str, Signature]):
        self.name = name
        self.version = version
        self.signatures = signatures

    def signature(self, name: str | None) -> Signature:
        """The named one; without a name `serving_default`, or the only one. Raises SchemaError."""
        if name is None and DEFAULT_SIGNATURE not in self.signatures and len(self.signatures) == 1:
            return next(iter(self.signatures.values()))
        wanted = name or DEFAULT_SIGNATURE
        if wanted not in self.signatures:
            expected = " or ".join(sorted(self.signatures))
            raise SchemaError("no such signature", expected=expected, got=wanted, field="signature_name")
        return self.signatures[wanted]


def imported() -> Any:
    """TensorFlow, without what it writes while it is imported. Raises SetupError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quiet():
            import tensorflow
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "tensorflow":
            raise
        raise SetupError("the package tensorflow is not installed", fix="pip install 'nacre[tensorflow]'") from None
    return tensorflow


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing of what C++ writes to stderr gets there."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def find(model_dir: Path, wanted: str | None) -> tuple[str, str, Path]:
    """Name, version and path of the model to serve. Raises ModelError."""
    saved = sorted(path.parent for path in model_dir.rglob(SAVED) if "assets" not in path.parts[:-1])
    bases = {path.parent if path.name.isdigit() else path for path in saved}
    keras = sorted(path for path in model_dir.iterdir() if path.suffix == ".keras")
    found = {named(base, model_dir): base for base in sorted(bases)} | {path.stem: path for path in keras}
    if wanted is None and len(found) == 1:
        wanted = next(iter(found))
    if not found:
        refuse_others(model_dir)
    if wanted not in found:
        expected = wanted or f"one model: N/{SAVED} with N its version, or a .keras file"
        fix = "Name one with SAGEMAKER_TFS_DEFAULT_MODEL_NAME" if found else None
        got = ", ".join(found) or "none"
        raise ModelError("no model to serve", expected=expected, got=got, file=str(model_dir), fix=fix)
    base = found[wanted]
    versions = [path for path in saved if path.parent == base and path.name.isdigit()]
    if base.is_file() or not versions:
        return wanted, "1", base
    best = max(versions, key=lambda path: int(path.name))
    return wanted, best.name, best


def named(base: Path, model_dir: Path) -> str:
    """A model's name is that of the folder of its versions."""
    return "model" if base == model_dir else base.name


def refuse_others(model_dir: Path) -> None:
    others = sorted(path.name for path in model_dir.iterdir() if path.suffix in (".h5", ".hdf5"))
    if others:
        fix = "Save it with model.export(…) or model.save('model.keras')"
        raise ModelError(
            "an HDF5 file is refused, for it may hold code", expected="SavedModel or .keras", got=others[0], fix=fix
        )


def load(model_dir: Path, wanted: str | None) -> Servable:
    """The model. Raises ModelError."""
    name, version, path = find(model_dir, wanted)
    tf = imported()
    try:
        signatures = keras_signature(tf, path) if path.is_file() else saved_signatures(tf, path)
    except Exception as error:  # TensorFlow, Keras and protobuf raise classes of their own
        got = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no text'}"
        file = str(path.relative_to(model_dir)) if path != model_dir else SAVED
        raise ModelError("TensorFlow cannot load the model", got=got, file=file) from error
    if not signatures:
        raise ModelError("a model without signatures", expected=DEFAULT_SIGNATURE, got="none", file=path.name)
    return Servable(name, version, signatures)


def saved_signatures(tf: Any, path: Path) -> dict[str, Signature]:
    loaded = tf.saved_model.load(str(path), tags=[TAG])
    found = {}
    for name, function in loaded.signatures.items():
        specs = function.structured_input_signature[1]
        inputs = {key: spec_of(spec.dtype, spec.shape) for key, spec in sorted(specs.items())}
        # The function keeps weak references to what it was loaded with: `loaded` has to live as long
        found[name] = Signature(inputs, caller(tf, function, loaded))
    return found


def keras_signature(tf: Any, path: Path) -> dict[str, Signature]:
    """In Keras's safe mode: a layer that brings Python code along is refused."""
    model = tf.keras.models.load_model(str(path), compile=False, safe_mode=True)
    given = list(model.inputs)
    made = getattr(model, "output_names", None) or [f"output_{number}" for number in range(len(model.outputs))]
    inputs = {each.name: spec_of(tf.as_dtype(each.dtype), each.shape) for each in given}

    def function(**tensors: Any) -> dict[str, Any]:
        values = [tensors[each.name] for each in given]
        outputs = model(values[0] if len(values) == 1 else values, training=False)
        return dict(zip(made, outputs if isinstance(outputs, (list, tuple)) else [outputs], strict=True))

    return {DEFAULT_SIGNATURE: Signature(inputs, caller(tf, function, model))}


def spec_of(dtype: Any, shape: Any) -> Spec:
    sizes = tuple(shape) if getattr(shape, "rank", 0) is not None else None
    return Spec("object" if dtype.name == "string" else str(dtype.as_numpy_dtype().dtype), sizes)


def caller(
    tf: Any, function: Callable[..., Any], owner: Any
) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """Arrays in and out. `owner` is kept as long as the function. Raises RequestError for what the graph refuses."""

    def call(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(array) for name, array in arrays.items()}
        try:
            outputs = function(**tensors)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            got = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RequestError("the model refuses these rows", got=got) from error
        return {name: output.numpy() for name, output in sorted(outputs.items())}

    call.owner = owner  # type: ignore[attr-defined]
    return call
