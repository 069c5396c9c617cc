"""The scikit-learn container: a script of the user, or without one an MLeap bundle of a scikit-learn pipeline.

As AWS's, a script must load its model itself (model_fn), and the rest has defaults: float32 rows of a text, the
model's predict, CSV, JSON or NPY back. Ours besides: a bundle in the model's folder is scored with no pickle and no
code of the user; a pickled model without a script is loaded only where NACRE_ALLOW_PICKLE=true allows it by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nacre.errors import ModelError, NacreError, RequestError, SchemaError, SetupError
from nacre.handlers import script_formats as formats
from nacre.handlers.base import Setting
from nacre.handlers.script import SETTINGS, Script
from nacre.handlers.script_bundle import BundleModel

PICKLE = Setting(
    "NACRE_ALLOW_PICKLE", "false", "true: load a pickled model where no script does, which runs the code inside it"
)
PICKLES = (".joblib", ".pkl", ".pickle")
ARCHIVES = (".zip", ".tar.gz", ".tgz")
WAYS_OUT = (
    f"write model_fn in code/inference.py, export the pipeline as a bundle, or set {PICKLE.name}=true if you trust it"
)


class ScikitLearn(Script):
    """Frames are arrays or DataFrames of rows, then what the model predicts."""

    kind: ClassVar[str] = "scikit-learn"
    settings: ClassVar[tuple[Setting, ...]] = (*SETTINGS, PICKLE)
    needs_code: ClassVar[bool] = False

    def default_model_fn(self, model_dir: Path) -> Any:
        """The bundle, or the one pickled model where that is allowed. Raises ModelError."""
        bundle = bundle_in(model_dir)
        if bundle is not None:
            return BundleModel.load(bundle, self.env)
        found = pickles_in(model_dir)
        if not found:
            got = self.program and f"{self.program} without model_fn"
            raise ModelError(
                "nothing to serve", expected="code/inference.py with model_fn, a bundle, or a pickled model",
                got=got or "none", file=str(model_dir),
            )  # fmt: skip
        if (self.env.get(PICKLE.name) or "").lower() != "true":
            fix = f"Unpickling runs code: {WAYS_OUT}"
            raise ModelError("a pickled model is refused", expected="a bundle, or a script", got=found[0].name, fix=fix)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ModelError("several models", expected="one", got=names, file=str(model_dir))
        return unpickled(found[0])

    def warm(self) -> None:
        if isinstance(self.model, BundleModel):
            self.model.model.warm()

    def default_input_fn(self, body: str | bytes, content_type: str) -> Any:
        """Texts as float32, as AWS has it; a bundle takes float64 and texts."""
        data = super().default_input_fn(body, content_type)
        typed = formats.media_type(content_type)[0] not in formats.DECODED_AS_TEXT
        return data if typed or isinstance(self.model, BundleModel) else formats.as_numbers(data)

    def default_predict_fn(self, data: Any, model: Any) -> Any:
        if isinstance(model, BundleModel):
            return model.predict(data)
        data = fitting(data, model)
        try:
            return super().default_predict_fn(data, model)
        except (TypeError, ValueError) as error:
            if isinstance(error, AttributeError):  # not fitted: no fault of the request
                raise
            raise RequestError("the model refuses these rows", got=f"{type(error).__name__}: {error}") from error


def fitting(data: Any, model: Any) -> Any:
    """The columns a model was fitted with, by name where both have names. Raises SchemaError."""
    names = getattr(model, "feature_names_in_", None)
    if hasattr(data, "columns"):
        if names is None:
            numbers = all(kind.kind in "bif" for kind in data.dtypes)
            data = data.to_numpy() if numbers else data
        else:
            missing = [name for name in names if name not in data.columns]
            if missing:
                expected, got = ", ".join(map(str, names)), ", ".join(map(str, data.columns))
                raise SchemaError("columns are missing", expected=expected, got=got, field=str(missing[0]))
            return data[list(names)]
    wanted = getattr(model, "n_features_in_", None)
    if wanted is not None and getattr(data, "ndim", 2) != 2:
        raise SchemaError("another shape", expected="rows of values", got=f"{data.ndim} dimensions")
    if wanted is not None and hasattr(data, "shape") and data.shape[1] != wanted:
        raise SchemaError("another number of columns", expected=f"{wanted} features", got=data.shape[1])
    if names is not None and isinstance(data, np.ndarray) and data.ndim == 2:
        return formats.data_frame(dict(zip(map(str, names), data.T, strict=True)))
    return data


def bundle_in(model_dir: Path) -> Path | None:
    """A bundle in the folder: unpacked there or in a folder of its own, or a zip or tar.gz of one."""
    if (model_dir / "bundle.json").is_file():
        return model_dir
    if not model_dir.is_dir():
        return None
    files = sorted(path for path in model_dir.iterdir() if path.name[0] != ".")
    found = [path for path in files if (path / "bundle.json").is_file() or path.name.endswith(ARCHIVES)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError("several bundles in the model folder", expected="one", got=names, file=str(model_dir))
    return found[0] if found else None


def pickles_in(model_dir: Path) -> list[Path]:
    if not model_dir.is_dir():
        return [model_dir] if model_dir.is_file() else []
    return sorted(path for path in model_dir.iterdir() if path.is_file() and path.name.endswith(PICKLES))


def unpickled(path: Path) -> Any:
    """Runs the code in the pickle; only called where that is allowed by name."""
    try:
        import joblib
    except ModuleNotFoundError:
        raise SetupError("the package scikit-learn is not installed", fix="pip install 'nacre[scikit-learn]'") from None
    try:
        return joblib.load(path)
    except NacreError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        fix = "Load it with the versions it was saved with, or write model_fn"
        raise ModelError("the pickled model cannot be loaded", got=got, file=str(path), fix=fix) from error
