"""What JSON bundles lose of a number, kept beside it.

A default scalar is dropped by the format (so -0.0 would come back as 0.0), and NaN and both infinities become null.
:func:`lost` lists what a value loses on that way and :func:`restore` puts it back. The list travels as one more
attribute, ``nacre.exact.<name>``, which MLeap ignores. Protobuf loses nothing and needs none; one that is there is
read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from nacre.bundle.values import NUMBER_TAGS, Value, pack, unpack
from nacre.errors import BundleError

EXACT = "nacre.exact."
_WORDS = {"inf": math.inf, "-inf": -math.inf, "-0.0": -0.0}


def noted(attributes: dict[str, Value]) -> dict[str, Value]:
    """Attributes with the notes that JSON needs."""
    notes = {EXACT + name: lost(value) for name, value in attributes.items()}
    return attributes | {name: pack(text, "string") for name, text in notes.items() if text is not None}


def restored(attributes: dict[str, Value]) -> dict[str, Value]:
    """Attributes with their notes followed and gone. An error names its note as the field."""
    notes = [name for name in attributes if name.startswith(EXACT)]
    if not notes:
        return attributes
    found = {name: value for name, value in attributes.items() if name not in set(notes)}
    for name in notes:
        plain = name[len(EXACT) :]
        try:
            text = unpack(attributes[name], "string")
            if plain in found:
                found[plain] = restore(found[plain], text)
        except BundleError as error:
            raise error.at(field=name) from error.__cause__
    return found


def lost(value: Value) -> str | None:
    """What JSON would lose of a value, as the text of its note; None when nothing is lost.

    The text is a JSON array of [position, "inf" | "-inf" | "-0.0"]. A scalar's position is 0; inside a list of tensors
    it is [number of the tensor, position]. NaN is not listed: null already reads as NaN.
    """
    found: list[Any] = []
    if value.tag in NUMBER_TAGS:
        items = [value.data] if value.form == "scalar" else value.data
        found = list(_losses(items, value.form == "scalar"))
    elif value.tag == "tensor":
        tensors = [value.data] if value.form == "scalar" else value.data
        found = [
            [[n, i], word]
            for n, tensor in enumerate(tensors)
            if isinstance(tensor, Value)
            for i, word in _losses(tensor.data, scalar=False)
        ]
    return json.dumps(found) if found else None


def _losses(items: Any, scalar: bool) -> Iterator[list[Any]]:
    for i, x in enumerate(items):
        if isinstance(x, float) and (
            math.isinf(x) or (scalar and x == 0.0 and math.copysign(1.0, x) < 0)
        ):  # only a scalar's zero is dropped
            yield [i, repr(x)]


def restore(value: Value, text: str) -> Value:
    """Undo :func:`lost`. Raises BundleError on a text it did not write."""
    try:
        patches = [(at, _WORDS[word]) for at, word in json.loads(text)]
        if value.tag == "tensor":
            return _restore_tensors(value, patches)
        items: list[Any] = _patched([value.data] if value.form == "scalar" else value.data, patches)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise BundleError("malformed nacre.exact attribute", expected='[[position, "inf"]]', got=text) from error
    return Value(value.form, value.tag or "double", items[0] if value.form == "scalar" else items, value.dims)


def _restore_tensors(value: Value, patches: list[tuple[Any, float]]) -> Value:
    tensors = [value.data] if value.form == "scalar" else list(value.data)
    by_tensor: dict[int, list[tuple[Any, float]]] = {}
    for (number, at), x in patches:
        by_tensor.setdefault(_position(number), []).append((at, x))
    for number, own in by_tensor.items():
        tensor = tensors[number]
        tensors[number] = Value(tensor.form, tensor.tag, _patched(tensor.data, own), tensor.dims)
    return Value(value.form, value.tag, tensors[0] if value.form == "scalar" else tensors, value.dims)


def _patched(items: Any, patches: list[tuple[Any, float]]) -> list[Any]:
    patched = [*items]
    for at, number in patches:
        patched[_position(at)] = number
    return patched


def _position(at: Any) -> int:
    if isinstance(at, bool) or not isinstance(at, int) or at < 0:
        raise IndexError(at)
    return at
