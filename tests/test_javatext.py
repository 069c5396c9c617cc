"""Java's number text against a real JVM: one launch prints and parses everything, then every value is compared."""

from __future__ import annotations

import math
import random
import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.formats.javatext import (
    PARSERS,
    NumberFormatError,
    double_text,
    double_texts,
    float32,
    float_text,
    parse_double,
    parse_doubles,
    parse_float,
    parse_int,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = r"""
import java.io.*;
import java.nio.charset.StandardCharsets;

public class Oracle {
    static String answer(String kind, String text) {
        try {
            switch (kind) {
                case "print double": return Double.toString(Double.longBitsToDouble(Long.parseUnsignedLong(text, 16)));
                case "print float": return Float.toString(Float.intBitsToFloat(Integer.parseUnsignedInt(text, 16)));
                case "double": return "ok " + Long.toHexString(Double.doubleToLongBits(Double.parseDouble(text)));
                case "float": return "ok " + Integer.toHexString(Float.floatToIntBits(Float.parseFloat(text)));
                case "int": return "ok " + Integer.parseInt(text);
                case "long": return "ok " + Long.parseLong(text);
                case "short": return "ok " + Short.parseShort(text);
                case "byte": return "ok " + Byte.parseByte(text);
                default: return "ok " + Boolean.parseBoolean(text);
            }
        } catch (NumberFormatException e) {
            return e.getMessage();
        }
    }
    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String kind; (kind = in.readLine()) != null;) {
            out.println(answer(kind, in.readLine().translateEscapes()).replace("\\", "\\\\").replace("\n", "\\n"));
        }
        out.flush();
    }
}
"""

DOUBLES = [
    0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 1e-3, 9.99e-4, 1e-4, 1e7, 9999999.0, 9999999.999999998, 12345678.9, 1e15,
    1e16, 1e17, 1e21, 1e22, 123456789012345680.0, -1234567890.5, 1.5e-5, 5e-324, 1.7976931348623157e308,
    2.2250738585072014e-308, math.pi, 1 / 3, math.nan, math.inf, -math.inf,
]  # fmt: skip
FLOATS = [0.455, 0.1, 1e10, 1.4e-45, 3.4028235e38, 16777216.0, 1e-3, 9.99e-4, 9999999.0, 1e7, math.inf, math.nan]

TEXTS = [
    "1", " 1 ", "\t1\n", "1d", "1f", "1D", "1F", "1fd", "1L", "0x1p3", "0x1", "0x.8p1", "0x.p1", "0X1.8P-2D",
    "0x1p99999", "-0x1p99999", "NaN", "+NaN", "-NaN", "nan", "NAN", "NaNd", "Infinity", "-Infinity", "+Infinity",
    "infinity", "inf", "INF", "1_000", "1e400", "-1e400", "1e-400", "1E5", "1e+5", "1e", "1e+", ".5", "5.", ".",
    "+", "-", "", " ", "+5", "-5", "--5", "1.0", "01", "abc", " abc ", "a b", "1,5", "１", "٣", "𝟏", "\u00a01",
    "1\u2003", "\x1f1", "\x851", "127", "128", "-128", "-129", "32767", "32768", "-32769", "2147483647",
    "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "9" * 5000, "0" * 5000 + "7", "true", "TRUE", "True", " true",
    "yes", "false", "null", "None", "1.00000017881393432617187499", "1.00000017881393432617187500",
    "1.00000017881393432617187501", "3.40282356779733661637539395458142568447e38",
    "3.40282356779733661637539395458142568448e38", "-3.40282356779733661637539395458142568447e38", "1e39",
    "7e-46", "7.1e-46", "7.0064923216240853546186479164495806564013097093825788587853e-46",
    "7.0064923216240853546e-46", "0x1.000001p0",
]  # fmt: skip


def double_bits(value: float) -> str:
    return f"{struct.unpack('>Q', struct.pack('>d', value))[0]:x}"


def float_bits(value: float) -> str:
    return f"{struct.unpack('>I', struct.pack('>f', value))[0]:x}"


def random_doubles(count: int) -> list[float]:
    """Random bit patterns, and numbers as they come in data."""
    rng = random.Random(7)
    patterns = [struct.unpack(">d", rng.randbytes(8))[0] for _ in range(count)]
    decimals = [round(rng.uniform(-1, 1) * 10 ** rng.randint(-6, 12), rng.randint(0, 9)) for _ in range(count)]
    return patterns + decimals


def random_floats(count: int) -> list[float]:
    rng = random.Random(8)
    patterns = [struct.unpack(">f", rng.randbytes(4))[0] for _ in range(count)]
    return patterns + [float32(round(rng.uniform(-1, 1) * 10 ** rng.randint(-5, 9), 4)) for _ in range(count)]


def near_ties(count: int) -> list[str]:
    """Decimals a hair's breadth from the middle of two float32, where rounding twice goes wrong."""
    rng = random.Random(9)
    out = []
    for _ in range(count):
        single = np.float32(rng.uniform(0.001, 1000.0))
        middle = (float(single) + float(np.nextafter(single, np.float32(np.inf)))) / 2
        exact = f"{middle:.60f}".rstrip("0")
        out += [exact, exact + "1", exact[:-1] + str(int(exact[-1]) - 1) + "9" * 20]
    return out


class Oracle:
    """Java's answers to (kind, text) questions."""

    def __init__(self, folder: Path):
        self.doubles = DOUBLES + random_doubles(20_000)
        self.floats = FLOATS + random_floats(20_000)
        self.ties = near_ties(2_000)
        rng = random.Random(10)
        alphabet = "0123456789..eE+-xXpPfFdDNaIn _ "
        self.soup = ["".join(rng.choices(alphabet, k=rng.randint(1, 7))) for _ in range(20_000)]
        self.questions = [("print double", double_bits(x)) for x in self.doubles]
        self.questions += [("print float", float_bits(x)) for x in self.floats]
        self.questions += [(kind, text) for kind in PARSERS if kind != "string" for text in TEXTS]
        self.questions += [("float", text) for text in self.ties]
        self.questions += [(kind, text) for kind in ("double", "int") for text in self.soup]
        self.answers = dict(zip(self.questions, self._ask(folder), strict=True))

    def _ask(self, folder: Path) -> list[str]:
        source = folder / "Oracle.java"
        source.write_text(PROGRAM)
        lines = [f"{kind}\n{escaped(text)}" for kind, text in self.questions]
        command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(source)]
        done = subprocess.run(command, input="\n".join(lines).encode(), capture_output=True, check=True)
        return [unescaped(text) for text in done.stdout.decode().split("\n")[:-1]]


