"""MLeap's own writer in the sweep: `make parity SPARK=3.5.9 ARGS="--writer mleap"`.

Each case is written by MLeap on that Spark, in protobuf, since MLeap's JSON loses infinities, and the bundle scored here
as any other. What MLeap refuses to write is not run; what its bundles lose is in `LOST`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.oracle import fetch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SPARKS_OWN = ("scala-library-", "scala-reflect-", "spark-", "slf4j-", "commons-")
"""Jars of the fetched that would stand before Spark's own of the same name. All others have to: the writer is built
for an older breeze than the one in Spark 3.5."""
ASSEMBLED = "VectorAssembler's handleInvalid: NaN passes, where Spark fails or drops the row"
LOST = {
    "vector_assembler@": ASSEMBLED,
    "decision_tree_classifier@leaf-column": ASSEMBLED,
    "als@drop": "coldStartStrategy: an unknown id gives NaN",
    "k_means@cosine": "distanceMeasure: a vector of length zero is no error",
    "bisecting_k_means@cosine": "distanceMeasure: a vector of length zero is no error",
    "generalized_linear_regression@tweedie": "variancePower",
    "nacre.generalized_linear_regression@": "offsetCol, and powers",
    "naive_bayes@gaussian": "the variances",
}
"""Beginning of a case's name -> what MLeap's writer loses of it, so that its bundle does not give Spark's numbers."""
BY_VERB = "standard_scaler@edges"
"""The case that `nacre convert` writes too."""
ENOUGH = 20
"""Ops of which MLeap has to have written at least one case when all are asked for."""


def judged(bad: list[str], written: int) -> list[str]:
    """The differences that are no loss of MLeap's writer; and if it wrote next to nothing, that."""
    few = [f"MLeap wrote bundles of {written} ops, fewer than {ENOUGH}"] if written < ENOUGH else []
    return few + [line for line in bad if not line.startswith(tuple(LOST))]


def settings() -> Mapping[str, str]:
    """The environment that gives Spark the writer's jars. Raises FetchError."""
    jars = [jar for jar in fetch.fetched(fetch.WRITER) if not jar.name.startswith(SPARKS_OWN)]
    path = os.pathsep.join(map(str, jars))
    return {"PYSPARK_SUBMIT_ARGS": f"--driver-class-path {path} pyspark-shell"}


def verb_differs(fitted: Any, frame: Any, saved: Path, folder: Path) -> str | None:
    """What is wrong with the bundle that `nacre convert --writer mleap` makes of a saved model, beside `saved`."""
    from nacre.bundle.files import open_bundle
    from nacre.spark.convert import main

    fitted.write().save((folder / "fitted").as_uri())
    (folder / "schema.json").write_text(frame.schema.json())
    arguments = ["--schema", str(folder / "schema.json"), "--format", "protobuf", "--writer", "mleap"]
    main([str(folder / "fitted"), str(folder / "by-verb.zip"), *arguments])
    with open_bundle(folder / "by-verb.zip") as made, open_bundle(saved) as known:
        wanted = [name for name in known if name.startswith("root/")]
        if [name for name in made if name.startswith("root/")] != wanted:
            return f"nacre convert writes {sorted(made)}"
        return next((f"{name} is another" for name in wanted if made.read(name) != known.read(name)), None)
