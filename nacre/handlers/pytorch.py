"""The PyTorch container: a script of the user, or without one TorchScript or an archive of `torch.export`.

As AWS's: `model.pt`, or the only `.pt` or `.pth`, is loaded as TorchScript; rows become float32 tensors, the model runs
without gradients, and tensors go back as lists. Ours besides: `.pt2` of `torch.export.save`; JSON Lines and Parquet;
what only a pickle could load is refused by name. Models run on the CPU; a script may decide otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from nacre.errors import ModelError, NacreError, RequestError, SetupError
from nacre.handlers import script_formats as formats
from nacre.handlers.base import Setting
from nacre.handlers.pytorch_archive import SUFFIXES, first_line, kind_of
from nacre.handlers.script import SETTINGS, Script

MODEL = "model.pt"
PICKLE = Setting(
    "NACRE_ALLOW_PICKLE", "false", "true: load an archive of torch.export whatever it holds, which may run code in it"
)
REFUSED = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)
"""What a model raises for rows of another shape or type than it takes."""


class PyTorch(Script):
    """Frames are tensors, then what the model gives."""

    kind: ClassVar[str] = "pytorch"
    settings: ClassVar[tuple[Setting, ...]] = (*SETTINGS, PICKLE)
    needs_code: ClassVar[bool] = False

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Script:
        try:
            import torch  # noqa: F401
        except ModuleNotFoundError:
            fix = "pip install 'nacre[pytorch]'"
            raise SetupError("the package torch is not installed", fix=fix) from None
        return super().load(model_dir, env)

    def default_model_fn(self, model_dir: Path) -> Any:
        """The one model file, ready to be called. Raises ModelError."""
        import torch

        path = model_file(model_dir)
        kind = kind_of(path, trusted=(self.env.get(PICKLE.name) or "").lower() == "true")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # TorchScript has a successor; it is still loaded
                if kind == "torchscript":
                    return torch.jit.load(str(path), map_location="cpu").eval()
                return torch.export.load(str(path)).module()
        except Exception as error:  # PyTorch has no class of its own for it
            raise ModelError("PyTorch cannot load the model", got=first_line(error), file=path.name) from error

    def default_input_fn(self, body: str | bytes, content_type: str) -> Any:
        """A tensor: float32 of texts, NPY as it is."""
        import torch

        data = super().default_input_fn(body, content_type)
        if hasattr(data, "columns"):
            data = data.to_numpy()
        if formats.media_type(content_type)[0] != formats.NPY:
            data = formats.as_numbers(data)
        elif data.dtype.kind not in "biuf":
            raise RequestError("an array that is no tensor", expected="numbers", got=str(data.dtype))
        return torch.from_numpy(data.copy())

    def from_table(self, table: Any) -> Any:
        import torch

        data = super().from_table(table)
        data = data.to_numpy() if hasattr(data, "columns") else data
        return torch.from_numpy(formats.as_numbers(data).copy())

    def default_predict_fn(self, data: Any, model: Any) -> Any:
        """Without gradients. Raises RequestError for rows that the model does not take."""
        import torch

        try:
            with torch.no_grad():
                return model(data)
        except NacreError:
            raise
        except REFUSED as error:
            if self.owns("model_fn") or self.owns("input_fn"):
                raise  # the user's own model or data: not told apart from a fault in them
            got = f"{first_line(error)} (rows of shape {tuple(data.shape)})"
            raise RequestError("the model refuses these rows", got=got) from error

    def default_output_fn(self, prediction: Any, accept: str) -> Any:
        return super().default_output_fn(listed(prediction), accept)

    def to_array(self, frame: Any) -> Any:
        return super().to_array(listed(frame))


def listed(value: Any) -> Any:
    """Tensors, alone or inside, as lists and numbers."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def model_file(model_dir: Path) -> Path:
    """`model.pt`, else the only file with an ending of PyTorch's. Raises ModelError."""
    if (model_dir / MODEL).is_file():
        return model_dir / MODEL
    found = sorted(path for path in model_dir.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if len(found) == 1:
        return found[0]
    raise ModelError(
        "no model to serve", expected=f"{MODEL}, one other file with {', '.join(SUFFIXES)}, or a script with model_fn",
        got=", ".join(path.name for path in found) or "no such file", file=str(model_dir),
    )  # fmt: skip
