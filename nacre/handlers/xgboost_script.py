"""The XGBoost container in script mode: a script named by SAGEMAKER_PROGRAM, with AWS's defaults for XGBoost.

A body becomes a DMatrix, the model's own predict scores it; the library is imported, unlike in algorithm mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.errors import SchemaError, SetupError
from nacre.handlers import script_formats as formats
from nacre.handlers import xgboost_input as inputs
from nacre.handlers.script import SETTINGS, Script

if TYPE_CHECKING:
    from nacre.handlers.base import Setting


class XGBoostScript(Script):
    """Frames are DMatrix, then arrays."""

    kind: ClassVar[str] = "xgboost"
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    charset: ClassVar[bool] = False
    default_content_type: ClassVar[str] = "text/libsvm"

    def default_input_fn(self, body: str | bytes, content_type: str) -> Any:
        """csv, libsvm, recordio-protobuf, and what the container in algorithm mode reads besides."""
        return decode(body, content_type, features_of(self.model), self.compat)

    def default_predict_fn(self, data: Any, model: Any) -> Any:
        """A Booster's score; a model with scikit-learn's face is asked through its booster, as it takes a DMatrix."""
        booster = model.get_booster() if hasattr(model, "get_booster") else model
        return booster.predict(data, validate_features=False)


def features_of(model: Any) -> int | None:
    """How many features the model has, where it can tell."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return int(booster.num_features()) if hasattr(booster, "num_features") else None


def decode(body: str | bytes, content_type: str, features: int | None = None, compat: bool = False) -> Any:
    """A body as a DMatrix of at most `features` columns, those that a sparse row lacks being missing; without a number
    a sparse body has the columns it names. Raises RequestError, 415, or SchemaError."""
    xgboost = library()
    raw = body.encode() if isinstance(body, str) else body
    if formats.media_type(content_type)[0] == formats.NPY and not compat:
        return xgboost.DMatrix(np.atleast_2d(formats.from_npy(raw)))
    kind = inputs.kind_of(content_type, compat)
    if kind == "parquet" and not compat:
        return xgboost.DMatrix(formats.from_parquet(raw))
    block = inputs.parse(kind, raw, features or 0, compat)
    if features is None and block.columns > 0 and block.sparse:
        block = inputs.parse(kind, raw, block.columns, compat)
    columns = max(block.columns, block.values.shape[1])
    if features is not None and columns > features:
        raise SchemaError("another number of columns", expected=f"at most {features} features", got=columns)
    return xgboost.DMatrix(block.values)


def csv_to_dmatrix(body: str | bytes) -> Any:
    return decode(body, "text/csv")


def libsvm_to_dmatrix(body: str | bytes) -> Any:
    return decode(body, "text/libsvm")


def recordio_protobuf_to_dmatrix(body: bytes) -> Any:
    return decode(body, "application/x-recordio-protobuf")


def library() -> Any:
    try:
        import xgboost
    except ModuleNotFoundError:
        raise SetupError("the package xgboost is not installed", fix="pip install 'nacre[xgboost]'") from None
    return xgboost
