"""Spark's own errors, as sentences that a user can act on."""

from __future__ import annotations


def is_sparks(error: Exception) -> bool:
    """Whether Spark raised it, in Python or on the JVM."""
    from pyspark.errors import PySparkException

    return isinstance(error, PySparkException) or type(error).__name__ == "Py4JJavaError"


def root_cause(error: Exception) -> str:
    """The innermost sentence of a Spark error: what a user can act on, without the stack."""
    lines = str(getattr(error, "java_exception", None) or error).splitlines()
    causes = [line.strip() for line in lines if line.strip().startswith("Caused by:")]
    return (causes[-1] if causes else next((line for line in lines if line.strip()), type(error).__name__))[:500]
