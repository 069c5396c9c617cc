"""One row through a whole forest as logic on long integers: QuickScorer (Lucchese et al., SIGIR 2015).

Every tree has a lane of bits in one long integer, a bit a leaf, the leftmost leaf lowest. A split that sends the row
right rules out the leaves on its left, and the lowest bit left is the leaf reached. All splits on one feature that a
value sends right are those with a threshold up to it, so what they rule out together is kept for every threshold, and
one bisection a feature finds it: a row costs an `&` a feature and some array operations, however many splits there are.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.booster.forest import NO_TERM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacre.booster.forest import Forest

WIDTHS = (8, 16, 32, 64)
"""Bits of a lane, which are the most leaves of a tree."""
BLOCK_BITS = 4096
"""Bits of one long integer: larger ones take more memory a threshold, smaller ones more bisections a row."""
MAX_BYTES = 48 << 20
"""Of all that is kept for the thresholds."""
SPLIT, BISECTION, ARRAYS, TERM = 0.018, 0.09, 2.8, 0.012
"""Microseconds: of a split in generated source; here of a feature in a block, of the fixed part, of a tree."""


class Lanes:
    """What :func:`generate` needs to know of a forest: the leaves of each tree from left to right."""

    def __init__(self, forest: Forest):
        self.forest = forest
        self.left = forest.left.tolist()
        self.inner = forest.inner.tolist()
        self.feature = forest.feature.tolist()
        self.threshold = forest.threshold.tolist()
        self.default_right = forest.default_right.tolist()
        self.trees = max((stop - start for start, stop in forest.spans), default=0)
        """Lanes a group: one with fewer trees has empty lanes at its end."""
        self.roots = [
            root for start, stop in forest.spans for root in [*range(start, stop), *[-1] * (self.trees - stop + start)]
        ]

    def splits(self, root: int, leaves: list[int], found: list[tuple[int, int, int]]) -> None:
        """Add the leaves below `root`, and (node, first leaf, end) for what each split rules out to its left."""
        if not self.inner[root]:
            leaves.append(root)
            return
        first = len(leaves)
        self.splits(self.left[root], leaves, found)
        found.append((root, first, len(leaves)))
        self.splits(self.left[root] + 1, leaves, found)


def width_of(forest: Forest) -> int:
    """Bits a lane; 0 for a forest with a tree of more leaves than the widest has."""
    parents = np.flatnonzero(forest.inner)
    tree = np.arange(forest.size)
    for node in parents.tolist():
        tree[forest.left[node] : forest.left[node] + 2] = tree[node]
    most = int(np.bincount(tree[~forest.inner]).max(initial=1))
    return next((width for width in WIDTHS if most <= width), 0)


def pays(forest: Forest) -> bool:
    """Whether a row is scored faster so than by generated conditionals, within bounded memory."""
    count, inner = len(forest.roots), int(forest.inner.sum())
    if forest.categories or not inner or not hasattr(np, "bitwise_count") or inner * _block_bytes(count, 8) > MAX_BYTES:
        return False
    width = width_of(forest)
    if not width or inner * _block_bytes(count, width) > MAX_BYTES:
        return False
    used, blocks = len(np.unique(forest.feature[forest.inner])), -(-count * width // BLOCK_BITS)
    return SPLIT * forest.depth * count > ARRAYS + BISECTION * used * blocks + TERM * count


def _block_bytes(count: int, width: int) -> int:
    """Most bytes of one of a block's integers: 30 bits in 4 bytes, and a header."""
    return min(count * width, BLOCK_BITS) // 7 + 32


def generate(forest: Forest, base: Sequence[float]) -> tuple[str, dict[str, Any], int]:
    """The source of `terms`, the names it uses, and the terms a group; the first has the base score added."""
    lanes, width = Lanes(forest), width_of(forest)
    step = BLOCK_BITS // width
    table = np.full((len(lanes.roots), width), NO_TERM, np.float32)
    names: dict[str, Any] = {"bisect": bisect_right}
    functions = []
    for number, first in enumerate(range(0, len(lanes.roots), step)):
        functions.append(_block(lanes, number, range(first, min(first + step, len(lanes.roots))), width, table, names))
    with np.errstate(over="ignore", invalid="ignore"):
        table[:: lanes.trees] += np.array(base, np.float32)[:, None]
    names |= {
        "take": table.ravel().take,
        "count": np.bitwise_count,
        "frombuffer": np.frombuffer,
        "lane": np.dtype(f"<u{width // 8}"),
        "offsets": np.arange(len(table)) * width - 1,
    }
    calls = " + ".join(f"block{number}(row)" for number in range(len(functions)))
    last = f"def terms(row):\n    return take(count(frombuffer({calls}, lane)) + offsets)"
    return "\n\n".join([*functions, last]) + "\n", names, lanes.trees


def _block(
    lanes: Lanes, number: int, which: range, width: int, table: np.ndarray, names: dict[str, Any]
) -> str:  # fmt: skip
    """The function of some trees: the bits up to and with that of the leaf reached, a lane a tree."""
    full = (1 << len(which) * width) - 1
    splits: dict[int, list[tuple[float, int, bool]]] = {}
    for place, tree in enumerate(which):
        if lanes.roots[tree] < 0:
            continue
        leaves: list[int] = []
        found: list[tuple[int, int, int]] = []
        lanes.splits(lanes.roots[tree], leaves, found)
        table[tree, : len(leaves)] = lanes.forest.leaf[leaves]
        for node, first, end in found:
            kept = full ^ (((1 << end - first) - 1) << place * width + first)
            splits.setdefault(lanes.feature[node], []).append((lanes.threshold[node], kept, lanes.default_right[node]))
    names[f"ones{number}"] = sum(1 << place * width for place in range(len(which)))
    lines, masks = [], []
    for feature, those in sorted(splits.items()):
        names[f"at{number}_{feature}"], names[f"kept{number}_{feature}"] = _kept(those, full)
        lines.append(f"    a{feature} = row[{feature}]\n")
        at = f"bisect(at{number}_{feature}, a{feature}) if a{feature} == a{feature} else -1"
        masks.append(f"kept{number}_{feature}[{at}]")
    bits = " & ".join(masks) or str(full)
    size = len(which) * width // 8
    return (
        f"def block{number}(row):\n{''.join(lines)}    bits = {bits}\n"
        f'    return (bits ^ (bits - ones{number})).to_bytes({size}, "little")'
    )


def _kept(splits: list[tuple[float, int, bool]], full: int) -> tuple[list[float], list[int]]:
    """One feature's thresholds in order, and the bits left by values below the first, from the first on, …; the last
    entry is for a missing value."""
    missing = full
    for _, kept, right in splits:
        if right:
            missing &= kept
    thresholds: list[float] = []
    bits = [full]
    for threshold, kept, _ in sorted(splits):
        if thresholds and thresholds[-1] == threshold:
            bits[-1] &= kept
        else:
            thresholds.append(threshold)
            bits.append(bits[-1] & kept)
    return np.array(thresholds).tolist(), [*bits, missing]  # floats made one after the other lie side by side
