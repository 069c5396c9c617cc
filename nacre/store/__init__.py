"""Files wherever they are: local paths, `file://` and `s3://`."""

from __future__ import annotations

from nacre.store.artefact import fetch_artefact
from nacre.store.places import is_s3, local_path

__all__ = ["fetch_artefact", "is_s3", "local_path"]
