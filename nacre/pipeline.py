"""A pipeline file: the `Containers` of SageMaker's CreateModel as YAML (or JSON), checked as CreateModel checks them.

Limits and patterns: sagemaker-contract.md 1.4 and 2 of the reference, from SageMaker's service model.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, SetupError
from nacre.handlers import handler_class, kind_of_image
from nacre.handlers.container import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PIPELINE_KEYS = ("ModelName", "Containers", "ExecutionRoleArn")
CONTAINER_KEYS = ("ContainerHostname", "Image", "ModelDataUrl", "Environment")
MOST_CONTAINERS = 15
HOSTNAME = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MODEL_NAME = re.compile("[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
VARIABLE = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
MOST_VARIABLES = 100
LONGEST_VARIABLE = 1024
ENVIRONMENT_BYTES = 32 * 1024
PLATFORM_VARIABLES = ("SAGEMAKER_", "SM_")
"""Variables that only the platform or the pipeline may set: a container does not inherit them from the shell."""


FOREIGN = "image"
"""The kind of a container whose image is none of ours: a container engine runs it."""


@dataclass(frozen=True)
class ContainerDefinition:
    """One container: name in the chain, kind, image as written, artefact (URL or absolute path), environment."""

    name: str
    kind: str
    image: str
    model_data_url: str | None
    environment: Mapping[str, str]

    @property
    def alone(self) -> bool:
        """Whether it runs code that is not ours, and so is a process of its own."""
        return self.kind == FOREIGN or handler_class(self.kind).runs_alone(self.env())

    @property
    def needs_model(self) -> bool:
        return self.kind != FOREIGN and not handler_class(self.kind).listens

    def artefact(self) -> str:
        """Where the model is. Raises SetupError when the definition does not say."""
        if self.model_data_url is None:
            fix = f"Add it, or give {self.name}=PATH"
            raise SetupError("the container has no model", expected="ModelDataUrl", container=self.name, fix=fix)
        return self.model_data_url

    def env(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment this container sees, in a process of its own or fused: the same for both."""
        base = os.environ if base is None else base
        inherited = {name: value for name, value in base.items() if not name.startswith(PLATFORM_VARIABLES)}
        return inherited | dict(self.environment) | {NAME.name: self.name}


