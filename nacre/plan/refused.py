"""Ops that are read and audited, and refused with a reason of their own when somebody wants a score."""

from __future__ import annotations

REFUSED = {
    "categorical_drilldown": (
        "MLeap writes whole transformers into it and reads bare models back, so that no bundle of it survives a round "
        "trip even there. Route rows to one bundle a label instead"
    ),
    "svm": (
        "mleap's package for scikit-learn writes LinearSVC and SVC under this name, and no MLeap reads it. Write a "
        "LogisticRegression, or rename the op to support_vector_machine if the kernel is linear"
    ),
}
"""op -> why, and the way out."""
