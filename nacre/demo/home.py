"""Where the demo keeps its files: one folder, one name for each thing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RAW = ("sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight")
LABEL = "rings"


@dataclass(frozen=True)
class Home:
    """The demo's folder. Everything is derived from it, so that each process needs only its path."""

    path: Path

    @property
    def data(self) -> Path:
        """All rows with their label, no header."""
        return self.path / "data" / "abalone.csv"

    @property
    def requests_csv(self) -> Path:
        """The same rows without their label: what a client sends."""
        return self.path / "data" / "requests.csv"

    @property
    def requests_parquet(self) -> Path:
        return self.path / "data" / "requests.parquet"

    @property
    def artefacts(self) -> Path:
        return self.path / "artefacts"

    @property
    def bundle(self) -> Path:
        return self.artefacts / "features.zip"

    @property
    def features_model(self) -> Path:
        return self.artefacts / "features" / "model.tar.gz"

    @property
    def rings_model(self) -> Path:
        return self.artefacts / "rings" / "model.tar.gz"

    @property
    def reference(self) -> Path:
        """Spark's own transformed rows."""
        return self.artefacts / "reference"

    @property
    def validation(self) -> Path:
        return self.artefacts / "validation" / "parquet"

    @property
    def pipeline(self) -> Path:
        return self.path / "pipeline.yaml"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def latencies(self) -> Path:
        return self.path / "results" / "latencies.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def result(self, name: str) -> Path:
        """The file that one column of the table is read from."""
        return self.path / "results" / f"{name}.parquet"
