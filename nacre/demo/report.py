"""The demo's HTML report: the table, predicted against actual, and latency by container. One file, nothing loaded."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nacre.demo.compare import Verdict
    from nacre.demo.home import Home

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } th, td { padding: .3rem .9rem; text-align: right; border-bottom: 1px solid #d8dee6 }
th:first-child, td:first-child { text-align: left } .bad { color: #b3261e; font-weight: 600 }
svg { max-width: 100%; height: auto }
"""
INK, SHELL, CORAL = "#1d2733", "#3b7f8c", "#d9725b"


def write(
    home: Home, verdicts: list[Verdict], error: float, actual: np.ndarray, predicted: np.ndarray,
    seconds: dict[str, list[float]], source: Path | None,
) -> None:  # fmt: skip
    """Write report.html. `seconds`: latencies by container, "chain" for the whole."""
    origin = f"the file {source.name}" if source else "seeded rows of the Abalone schema"
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'><title>Nacre demo</title>",
        f"<style>{STYLE}</style>",
        "<h1>Abalone: one bundle, two containers, six ways to a score</h1>",
        f"<p>Fitted on {html.escape(origin)}. Each way ran in its own process; this table reads their files only.</p>",
        _table(verdicts),
        f"<h2>Predicted against actual, {len(actual)} validation rows, RMSE {error:.3f} rings</h2>",
        _predicted(actual, predicted),
        f"<h2>Latency by container, {len(seconds['chain'])} real-time requests, one at a time</h2>",
        _latency(seconds),
        "</html>",
    ]
    home.report.write_text("\n".join(parts), encoding="utf-8")


def _table(verdicts: list[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        word = "equal" if verdict.equal else html.escape(verdict.problem or "different")
        numbers = "".join(f"<td>{'' if x is None else f'{x:g}'}</td>" for x in (verdict.features, verdict.score))
        mark = "" if verdict.equal else " class='bad'"
        rows.append(f"<tr{mark}><td>{verdict.way}</td><td>{verdict.rows}</td>{numbers}<td>{word}</td></tr>")
    head = "<tr><th>way</th><th>rows compared</th><th>largest difference, features</th><th>score</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _axes(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _predicted(actual: np.ndarray, predicted: np.ndarray) -> str:
    figure, axes = _axes(7, 5)
    top = float(max(actual.max(), predicted.max())) + 1
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(actual))  # rings are whole numbers; shown side by side
    axes.plot([0, top], [0, top], color=INK, linewidth=1, zorder=1)
    axes.scatter(actual + spread, predicted, s=9, color=SHELL, alpha=0.5, linewidths=0, zorder=2)
    axes.set(xlabel="actual rings", ylabel="predicted rings", xlim=(0, top), ylim=(0, top))
    axes.annotate("predicted = actual", (top * 0.86, top * 0.86), (-8, 8), textcoords="offset points", ha="right")
    return _svg(figure)


def _latency(seconds: dict[str, list[float]]) -> str:
    names = [*(name for name in seconds if name != "chain"), "chain"]
    figure, axes = _axes(7, 0.8 + 0.8 * len(names))
    for row, name in enumerate(reversed(names)):
        for offset, share, color in ((0.18, 50, SHELL), (-0.18, 99, CORAL)):
            value = float(np.percentile(seconds[name], share)) * 1e3
            axes.barh(row + offset, value, 0.34, color=color, label=f"p{share}" if row == 0 else None)
            axes.text(value, row + offset, f" {value:.2f}", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set(xlabel="milliseconds, as the caller sees them")
    axes.margins(x=0.12)
    axes.legend(frameon=False)
    return _svg(figure)
