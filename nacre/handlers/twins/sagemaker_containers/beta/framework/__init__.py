"""What scikit-learn scripts of SageMaker import from here."""

from __future__ import annotations

from . import content_types, encoders, env, errors, modules, transformer, worker

__all__ = ["content_types", "encoders", "env", "errors", "modules", "transformer", "worker"]
