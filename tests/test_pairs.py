"""All pairs of containers that can be fused give the same bytes fused and over HTTP."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.pairs.samples import SAMPLES, fusable
from tests.pairs.walk import page, ready, walk
from tests.shared import CHECKOUT


def test_every_kind_that_can_be_fused_has_samples():
    """A new kind needs models and requests in tests/pairs/samples.py."""
    assert set(fusable()) == set(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_content_type_is_asked(kind):
    sample = SAMPLES[kind]
    asked = {content_type for model in sample.models for _, content_type in model.requests.values()}
    assert set(sample.types) <= asked


def test_all_pairs(tmp_path):
    pytest.importorskip("xgboost")
    pytest.importorskip("fasttext")
    with ready(tmp_path) as found:
        counts, wrong = walk(found)
        spoilt = next(each for each in found if each.model.name == "1 number")
        handler = spoilt.container.handler
        hand_over = handler.hand_over
        handler.hand_over = lambda frame: None if (values := hand_over(frame)) is None else values + 1
        assert walk([spoilt])[1], "a container that hands other numbers over is found"
    print(page(counts))
    assert wrong == []
    assert set(counts) == {(first, second) for first in SAMPLES for second in SAMPLES}
    answered: Counter[str] = Counter()
    for pair, count in counts.items():
        for kind in pair:
            answered[kind] += count["answers"]
        assert count["refused"] or count["refused by the first"], pair
    assert all(answered[kind] > 50 for kind in SAMPLES)  # so that no kind is compared in its refusals only
    text = (CHECKOUT / "docs" / "pairs.md").read_text(encoding="utf-8")
    missing = [pair for pair in counts if f"| {pair[0]} | {pair[1]} |" not in text]
    assert not missing, "python -m tests.pairs writes docs/pairs.md again"
