"""How a transform cuts and sends: what was asked for, else what the first container says, else SageMaker's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nacre.errors import RequestError, SetupError
from nacre.transform.records import BATCH_STRATEGIES, MEGABYTE

LARGEST = 100
"""The largest MaxPayloadInMB, and the largest product with a MaxConcurrentTransforms that was asked for."""
SPELLED = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
"""/execution-parameters and the containers' environment spell a BatchStrategy otherwise than the API."""


@dataclass(frozen=True)
class Parameters:
    """The three effective values; the defaults are SageMaker's. `payload_mb` 0 is no limit."""

    concurrent: int = 1
    payload_mb: int = 6
    strategy: str = "MultiRecord"

    @property
    def limit(self) -> int:
        """The largest body of a request in bytes, 0 for none."""
        return self.payload_mb * MEGABYTE


def environment(concurrent: int | None, payload_mb: int | None, strategy: str | None) -> dict[str, str]:
    """What batch transform adds to the environment of every container: SAGEMAKER_BATCH, and what was asked for."""
    spelled = {name: word for word, name in SPELLED.items()}
    values = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": None if payload_mb is None else str(payload_mb),
        "SAGEMAKER_BATCH_STRATEGY": spelled.get(strategy or ""),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(concurrent) if concurrent else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def resolve(
    concurrent: int | None, payload_mb: int | None, strategy: str | None, container: Mapping[str, Any]
) -> Parameters:
    """The values that hold. `container` is the answer of the first container's /execution-parameters, {} without one.

    Raises RequestError for values SageMaker refuses.
    """
    default = Parameters()
    told = container.get("BatchStrategy")
    chosen = Parameters(
        concurrent or container.get("MaxConcurrentTransforms") or default.concurrent,
        payload_mb if payload_mb is not None else container.get("MaxPayloadInMB", default.payload_mb),
        strategy or SPELLED.get(told, default.strategy) if isinstance(told, str) else strategy or default.strategy,
    )
    _check(chosen, asked=bool(concurrent))
    return chosen


def fetched_parameters(url: str, timeout: float) -> Mapping[str, Any]:
    """/execution-parameters of a running container. Anything but 200 with a JSON object means it has none: {}."""
    import json
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(f"{url.rstrip('/')}/execution-parameters", timeout=timeout) as answer:  # noqa: S310  as given
            told = json.load(answer)
    except HTTPError:
        return {}
    except (OSError, ValueError) as error:
        got = f"{url}: {error}"
        raise SetupError("the container gives no answer", expected="a running container", got=got) from None
    return told if isinstance(told, dict) else {}


def _check(chosen: Parameters, asked: bool) -> None:
    if chosen.strategy not in BATCH_STRATEGIES:
        raise RequestError("no such BatchStrategy", expected=" or ".join(BATCH_STRATEGIES), got=chosen.strategy)
    if not 0 <= chosen.payload_mb <= LARGEST:
        raise RequestError("MaxPayloadInMB is out of range", expected=f"0 to {LARGEST}", got=chosen.payload_mb)
    if chosen.concurrent < 1:
        raise RequestError("MaxConcurrentTransforms is out of range", expected="1 or more", got=chosen.concurrent)
    if asked and chosen.concurrent * chosen.payload_mb > LARGEST:
        raise RequestError(
            "MaxConcurrentTransforms times MaxPayloadInMB is too large",
            expected=f"at most {LARGEST}",
            got=f"{chosen.concurrent} * {chosen.payload_mb}",
        )
