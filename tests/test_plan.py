"""The two plans are one: whatever the bundle and whatever the rows, columns and rows come to the same bits.

No Spark here: hypothesis draws bundles of every op and every choice of words, and rows with everything nasty in them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.ml.linalg import SparseVector

from nacre.errors import RowError
from nacre.plan.model import MODES, Model
from nacre.plan.rowcode import Dropped
from nacre.stages import REGISTRY
from tests import bundles
from tests.bundles import bits
from tests.plans import SCORED, STRATEGIES
from tests.plans.base import Draw, values


def test_every_op_is_drawn() -> None:
    assert set(STRATEGIES) == SCORED


def combinations() -> Iterator[Any]:
    """(op, mode, words) for every mode and every word of every choice, and its absence."""
    for op, mode in itertools.product(sorted(STRATEGIES), MODES):
        chosen = [attr for attr in REGISTRY[op].attributes if attr.choices]
        for words in itertools.product(*([*attr.choices, None] for attr in chosen)):
            named = {attr.name: word for attr, word in zip(chosen, words, strict=True) if word is not None}
            yield pytest.param(op, mode, named, id="-".join([op, mode, *(word or "absent" for word in words)]))


@st.composite
def models(draw: Draw, op: str, mode: str, words: dict[str, str]) -> tuple[Model, list[dict[str, Any]]]:
    nodes, kinds = draw(STRATEGIES[op](words))
    row = st.fixed_dictionaries({name: values(given) for name, given in kinds.items()})
    return Model(bundles.pipeline(*nodes, types=kinds), mode), draw(st.lists(row, min_size=1, max_size=10))


settings.register_profile(
    "plans", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
PLANS = settings.get_profile("plans")


@pytest.mark.parametrize(("op", "mode", "words"), list(combinations()))
@settings(PLANS, max_examples=25)
@given(data=st.data())
def test_plans_agree(op: str, mode: str, words: dict[str, str], data: st.DataObject) -> None:
    model, rows = data.draw(models(op, mode, words))
    bundles.assert_plans_agree(model, rows)


@pytest.mark.parametrize("op", sorted(STRATEGIES))
@settings(PLANS, max_examples=12)
@given(data=st.data())
def test_whole_tables(op: str, data: st.DataObject) -> None:
    """`transform` gives the rows that are scored, raises the first that fails; a positional function agrees."""
    model, rows = data.draw(models(op, "spark", {}))
    table = bundles.table(model, rows)
    outcomes = bundles.by_columns(model, rows)
    failed = next((each.error for each in outcomes if each.error), None)
    if failed is not None:
        with pytest.raises(RowError) as caught:
            model.transform(table)
        assert bundles.told(caught.value)[1:] == bundles.told(failed)[1:]
        assert caught.value.message.startswith(failed.message)
        assert caught.value.where["row"] == failed.where["row"]
    else:
        scored = model.transform(table)
        kept = [each.values for each in outcomes if each.values is not None]
        assert {name: bits(scored.column(name).to_pylist()) for name in model.outputs} == {
            name: bits([each[name] for each in kept]) for name in model.outputs
        }
    last = model.default_output
    assert last is not None
    single = model.compile_row(list(model.inputs), last)
    for row in rows:
        raw = [row[name] for name in model.inputs]
        positional = [tuple(x.toArray().tolist()) if isinstance(x, SparseVector) else x for x in raw]
        dense = dict(zip(model.inputs, positional, strict=True))  # positional vectors are DenseVectors
        assert attempt(lambda given=positional: single(given)) == attempt(lambda row=dense: chosen(model, row, last))  # type: ignore[misc]


def chosen(model: Model, row: dict[str, Any], column: str) -> Any:
    found = model.row(row, columns=[column])
    if found is None:
        raise Dropped
    return found[column]


def attempt(action: Callable[[], Any]) -> Any:
    try:
        return bits(action())
    except Dropped:
        return "dropped"
    except RowError as error:
        return bundles.told(error)


@pytest.mark.parametrize("op", sorted(STRATEGIES))
@settings(PLANS, max_examples=3)
@given(data=st.data())
def test_no_rows(op: str, data: st.DataObject) -> None:
    """A table without rows has all its columns, of their types; `warm` scores one."""
    model, _ = data.draw(models(op, "spark", {}))
    model.warm()
    scored = model.transform(model.input_schema.empty_table())
    assert scored.num_rows == 0
    assert {name: scored.schema.field(name).type for name in model.outputs} == {
        name: given.arrow() for name, given in model.outputs.items()
    }
