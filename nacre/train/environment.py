"""What a training script finds: SageMaker's folders, its `SM_` variables, and hyperparameters as arguments.

Names and forms are those of SageMaker's training toolkit, so that a script written for it runs unchanged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacre.errors import SetupError

BASE = "/opt/ml"
PREFIX = "sagemaker_"
"""Hyperparameters of this prefix are the platform's own; a script gets the others."""
TUNING = "_tuning_objective_metric"
PROGRAM, DIRECTORY, JOB, REGION, LOG_LEVEL = (
    f"sagemaker_{name}" for name in ("program", "submit_directory", "job_name", "region", "container_log_level")
)
KNOWN = frozenset(
    (PROGRAM, DIRECTORY, JOB, REGION, LOG_LEVEL, TUNING, f"{PREFIX}enable_cloudwatch_metrics", f"{PREFIX}s3_output")
)
DISTRIBUTED = tuple(
    f"{PREFIX}{name}_enabled"
    for name in (
        *("mpi", "parameter_server", "distributed_dataparallel", "pytorch_ddp", "pytorch_xla_multi_worker"),
        "multi_worker_mirrored_strategy",
    )
)
"""Hyperparameters that ask for training on several hosts."""
INFO = 20
"""Python's number of the log level."""


@dataclass(frozen=True)
class Folders:
    """The tree below /opt/ml, or wherever it is."""

    base: Path

    model = property(lambda self: self.base / "model")
    code = property(lambda self: self.base / "code")
    input = property(lambda self: self.base / "input")
    config = property(lambda self: self.base / "input" / "config")
    data = property(lambda self: self.base / "input" / "data")
    output = property(lambda self: self.base / "output")
    output_data = property(lambda self: self.base / "output" / "data")
    intermediate = property(lambda self: self.base / "output" / "intermediate")
    checkpoints = property(lambda self: self.base / "checkpoints")

    def make(self) -> None:
        for folder in (self.model, self.code, self.output_data, self.intermediate):
            folder.mkdir(parents=True, exist_ok=True)


def folders(env: Mapping[str, str]) -> Folders:
    return Folders(Path(env.get("SAGEMAKER_BASE_DIR") or BASE).resolve())


def read_json(file: Path, default: Any = None) -> dict[str, Any]:
    """A mapping from a file, `default` where there is none. Raises SetupError naming the file."""
    if default is not None and not file.is_file():
        return dict(default)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"cannot read {file.name}", expected="a JSON object", got=str(error), file=str(file)) from None
    if not isinstance(found, dict):
        got = type(found).__name__
        raise SetupError(f"cannot read {file.name}", expected="a JSON object", got=got, file=str(file))
    return found


