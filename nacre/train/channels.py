"""The input of a training job in SageMaker's folders: which channels there are and what their files hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import NacreError, SetupError
from nacre.handlers.xgboost_input import kind_of
from nacre.train.environment import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

TRAIN, VALIDATION, CODE = "train", "validation", "code"
SAGEMAKER = Path("/opt/ml/checkpoints")
"""The platform's own folder, wherever the container's base is."""
KNOWN = (TRAIN, VALIDATION, CODE)


class Channel(NamedTuple):
    """A folder of files of one `kind`; None: the files say."""

    path: Path
    kind: str | None


def channels(data: Path, config: Path, compat: bool = False) -> dict[str, Channel]:
    """Those of inputdataconfig.json, else the folders below `data`. A channel without ContentType is what its files
    look like; for the container it is libsvm. Raises SetupError."""
    told: Mapping[str, Any] = read_json(config / "inputdataconfig.json", {})
    told = told or {path.name: {} for path in sorted(data.glob("*")) if path.is_dir()}
    for name in told:
        if name not in KNOWN:
            raise SetupError(f"Extraneous channel found: {name}", expected=", ".join(KNOWN), got=name)
    if TRAIN not in told:
        got = ", ".join(told) or "none"
        raise SetupError(f"Missing required channel: {TRAIN}", expected=f"a channel {TRAIN}", got=got, file=str(data))
    return {
        name: Channel(data / name, _kind(name, dict(value or {}), compat))
        for name, value in told.items()
        if name != CODE
    }


def _kind(name: str, channel: Mapping[str, Any], compat: bool) -> str | None:
    if channel.get("TrainingInputMode", "File") == "Pipe":
        fix = "Set input_mode='File' in your SageMaker Estimator or TrainingInput"
        raise SetupError(
            f"channel {name}: Pipe mode is not supported", expected="File or FastFile", got="Pipe", fix=fix
        )
    content_type = channel.get("ContentType")
    if content_type is None:
        return "libsvm" if compat else None
    try:
        return kind_of(content_type, compat=True)
    except NacreError as error:
        raise SetupError(f"channel {name}: {error.message}", got=content_type) from None


def checkpoint_folder(config: Path, default: Path) -> Path | None:
    """Where checkpoints go: checkpointconfig.json says that there are any, and where; None for none."""
    file = config / "checkpointconfig.json"
    if not file.is_file():
        return None
    told = read_json(file)
    if not told:
        return None
    local = Path(told.get("LocalPath") or default)
    return default / local.relative_to(SAGEMAKER) if local.is_relative_to(SAGEMAKER) else local
