"""Spark's DDL, such as ``"sex STRING, length DOUBLE"``, as a StructType, in every PySpark from 3.5 on."""

from __future__ import annotations

from typing import Any


def struct_of(ddl: str) -> Any:
    """The StructType. PySpark 4 has ``StructType.fromDDL``; 3.5 keeps the same parser under a private name."""
    from pyspark.sql import types

    if hasattr(types.StructType, "fromDDL"):
        return types.StructType.fromDDL(ddl)
    return types._parse_datatype_string(ddl)
