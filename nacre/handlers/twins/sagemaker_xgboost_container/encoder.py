"""`decode(body, content_type)`: rows of a request as a DMatrix."""

from __future__ import annotations

from nacre.handlers.xgboost_script import csv_to_dmatrix, decode, libsvm_to_dmatrix, recordio_protobuf_to_dmatrix

__all__ = ["csv_to_dmatrix", "decode", "libsvm_to_dmatrix", "recordio_protobuf_to_dmatrix"]