@dataclass(frozen=True)
class Pipeline:
    """A linear chain of containers, first to last."""

    name: str
    containers: tuple[ContainerDefinition, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Pipeline:
        """Read a pipeline file; relative artefacts count from its folder. Raises SetupError naming the file."""
        path = Path(path)
        try:
            return cls.from_definition(load_yaml(path), path.resolve().parent)
        except NacreError as error:
            raise error.at(file=str(path)) from error.__cause__

    @classmethod
    def from_definition(cls, definition: Any, base: Path) -> Pipeline:
        """CreateModel's arguments as a mapping. Raises SetupError."""
        keys = checked_keys(definition, PIPELINE_KEYS, "the pipeline")
        name = keys.get("ModelName")
        if not isinstance(name, str) or not MODEL_NAME.fullmatch(name):
            raise SetupError("ModelName is not usable", expected="letters, digits and -, up to 63", got=name)
        given = keys.get("Containers")
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_CONTAINERS:
            got = len(given) if isinstance(given, list) else given
            raise SetupError("Containers is not usable", expected=f"a list of 1 to {MOST_CONTAINERS}", got=got)
        found = [checked_keys(item, CONTAINER_KEYS, f"container {at}") for at, item in enumerate(given, 1)]
        names = hostnames(found)
        containers = tuple(container(item, name, base) for item, name in zip(found, names, strict=True))
        check_environments(containers)
        return cls(name, containers)

    def with_artefacts(self, artefacts: Mapping[str, str]) -> Pipeline:
        """The same pipeline with other artefacts, `{container: URL or path}`; relative paths count from here."""
        self._check_names(artefacts)
        changed = [
            replace(item, model_data_url=resolved(artefacts[item.name], Path.cwd())) if item.name in artefacts else item
            for item in self.containers
        ]
        return replace(self, containers=tuple(changed))

    def with_environment(self, environment: Mapping[str, str]) -> Pipeline:
        """The same pipeline with variables added to every container, as a transform job adds its own."""
        changed = [replace(item, environment={**item.environment, **environment}) for item in self.containers]
        check_environments(changed)
        return replace(self, containers=tuple(changed))

    def _check_names(self, names: Iterable[str]) -> None:
        known = [item.name for item in self.containers]
        for name in names:
            if name not in known:
                raise SetupError("no such container", expected=", ".join(known), got=name, fix=meant(name, known))


def overrides(texts: Iterable[str]) -> dict[str, str]:
    """`NAME=PATH` texts of a command line, for `with_artefacts`. Raises SetupError."""
    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise SetupError("not an artefact", expected="CONTAINER=PATH", got=text)
        found[name] = path
    return found


def load_yaml(path: Path, aliases: bool = True) -> Any:
    """The document of a YAML file, in which no key stands twice. Raises SetupError.

    `aliases` off: `*name` is refused, with which a small file can stand for a huge one.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if not aliases and self.check_event(yaml.AliasEvent):
                raise SetupError("an alias in the file", expected="values written out", got="*name")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [getattr(key, "value", None) for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                where = f"line {node.start_mark.line + 1}"
                raise SetupError("a key stands twice", expected="each key once", got=str(twice), row=where)
            return super().construct_mapping(node, deep)

    try:
        with path.open("rb") as file:
            return yaml.load(file, Loader)  # noqa: S506  a SafeLoader
    except OSError as error:
        raise SetupError("cannot read the file", got=error.strerror or str(error)) from error
    except yaml.YAMLError as error:
        raise SetupError("not YAML", expected="a YAML file", got=" ".join(str(error).split())) from error


def checked_keys(item: Any, known: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise SetupError(f"{what} is not usable", expected=f"a mapping of {', '.join(known)}", got=item)
    for key in item:
        if key not in known:
            fix = meant(str(key), known)
            raise SetupError(f"unknown key in {what}", expected=", ".join(known), got=str(key), fix=fix)
    return item


def hostnames(items: list[dict[str, Any]]) -> list[str]:
    """Names of the containers: all given, or none and then `container-1` and so on."""
    names = [item.get("ContainerHostname") for item in items]
    if names == [None] * len(names):
        return [f"container-{at}" for at in range(1, len(names) + 1)]
    rule = "on every container or on none"
    for at, name in enumerate(names, 1):
        if name is None:
            raise SetupError("ContainerHostname is missing", expected=rule, got="none", container=f"container-{at}")
        if not isinstance(name, str) or not HOSTNAME.fullmatch(name):
            raise SetupError("ContainerHostname is not usable", expected="letters, digits and -, up to 63", got=name)
        if names.count(name) > 1:
            raise SetupError("ContainerHostname stands twice", expected="one a container", got=name)
    return [str(name) for name in names]


def container(item: dict[str, Any], name: str, base: Path) -> ContainerDefinition:
    image = item.get("Image")
    if not isinstance(image, str) or not re.fullmatch(r"\S{1,255}", image):
        raise SetupError("Image is not usable", expected="an image's name", got=image, container=name)
    url = item.get("ModelDataUrl")
    if url is not None and not (isinstance(url, str) and url):
        raise SetupError("ModelDataUrl is not usable", expected="a path, file:// or s3://", got=url, container=name)
    try:
        kind = FOREIGN if is_foreign(image) else kind_of_image(image)
    except NacreError as error:
        raise error.at(container=name) from None
    where = None if url is None else resolved(url, base)
    return ContainerDefinition(name, kind, image, where, environment(item.get("Environment"), name))


OURS = re.compile(r"(?:[^/]+/)*nacre/[^/]*|(?:[^/]+/)*(?:nacre|sagemaker)-[^/]*|[^/:@]*")
"""Names that can only be meant for an image of ours or of AWS's; one word without a tag is one too."""


def is_foreign(image: str) -> bool:
    """Whether no container of ours stands for an image, and its name is not a slip of the pen for one that does."""
    try:
        kind_of_image(image)
    except NacreError:
        return OURS.fullmatch(image) is None
    return False


def resolved(url: str, base: Path) -> str:
    return url if "://" in url else str(base / url)


def environment(given: Any, name: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise SetupError("Environment is not usable", expected="a mapping of texts", got=given, container=name)
    for key, value in given.items():
        if not isinstance(value, str):
            fix = "Quote it: the environment holds texts only"
            raise SetupError("a value is no text", expected="a text", got=value, container=name, field=key, fix=fix)
    return dict(given)


def check_environments(containers: Iterable[ContainerDefinition]) -> None:
    """SageMaker's limits: a container's variables, and the bytes of all containers together. Raises SetupError."""
    total = 0
    for item in containers:
        if len(item.environment) > MOST_VARIABLES:
            raise SetupError(
                "too many variables", expected=f"at most {MOST_VARIABLES}", got=len(item.environment),
                container=item.name,
            )  # fmt: skip
        for key, value in item.environment.items():
            check_variable(key, value, item.name)
            total += len(key.encode()) + len(value.encode())
    if total > ENVIRONMENT_BYTES:
        what = "the environments of all containers together are too large"
        raise SetupError(what, expected=f"at most {ENVIRONMENT_BYTES} bytes", got=f"{total} bytes")


def check_variable(key: str, value: str, name: str) -> None:
    if not VARIABLE.fullmatch(key):
        raise SetupError("not a variable's name", expected="letters, digits and _", got=key, container=name)
    longest = max(len(key.encode()), len(value.encode()))
    if longest > LONGEST_VARIABLE:
        raise SetupError(
            "a variable is too long", expected=f"at most {LONGEST_VARIABLE} bytes", got=f"{longest} bytes",
            container=name, field=key, fix="SageMaker refuses it too; shorten it",
        )  # fmt: skip
    if "\0" in value:
        raise SetupError("a variable holds a NUL", expected="text", got="NUL", container=name, field=key)


def meant(name: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else None
