"""The quick ways of text and numbers against the ordinary ones: the same values, the same text, or None."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.formats import decimals
from nacre.formats.javatext import double_text

pytest.importorskip("orjson")

EDGES = [
    0.0,
    -0.0,
    1e-3,
    9.999e-4,
    1e-4,
    9.99e-5,
    1e-5,
    9.99e-6,
    1e7,
    9999999.999999998,
    1e15,
    1e16,
    1e17,
    1e22,
    5e-324,
]
ANY = st.one_of(
    st.floats(), st.sampled_from(EDGES), st.floats(-1e7, 1e7), st.integers(-999, 999).map(lambda n: n / 100)
)


def bits(values: object) -> bytes:
    return np.asarray(values, np.float64).tobytes()


@given(st.lists(ANY, min_size=1, max_size=4))
def test_java_lines(values: list[float]) -> None:
    wanted = ",".join(map(double_text, values))
    assert decimals.java_line(values) in (None, wanted)
    assert decimals.java_lines(np.array([values, values])) in (None, f"{wanted}\n{wanted}")


@given(st.lists(ANY, min_size=1, max_size=4))
def test_python_lines(values: list[float]) -> None:
    wanted = "".join(f"{value!r}\n" for value in values).encode()
    assert decimals.python_lines(values) in (None, wanted)
    assert decimals.python_line(values[0]) == f"{values[0]!r}\n".encode()


@given(st.binary(min_size=8, max_size=8))
def test_digits_of_any_double_and_float(raw: bytes) -> None:
    for value in (struct.unpack("d", raw)[0], *struct.unpack("2f", raw)):
        assert decimals.java_line([value]) in (None, double_text(value))
        assert decimals.python_line(value) == f"{value!r}\n".encode()


def test_usual_numbers_are_taken() -> None:
    assert decimals.read(b"1.5,2,-0.25,-0.0") == [1.5, 2, -0.25, -0.0]
    assert decimals.java_line((0.0, 0.455, 100.0, -2.5)) == "0.0,0.455,100.0,-2.5"
    assert decimals.java_lines(np.array([[0.5, 1.0], [2.0, -0.0]])) == "0.5,1.0\n2.0,-0.0"
    assert decimals.python_lines([13.144712448120117, 2.0]) == b"13.144712448120117\n2.0\n"
    assert bits(decimals.read_lines(b"1,2\n0.5,-0.0")) == bits([[1.0, 2.0], [0.5, -0.0]])


@pytest.mark.parametrize(
    "text",
    [b"-0", b"1,-0", b"-0,1.5", b"true", b"null", b'"1"', b"[1]", b"1],[2", b"1e5", b"1_0", b"+1", b".5", b"1.", b"01",
     b"", b" 1", b"1,", b",1", b"1,,2", b"nan", b"1\n2", b"NaN", b"0x1p3", b"1" * 400, b"1;2", "\u0661".encode()],
)  # fmt: skip
def test_what_is_no_plain_decimal_is_left_to_others(text: bytes) -> None:
    assert not decimals.read(text)
    if text != b"1\n2":
        assert decimals.read_lines(text) is None


@pytest.mark.parametrize("text", [b"1,2\n3", b"1\n\n2", b"1,2\n3,4,5", b"\n1", b"1,2\n-0,3"])
def test_lines_of_several_lengths_are_left_to_others(text: bytes) -> None:
    assert decimals.read_lines(text) is None


@given(st.lists(st.one_of(ANY.map(repr), st.decimals(allow_nan=False, allow_infinity=False).map("{:f}".format),
                          st.integers(-(2**70), 2**70).map(str)), min_size=1, max_size=3))  # fmt: skip
def test_reading_is_python_s(fields: list[str]) -> None:
    text = ",".join(fields).encode()
    for found in (decimals.read(text), decimals.read_floats(text)):
        assert found is None or bits(found) == bits(list(map(float, fields)))
    lines = decimals.read_lines(text + b"\n" + text)
    assert lines is None or bits(lines) == bits([list(map(float, fields))] * 2)


def test_without_orjson_everything_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decimals, "orjson", None)
    assert decimals.read(b"1.5") is decimals.read_lines(b"1.5") is decimals.java_line([1.5]) is None
    assert decimals.java_lines(np.ones((1, 1))) is decimals.python_lines([1.5]) is None
    assert decimals.python_line(1.5) == b"1.5\n"
