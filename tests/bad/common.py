"""Requests that are bad whatever the container does: broken HTTP, wrong headers, bodies that are cut or too large."""

from __future__ import annotations

from tests.bad import Wire, nested, packed, post


def requests(content_type: str, good: bytes, limit: int) -> dict[str, Wire]:
    """`good`: a body that would be scored. `limit`: bytes of the largest body."""
    return {
        **framing(content_type, good),
        **heads(content_type, good),
        **paths(content_type, good),
        **bodies(content_type, good, limit),
        **types(content_type, good),
    }


def framing(content_type: str, good: bytes) -> dict[str, Wire]:
    def length(*headers: str, body: bytes = good) -> bytes:
        return post(body, content_type, None, *headers)

    def chunked(body: bytes) -> bytes:
        return post(body, content_type, None, "Transfer-Encoding: chunked")

    chunk = b"%x\r\n%s\r\n" % (len(good), good)
    return {
        "negative Content-Length": Wire(length("Content-Length: -1"), server=True),
        "Content-Length that is no number": Wire(length("Content-Length: abc"), server=True),
        "Content-Length with a sign": Wire(length(f"Content-Length: +{len(good)}"), server=True),
        "Content-Length of 30 digits": Wire(length(f"Content-Length: {'9' * 30}"), close=True),
        "two different Content-Lengths": Wire(length("Content-Length: 1", "Content-Length: 2"), server=True),
        "the same Content-Length twice": Wire(length(*[f"Content-Length: {len(good)}"] * 2), server=True),
        "a list as Content-Length": Wire(length("Content-Length: 1, 2"), server=True),
        "Content-Length beside chunks": Wire(
            post(chunk + b"0\r\n\r\n", content_type, None, "Transfer-Encoding: chunked", "Content-Length: 5"),
            server=True,
        ),
        "Transfer-Encoding gzip": Wire(post(good, content_type, None, "Transfer-Encoding: gzip"), server=True),
        "Transfer-Encoding of another name": Wire(post(good, content_type, None, "Transfer-Encoding: x"), server=True),
        "body shorter than its Content-Length": Wire(length(f"Content-Length: {len(good) + 9}"), close=True),
        "chunk size that is no number": Wire(chunked(b"zz\r\n" + good + b"\r\n0\r\n\r\n")),
        "chunk size below zero": Wire(chunked(b"-5\r\n" + good + b"\r\n0\r\n\r\n")),
        "chunk longer than its size": Wire(chunked(b"1\r\n" + good + b"\r\n0\r\n\r\n")),
        "chunks cut off": Wire(chunked(chunk), close=True),
        "chunk cut off": Wire(chunked(b"ffff\r\n" + good), close=True),
        "binary junk as chunks": Wire(chunked(bytes(range(256)) * 20), close=True),
        "chunk of 2^60 bytes announced": Wire(chunked(b"1000000000000000\r\n" + good), close=True),
    }


