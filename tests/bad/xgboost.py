"""Bad bodies for the xgboost container: a regression on six features."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

from nacre.formats.recordio import framed
from tests import tiny_chain
from tests.bad import CSV, JSON, LINES, Wire, nested, post

LIBSVM, RECORDIO, PARQUET = "text/libsvm", "application/x-recordio-protobuf", "application/x-parquet"
ROW = ["1.0", "0.0", "0.0", "0.1", "0.2", "0.3"]
GOOD = (CSV, ",".join(ROW).encode())
LIMIT = 6 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    tiny_chain.booster(folder / "xgboost-model.json", tiny_chain.rows(50))
    return folder, {}


def requests() -> dict[str, Wire]:
    tables = {"csv": (CSV, csv()), "libsvm": (LIBSVM, libsvm()), "recordio": (RECORDIO, recordio())}
    tables |= {"parquet": (PARQUET, parquet()), "json": (JSON, documents()), "json lines": (LINES, lines())}
    found = {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }
    return found | {
        "an Accept that is a list": Wire(post(GOOD[1], CSV, "text/csv, application/json")),
        "csv with label_size=2": Wire(post(GOOD[1], "text/csv; label_size=2")),
        "a bad row for a client of JSON": Wire(post("1,2,x,4,5,6", CSV, JSON)),
    }


def csv() -> dict[str, bytes | str]:
    good = ",".join(ROW)
    return {
        "a word where a number belongs": "1,2,abc,4,5,6",
        "a header line": f"a,b,c,d,e,f\n{good}",
        "five fields of six": "1,2,3,4,5",
        "seven fields of six": "1,2,3,4,5,6,7",
        "1,000,000 fields": ",".join(["1"] * 1_000_000),
        "rows of two widths": f"{good}\n1,2,3",
        "infinity": "1,2,inf,4,5,6",
        "a number too large for float32": "1,2,1e39,4,5,6",
        "a number too large for float64": "1,2,1e400,4,5,6",
        "quotes": '1,2,"3",4,5,6',
        "an empty line between rows": f"{good}\n\n{good}",
        "line breaks only": "\n\n\n",
        "bars": "1|2|3|4|5|6",
        "a byte order mark": f"\ufeff{good}",
        "no UTF-8": b"1,2,\xff\xfe,4,5,6",
        "NUL in a number": "1,2,3\0004,4,5,6",
        "row 77,777 of 100,000 is bad": "\n".join([good] * 77_776 + ["1,2,x,4,5,6"] + [good] * 22_223),
        "markup": "1,2,<script>alert(1)</script>,4,5,6",
        "JSON": '{"instances":[[1,2,3,4,5,6]]}',
    }


def libsvm() -> dict[str, bytes | str]:
    return {
        "no entries": "1 2 3",
        "an index that is a word": "0 a:1",
        "a value that is a word": "0 1:x",
        "an index below zero": "0 -1:1",
        "an index twice": "0 1:1 1:2",
        "an index of 2^40": f"0 {2**40}:1",
        "an index the model has not": "0 0:1 9:1",
        "infinity": "0 0:1 1:inf",
        "no UTF-8": b"0 0:1 1:\xff",
        "the second row is bad": "0 0:1\n0 1:y",
        "a million rows without entries": "0 0:1" + "\n" * 1_000_000,
    }


def recordio() -> dict[str, bytes]:
    values = struct.pack("<6f", *map(float, ROW))
    tensor = b"\x0a" + bytes([len(values)]) + values
    value = b"\x12" + bytes([len(tensor)]) + tensor
    entry = b"\x0a\x06values" + b"\x12" + bytes([len(value)]) + value
    record = framed(b"\x0a" + bytes([len(entry)]) + entry)
    other = framed((b"\x0a" + bytes([len(entry)]) + entry).replace(b"values", b"labels"))
    return {
        "truncated": record[:-7],
        "truncated in the second record": record + record[:20],
        "another magic number": b"\0\0\0\0" + record[4:],
        "a length of 4 GB": record[:4] + b"\xff" * 4 + record[8:],
        "a length field cut off": record[:6],
        "no protobuf inside": framed(b"\xff" * 40),
        "no feature named values": other,
        "a record without features": framed(b""),
        "values that are no whole floats": framed(b"\x0a\x0f\x0a\x06values\x12\x05\x12\x03\x0a\x01\x00"),
        "protobuf without records": record[8:],
    }


def parquet() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def written(columns: dict[str, list[object]]) -> bytes:
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        return out.getvalue()

    good = written({f"f{n}": [float(value)] for n, value in enumerate(ROW)})
    return {
        "truncated": good[:-20],
        "no Parquet": b"PAR1 is not all of it",
        "a broken footer": good[:-12] + b"\xff\xff\xff\x7f" + good[-8:],
        "five columns of six": written({f"f{n}": [1.0] for n in range(5)}),
        "a column of texts": written({f"f{n}": [1.0] if n else ["x"] for n in range(6)}),
        "infinity": written({f"f{n}": [float("inf")] for n in range(6)}),
    }


def documents() -> dict[str, bytes | str]:
    return {
        "broken": '{"instances":[[1,2,',
        "an empty object": "{}",
        "null": "null",
        "no rows": '{"instances":[]}',
        "an empty row": '{"instances":[[]]}',
        "a text where a number belongs": '{"instances":[[1,2,"3",4,5,6]]}',
        "true where a number belongs": '{"instances":[[1,2,true,4,5,6]]}',
        "rows of two widths": '{"instances":[[1,2,3,4,5,6],[1]]}',
        "an integer of 5,000 digits": f'{{"instances":[[1,2,{"1" * 5000},4,5,6]]}}',
        "an integer of 400 digits": f'{{"instances":[[1,2,{"1" * 400},4,5,6]]}}',
        "Infinity": '{"instances":[[1,2,Infinity,4,5,6]]}',
        "10,000 brackets": nested(10_000),
        "10,000 objects": '{"data":' * 10_000,
        "data in data, 500 deep": '{"data":' * 500 + "1" + "}" * 500,
        "half a surrogate pair": '{"instances":[["\\ud800",2,3,4,5,6]]}',
        "no UTF-8": b'{"instances":[["\xff"]]}',
        "a byte order mark": "\ufeff" + json.dumps({"instances": [[1, 2, 3, 4, 5, 6]]}),
    }


def lines() -> dict[str, bytes | str]:
    good = '{"features":[1,2,3,4,5,6]}'
    return {
        "the second line is broken": f"{good}\n{{\n{good}",
        "an empty line between": f"{good}\n\n{good}",
        "the second row is short": f'{good}\n{{"features":[1]}}',
        "no features": '{"x":1}',
        "10,000 brackets": nested(10_000),
    }
