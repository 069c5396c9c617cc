from __future__ import annotations

from nacre.handlers.script_twins import BaseInferenceToolkitError, GenericInferenceToolkitError, UnsupportedFormatError

__all__ = ["BaseInferenceToolkitError", "GenericInferenceToolkitError", "UnsupportedFormatError"]