@dataclass(frozen=True)
class Training:
    """One training job: hyperparameters as values, the platform's among them apart, channels with their folders."""

    folders: Folders
    hyperparameters: Mapping[str, Any]
    platform: Mapping[str, Any]
    channels: Mapping[str, Path]
    input_config: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, where: Folders) -> Training:
        """From the files of the platform; a file that is not there is an empty one."""
        given = {name: value_of(text) for name, text in read_json(where.config / "hyperparameters.json", {}).items()}
        config = read_json(where.config / "inputdataconfig.json", {})
        found = config or {path.name: {} for path in sorted(where.data.glob("*")) if path.is_dir()}
        resources = read_json(where.config / "resourceconfig.json", {})
        own = {name for name in given if name.startswith(PREFIX) or name == TUNING}
        return cls(
            where,
            {name: value for name, value in given.items() if name not in own},
            {name: value for name, value in given.items() if name in own},
            {name: where.data / name for name in found},
            config,
            resources or {"current_host": "algo-1", "hosts": ["algo-1"]},
        )

    @property
    def arguments(self) -> list[str]:
        """`--name value` a hyperparameter, in the order of their names."""
        found = []
        for name in sorted(self.hyperparameters):
            value = self.hyperparameters[name]
            if isinstance(value, Mapping):
                value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
            found += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
        return found

    def groups(self) -> dict[str, Any]:
        """Instance groups of a cluster of several kinds of machines; there are none in a usual one."""
        own = self.resources.get("current_group_name", "homogeneousCluster")
        groups = {group["instance_group_name"]: group for group in self.resources.get("instance_groups", ())}
        asked = any(self.platform.get(name) for name in DISTRIBUTED)
        return {
            "current_instance_group": own,
            "current_instance_group_hosts": groups[own]["hosts"] if own in groups else [],
            "instance_groups": list(groups),
            "instance_groups_dict": groups,
            "distribution_instance_groups": [own] if asked else [],
            "is_hetero": len(groups) > 1,
        }

    def master(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The hosts that train together, and the first of them."""
        chosen = [
            host
            for name, group in facts["instance_groups_dict"].items()
            if name in facts["distribution_instance_groups"]
            for host in group["hosts"]
        ]
        together = chosen if facts["instance_groups"] else facts["hosts"]
        first = (together or facts["hosts"])[0]
        return {
            "distribution_hosts": together,
            "master_hostname": first,
            "is_master": facts["current_host"] == first,
        }

    def variables(self, program: str, env: Mapping[str, str]) -> dict[str, str]:
        """The `SM_` variables, and those without prefix that scripts read."""
        where, hosts = self.folders, self.resources["hosts"]
        module = program.removesuffix(".py")
        facts: dict[str, Any] = {
            "model_dir": str(where.model),
            "module_dir": str(self.platform.get(DIRECTORY) or where.code),
            "input_dir": str(where.input),
            "input_config_dir": str(where.config),
            "output_dir": str(where.output),
            "output_data_dir": str(where.output_data),
            "output_intermediate_dir": str(where.intermediate),
            "channels": sorted(self.channels),
            "hosts": hosts,
            "current_host": self.resources["current_host"],
            "current_instance_type": self.resources.get("current_instance_type", "local"),
            "network_interface_name": self.resources.get("network_interface_name", "eth0"),
            "num_cpus": os.cpu_count() or 1,
            "num_gpus": gpus(),
            "num_neurons": 0,
            **self.groups(),
            "log_level": self.platform.get(LOG_LEVEL, INFO),
            "user_entry_point": program,
            "module_name": module,
            "framework_module": env.get("SAGEMAKER_TRAINING_MODULE"),
            "framework_params": {name: value for name, value in self.platform.items() if name not in KNOWN},
            "resource_config": self.resources,
            "input_data_config": self.input_config,
            "hps": self.hyperparameters,
        }
        summary = {
            **{name: value for name, value in facts.items() if name not in ("hps", "channels", "framework_params")},
            "additional_framework_parameters": facts["framework_params"],
            "channel_input_dirs": {name: str(path) for name, path in self.channels.items()},
            "hyperparameters": self.hyperparameters,
            **self.master(facts),
            "job_name": env.get("TRAINING_JOB_NAME"),
        }
        facts |= {"training_env": summary, "user_args": self.arguments}
        facts |= {f"channel_{name}": str(path) for name, path in self.channels.items()}
        facts |= {f"hp_{name}": value for name, value in self.hyperparameters.items()}
        return {f"SM_{name.upper()}": text_of(value) for name, value in facts.items()} | {
            "CURRENT_HOST": str(self.resources["current_host"]),
            "SAGEMAKER_JOB_NAME": str(self.platform.get(JOB, "")),
            "SAGEMAKER_REGION": str(self.platform.get(REGION) or env.get("AWS_REGION") or ""),
        }


def value_of(text: Any) -> Any:
    """A hyperparameter is the JSON of its value, or a text."""
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def text_of(value: Any) -> str:
    """A value as a variable holds it: texts as they are, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def gpus() -> int:
    """GPUs of NVIDIA that the kernel knows."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
