"""Spark's schema JSON to column types and back. ML vectors carry their size in ``ml_attr`` metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nacre.errors import SchemaError
from nacre.plan.types import Type

NAMES = {
    "boolean": "boolean", "byte": "byte", "short": "short", "integer": "int", "long": "long",
    "float": "float", "double": "double", "string": "string",
}  # fmt: skip
"""Spark's JSON word -> base type."""
WORDS = {base: word for word, base in NAMES.items()}
VECTOR_CLASS = "org.apache.spark.ml.linalg.VectorUDT"


def from_spark_json(schema: Any) -> dict[str, Type]:
    """Column types of a Spark schema (``df.schema.jsonValue()``). Columns of types no stage takes are left out."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("fields"), list):
        raise SchemaError("not a Spark schema", expected='{"type": "struct", "fields": […]}', got=schema)
    return dict(pair for field in schema["fields"] if (pair := _named(field))[1] is not None)


def _named(field: Any) -> tuple[str, Any]:
    """(name, type or None) of one field."""
    try:
        return str(field["name"]), _type(field["type"], field.get("metadata") or {})
    except (TypeError, KeyError, AttributeError, ValueError):
        raise SchemaError("not a Spark schema", expected='{"name": …, "type": …}', got=field) from None


def _type(kind: Any, metadata: Mapping[str, Any]) -> Type | None:
    if isinstance(kind, str):
        if kind in NAMES:
            return Type(NAMES[kind])
        if kind.startswith("decimal"):
            return Type("double")
        return Type("string") if kind.startswith(("varchar", "char")) else None
    if kind.get("type") == "udt" and kind.get("class") == VECTOR_CLASS:
        return Type("double", "vector", _size(metadata.get("ml_attr")))
    item = kind.get({"array": "elementType", "map": "valueType"}.get(kind.get("type"), ""))
    if isinstance(item, str) and item in NAMES and kind.get("keyType", "string") == "string":
        return Type(NAMES[item], "list" if kind["type"] == "array" else "map")
    if isinstance(item, Mapping) and item.get("class") == VECTOR_CLASS and kind["type"] == "array":
        return Type("double", "vectors")
    return None


def _size(attributes: Any) -> int | None:
    if not isinstance(attributes, Mapping):
        return None
    if "num_attrs" in attributes:
        return int(attributes["num_attrs"])
    groups = attributes.get("attrs")
    return sum(len(group) for group in groups.values()) if groups else None


def to_spark_json(types: Mapping[str, Type]) -> dict[str, Any]:
    """The inverse of :func:`from_spark_json`."""
    return {"type": "struct", "fields": [_field(name, given) for name, given in types.items()]}


def _field(name: str, given: Type) -> dict[str, Any]:
    kind: Any = WORDS[given.base]
    metadata: dict[str, Any] = {}
    if given.shape == "vector":
        kind = {"type": "udt", "class": VECTOR_CLASS}
        metadata = {"ml_attr": {"num_attrs": given.size}} if given.size is not None else {}
    elif given.shape == "map":
        kind = {"type": "map", "keyType": "string", "valueType": kind, "valueContainsNull": True}
    elif given.shape != "scalar":
        item = kind if given.shape == "list" else {"type": "udt", "class": VECTOR_CLASS}
        kind = {"type": "array", "elementType": item, "containsNull": True}
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}