def escaped(text: str) -> str:
    """A text on one line, as Java's translateEscapes reads it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace(" ", "\\s")


def unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\\\", "\\")


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    if shutil.which("java") is None:
        pytest.skip("no java on PATH")
    return Oracle(tmp_path_factory.mktemp("java"))


def ours(kind: str, text: str) -> str:
    """Our parser's answer, written like the oracle's."""
    try:
        value = PARSERS[kind](text)
    except NumberFormatError as error:
        return str(error)
    if kind in ("double", "float"):
        if value != value:
            return "ok 7ff8000000000000" if kind == "double" else "ok 7fc00000"
        return "ok " + (double_bits(value) if kind == "double" else float_bits(value))
    return "ok " + text_of(value)


@pytest.mark.parametrize("kind", [kind for kind in PARSERS if kind != "string"])
def test_texts_parse_as_in_java(java: Oracle, kind: str) -> None:
    expected = {text: java.answers[kind, text] for text in TEXTS}
    assert {text: ours(kind, text) for text in expected} == expected


@pytest.mark.parametrize("kind", ["double", "int"])
def test_random_texts_parse_as_in_java(java: Oracle, kind: str) -> None:
    expected = {text: java.answers[kind, text] for text in java.soup}
    assert {text: ours(kind, text) for text in expected} == expected
    assert sum(answer.startswith("ok") for answer in expected.values()) > 200


def test_float_is_rounded_once(java: Oracle) -> None:
    assert [ours("float", text) for text in java.ties] == [java.answers["float", text] for text in java.ties]


def agree(mine: str, java: str, size: int) -> bool:
    """JDK 18 and older print some numbers with more digits than needed; both must name the same number."""
    if mine == java:
        return True
    same = np.float32(mine) == np.float32(java) if size == 4 else float(mine) == float(java)
    return bool(same) and len(mine) <= len(java) and ("E" in mine) == ("E" in java)


def test_doubles_print_as_in_java(java: Oracle) -> None:
    expected = [java.answers["print double", double_bits(x)] for x in java.doubles]
    mine = [double_text(x) for x in java.doubles]
    different = [pair for pair in zip(mine, expected, strict=True) if pair[0] != pair[1]]
    assert [pair for pair in different if not agree(*pair, 8)] == []
    assert len(different) < 0.01 * len(mine)
    assert mine[: len(DOUBLES)] == expected[: len(DOUBLES)]
    assert double_texts(java.doubles) == mine
    assert double_texts(np.array(java.doubles)) == mine


def test_floats_print_as_in_java(java: Oracle) -> None:
    expected = [java.answers["print float", float_bits(x)] for x in java.floats]
    mine = [float_text(x) for x in java.floats]
    different = [pair for pair in zip(mine, expected, strict=True) if pair[0] != pair[1]]
    assert [pair for pair in different if not agree(*pair, 4)] == []
    assert len(different) < 0.1 * len(mine)
    assert mine[: len(FLOATS)] == expected[: len(FLOATS)]


@pytest.mark.parametrize("odd", ["1_0", "nan", "inf", "NaN", "1e400", "0x1p3", " 1 ", "１", "abc", "", "1d", "1e308"])
def test_whole_columns_parse_as_their_texts(odd: str) -> None:
    texts = ["0.455", "1", odd, "1e308", "-2e-5"]
    try:
        expected = [parse_double(text) for text in texts]
    except NumberFormatError as error:
        with pytest.raises(NumberFormatError, match=re.escape(str(error))):
            parse_doubles(texts)
    else:
        assert list(map(repr, parse_doubles(texts))) == list(map(repr, expected))


@given(st.floats(width=64))
@settings(max_examples=500)
def test_double_text_reads_back(value: float) -> None:
    again = parse_double(double_text(value))
    assert double_bits(again) == double_bits(value) or math.isnan(value)


@given(st.floats(width=32))
@settings(max_examples=300)
def test_float_text_reads_back(value: float) -> None:
    again = parse_float(float_text(value))
    assert float_bits(again) == float_bits(value) or math.isnan(value)


def test_text_of_every_basic_value() -> None:
    values = ["M", 1.0, 1e7, np.float64(0.1), np.float32(0.1), 7, np.int8(-3), True, np.bool_(False)]
    assert [text_of(value) for value in values] == ["M", "1.0", "1.0E7", "0.1", "0.1", "7", "-3", "true", "false"]
    with pytest.raises(TypeError, match="NoneType"):
        text_of(None)


def test_a_refused_text_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r'For input string: "1\.5"'):
        parse_int("1.5")


def test_vectorised_text_of_nothing_and_of_plain_numbers() -> None:
    assert double_texts(np.array([])) == []
    assert double_texts(np.array([0.455, -0.0, 1.0])) == ["0.455", "-0.0", "1.0"]
