"""The functions and classes behind `nacre.handlers.twins`: names and behaviour of SageMaker's packages, our codecs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from nacre.handlers import script_formats as formats

JSON, CSV, NPY, ANY, OCTET_STREAM = formats.JSON, formats.CSV, formats.NPY, "*/*", "application/octet-stream"
UTF8_TYPES = list(formats.AS_TEXT)


class ClientError(Exception):
    """What a script blames on its caller."""


class BaseInferenceToolkitError(Exception):
    """`status_code` is the status of the reply."""

    def __init__(self, status_code: int, message: str, phrase: str | None = None):
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.phrase = phrase


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    def __init__(self, status_code: int, message: str | None = None, phrase: str | None = None):
        super().__init__(status_code, message or "Invalid Request", phrase)


class UnsupportedFormatError(Exception):
    """415 where input_fn raises it, 406 where output_fn does."""

    def __init__(self, content_type: str):
        super().__init__(f"Content type {content_type} is not supported by this framework")


def decode(obj: str | bytes, content_type: str) -> Any:
    """A body as an array, in the shapes of the toolkits. Raises UnsupportedFormatError."""
    if formats.media_type(content_type)[0] not in formats.DECODERS:
        raise UnsupportedFormatError(content_type)
    return formats.as_toolkit(obj, content_type)


def encode(array_like: Any, content_type: str) -> str | bytes:
    """str of the types that are text, bytes of the others. Raises UnsupportedFormatError."""
    name = formats.media_type(content_type)[0]
    if name not in formats.ENCODERS:
        raise UnsupportedFormatError(content_type)
    body = formats.AWS_ENCODERS[name](array_like)
    return body.decode() if name in UTF8_TYPES else body


def csv_to_numpy(text: str, dtype: Any = None) -> Any:
    data = decode(text, CSV)
    return data if dtype is None else data.astype(dtype)


def json_to_numpy(text: str, dtype: Any = None) -> Any:
    return np.array(json.loads(text), dtype=dtype)


def npy_to_numpy(body: bytes) -> Any:
    return formats.from_npy(body)


def array_to_csv(array_like: Any) -> str:
    return formats.to_csv(array_like).decode()


def array_to_json(array_like: Any) -> str:
    return formats.document(array_like, compat=True)


def array_to_npy(array_like: Any) -> bytes:
    return formats.to_npy(array_like)


class TrainingEnv:
    """A job as its script sees it: every name in SM_TRAINING_ENV is an attribute."""

    def __init__(self) -> None:
        text = os.environ.get("SM_TRAINING_ENV")
        if not text:
            raise RuntimeError("there is no training here: SM_TRAINING_ENV is not set")
        self.__dict__.update(json.loads(text))


def lacking(module: str) -> Callable[[str], NoReturn]:
    """`__getattr__` of a module that has nothing."""

    def get(name: str) -> NoReturn:
        raise AttributeError(f"Nacre's stand-in for {module} has no {name}: install the package itself")

    return get
