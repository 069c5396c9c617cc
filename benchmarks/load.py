"""Loading a forest of 500 trees, full to depth 5 and to depth 10: seconds, and the memory that the loaded model keeps.

Each model is loaded in a process of its own, once for the time and once, with every allocation counted, for the
memory. The row plan's first row is timed as well, since it is compiled then. Answers are checked against the trees.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from _common import load

from nacre.bundle import Node, new_bundle, write
from nacre.bundle.trees import Tree, link
from nacre.stages import REGISTRY

TREES, FEATURES, ROWS, REPEATS = 500, 20, 200, 5
TARGETS = {5: 1.0, 10: 5.0}
"""Seconds by depth."""


def grown(depth: int, random: np.random.Generator) -> Tree:
    """A tree with all splits of its depth, thresholds between 0 and 1."""
    tree = Tree()

    def below(level: int) -> None:
        if level == depth:
            tree.add_leaf((float(random.normal()),))
            return
        tree.add_split(int(random.integers(FEATURES)), float(random.random()))
        below(level + 1)
        below(level + 1)

    below(0)
    return link(tree)


def forest(depth: int, path: Path) -> float:
    """Write the bundle; its score of a row of 0.5s, by the trees themselves."""
    random = np.random.default_rng(depth)
    trees, member = [grown(depth, random) for _ in range(TREES)], REGISTRY["decision_tree_regression"]
    names = [f"tree{n}" for n in range(TREES)]
    values = {"num_features": FEATURES, "tree_weights": [1.0] * TREES, "trees": names}
    node = REGISTRY["random_forest_regression"].make(
        "forest", values, [("features", "features")], [("prediction", "prediction")]
    )
    node.members = [member.make(name, {"num_features": FEATURES}, [], []) for name in names]
    for each, tree in zip(node.members, trees, strict=True):
        each.tree = tree
    root: Node = REGISTRY["pipeline"].make("forest_pipeline", {"nodes": ["forest"]}, [], [])
    root.children = [node]
    write(new_bundle(root), path)
    return sum(map(_half, trees)) / TREES


def _half(tree: Tree) -> float:
    node = 0
    while tree.feature[node] >= 0:
        node = tree.left[node] if tree.threshold[node] >= 0.5 else tree.right[node]
    return tree.values[node][0]


def child(path: Path, count_memory: bool) -> list[float]:
    """In a process of its own: (seconds and processor seconds of loading, bytes kept, processor seconds of the first
    row and of a later one, their score)."""
    command = [sys.executable, __file__, "--child", str(path), *(["--memory"] if count_memory else [])]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(map(float, told.split()))


def in_child(path: Path, count_memory: bool) -> None:
    import gc
    import tracemalloc

    import nacre

    if count_memory:
        tracemalloc.start()
    start, cpu = perf_counter(), process_time()
    model = nacre.load(path)
    took, spent = perf_counter() - start, process_time() - cpu
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] if count_memory else 0
    tracemalloc.stop()
    values = {"features": (0.5,) * FEATURES}
    cpu = process_time()
    row = model.row(values, ["prediction"])
    first, cpu = process_time() - cpu, process_time()
    for _ in range(ROWS):
        model.row(values, ["prediction"])
    assert row is not None
    print(took, spent, kept, first, (process_time() - cpu) / ROWS, repr(row["prediction"]))


def measure(depth: int, folder: Path) -> None:
    path = folder / f"depth{depth}.zip"
    wanted = forest(depth, path)
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    runs = [child(path, False) for _ in range(REPEATS)]
    kept = child(path, True)[2]
    assert all(abs(run[5] - wanted) <= 1e-12 for run in runs), (runs, wanted)
    took, spent, _, first, row, _ = (statistics.median(each) for each in zip(*runs, strict=True))
    print(f"  depth {depth:2d}, {size / 1e6:5.1f} MB unzipped: load {took:.2f} s, {spent:.2f} s of processor time")
    print(f"      (target <= {TARGETS[depth]:.0f} s), {kept / size:.1f} times its size kept in memory (target <= 5);")
    print(f"      first row {first:.2f} s, a later row {row * 1e6:.0f} µs of processor time")


def main() -> int:
    parser = argparse.ArgumentParser(description="Loading big forests.")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        in_child(Path(given.child), given.memory)
        return 0
    print(f"{TREES} full trees over {FEATURES} features, {load()}; medians of {REPEATS}")
    with tempfile.TemporaryDirectory() as folder:
        for depth in TARGETS:
            measure(depth, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