def heads(content_type: str, good: bytes) -> dict[str, Wire]:
    def with_header(*lines: str) -> Wire:
        return Wire(post(good, content_type, None, *lines), server=True)

    return {
        "no HTTP at all": Wire(b"hello\r\n\r\n", server=True),
        "a TLS greeting": Wire(bytes.fromhex("16030100") + b"\xf8\x01\x00\x00\xf4\r\n\r\n", server=True),
        "head cut off": Wire(post(good, content_type)[:40], close=True, server=True),
        "HTTP version 9.9": Wire(post(good, content_type).replace(b"HTTP/1.1", b"HTTP/9.9"), server=True),
        "path of 10,000 characters": Wire(b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", server=True),
        "header of 20,000 bytes": with_header(f"X-Big: {'x' * 20_000}"),
        "header of 1,000,000 bytes": with_header(f"X-Big: {'x' * 1_000_000}"),
        "200 headers": with_header(*(f"X-{n}: 1" for n in range(200))),
        "header without a colon": with_header("no colon here"),
        "blank in a header's name": with_header("Bad Name: 1"),
        "header continued on a second line": with_header("X-Long: 1", " 2"),
        "NUL in a header": with_header("X-Nul: a\0b"),
        "Expect of another kind": with_header("Expect: miracles"),
        "method in small letters": Wire(post(good, content_type).replace(b"POST", b"po st"), server=True),
    }


def paths(content_type: str, good: bytes) -> dict[str, Wire]:
    def get(path: str, method: str = "GET") -> Wire:
        return Wire(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    return {
        "GET /invocations": get("/invocations"),
        "BREW /invocations": get("/invocations", "BREW"),
        "POST /ping": Wire(post(good, content_type, path="/ping")),
        "unknown path": get("/predict"),
        "path out of the root": get("/../../etc/passwd"),
        "NUL in the path": get("/invocations%00"),
        "markup in the path": get("/%3Cscript%3Ealert(1)%3C/script%3E"),
        "bad, then good on one connection": Wire(
            post(good, content_type, path="/nowhere") + post(good, content_type), replies=2
        ),
    }


def bodies(content_type: str, good: bytes, limit: int) -> dict[str, Wire]:
    one_more = post(b" " * (limit + 1), content_type)
    blanks = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    chunks = blanks * (limit // (1 << 20) + 1) + b"0\r\n\r\n"
    return {
        "empty body": Wire(post(b"", content_type)),
        "no body and no length": Wire(post(b"", content_type).replace(b"\r\nContent-Length: 0", b"")),
        "one byte over the limit": Wire(one_more),
        "chunks over the limit": Wire(post(chunks, content_type, None, "Transfer-Encoding: chunked")),
        "over the limit, asking before it sends": Wire(
            post(b"", content_type, None, f"Content-Length: {limit + 1}", "Expect: 100-continue")
        ),
        "gzip without being told": Wire(post(packed(good), content_type)),
        "gzip with Content-Encoding": Wire(post(packed(good), content_type, None, "Content-Encoding: gzip")),
        "binary junk": Wire(post(bytes(range(256)) * 4, content_type)),
        "NUL bytes": Wire(post(bytes(64), content_type)),
        "UTF-16": Wire(post(good.decode().encode("utf-16"), content_type)),
        "HTML": Wire(post(b"<html><script>alert(1)</script></html>", content_type)),
    }


def types(content_type: str, good: bytes) -> dict[str, Wire]:
    return {
        "no Content-Type": Wire(post(good)),
        "empty Content-Type": Wire(post(good, "")),
        "Content-Type that is none": Wire(post(good, "garbage")),
        "Content-Type nobody reads": Wire(post(good, "image/png")),
        "Content-Type of 8,000 characters": Wire(post(good, "text/" + "x" * 8000)),
        "two Content-Types": Wire(post(good, content_type, None, "Content-Type: image/png"), server=True),
        "markup as Content-Type": Wire(post(good, "<script>")),
        "Accept nobody writes": Wire(post(good, content_type, "image/png")),
        "Accept that is none": Wire(post(good, content_type, "garbage")),
        "Accept of 8,000 characters": Wire(post(good, content_type, "text/" + "x" * 8000)),
        "markup as Accept": Wire(post(good, content_type, "<script>/x")),
    }


def broken_json() -> dict[str, bytes | str]:
    """Bodies that are no JSON at all."""
    return {
        "broken": '{"instances":[[1,2,',
        "nothing but a word": "hello",
        "single quotes": "{'instances':[[1,2,3]]}",
        "an integer of 5,000 digits": f"[[1,{'1' * 5000},3]]",
        "10,000 brackets": nested(10_000),
        "10,000 objects": '{"instances":' * 10_000,
        "10,000 open brackets": "[" * 10_000,
        "no UTF-8": b'[["\xff\xfe",2,3]]',
        "a control character in a text": '[["a\x01",2,3]]',
    }
