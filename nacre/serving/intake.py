"""Requests as they arrive: which bytes of a connection make one whole request, and what a parser then reads of them.

A thread that reads a slow client's body is lost to the others as long as that takes. So the bytes are collected
without waiting (`collect`), and only a request that is whole, or that nothing more can be expected of, is handed to a
thread's parser, which reads it from here (`recv`) as it would from the socket.
"""

from __future__ import annotations

import re
import select
import socket
from time import monotonic
from typing import Final

HEAD_END: Final = b"\r\n\r\n"
MOST_HEAD: Final = 1 << 16
"""Bytes after which a head without an end is for the parser to refuse."""
PIECE: Final = 1 << 16
MUCH: Final = 1 << 14
"""Bytes that come at once where a client is not slow."""
PATIENCE: Final = 0.02
"""Seconds to wait for the rest of a request; most come within that."""
FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nexpect[ \t]*:[^\r\n]*", re.IGNORECASE)
CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MOST_DIGITS: Final = 18
MOST_LINE: Final = 1 << 12
"""Bytes of the line before a chunk, and of what may follow the last."""


class Intake:
    """One connection's bytes. `body_limit`: bytes of a body that are worth keeping; the rest of a larger one, whose
    length is known, is read and forgotten, and the parser finds zeros in its place. `seconds`: for one request."""

    def __init__(self, sock: socket.socket, body_limit: int, seconds: float):
        self.sock = sock
        self.body_limit = body_limit
        self.seconds = seconds
        self.held = bytearray()
        self.next_request()

    def next_request(self) -> None:
        """What is held, if anything, is the beginning of another request."""
        self.begin()
        self.head = 0
        """Bytes of the head, 0 while its end has not come."""
        self.size: int | None = 0
        """Bytes of the body; None where it is chunked."""
        self.looked = 0
        self.ended = False
        """The client sends no more, or nothing that anybody wants."""
        self.forgotten = 0
        self.cut = False
        """The rest of this request is not to be had: no other can follow on the connection."""

    def begin(self) -> None:
        """Its time begins now."""
        self.deadline = monotonic() + self.seconds

    @property
    def late(self) -> bool:
        return monotonic() >= self.deadline

    # The poller's side

    def collect(self, patience: float) -> bool:
        """Take what has come; whether to parse it now. Waits `patience` seconds for the rest, once, and again only
        while much comes at a time."""
        wait = patience
        while not self.whole():
            if self.ended or self.late:
                return True
            try:
                piece = self.sock.recv(PIECE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if not wait or not self._readable(wait):
                    return False
                wait = 0
                continue
            except OSError:  # reset
                piece = b""
            self.ended = not piece
            self.held += piece
            if len(piece) >= MUCH:
                wait = PATIENCE
        return True

    def _readable(self, seconds: float) -> bool:
        poll = select.poll()  # select.select() ends at 1024 descriptors
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def whole(self) -> bool:
        """Whether the request is complete, or such that the parser will refuse it."""
        if not self.head and not self._find_head():
            return len(self.held) > MOST_HEAD
        if self.size is None:
            return self._chunks_end()
        have = len(self.held) - self.head
        if self.size <= self.body_limit:
            return have >= self.size
        return self._forget(have)

    def _find_head(self) -> bool:
        end = self.held.find(HEAD_END, self.looked)
        if end < 0:
            self.looked = max(0, len(self.held) - len(HEAD_END) + 1)
            return False
        self.head = end + len(HEAD_END)
        self.looked = self.head
        found = FRAMING.findall(bytes(memoryview(self.held)[: self.head]))
        if len(found) == 1 and found[0][1].isdigit() and found[0][0][:1] in b"Cc":  # a Content-Length: the usual head
            self.size = int(found[0][1]) if len(found[0][1]) <= MOST_DIGITS else 0
            return True
        told: dict[bytes, list[bytes]] = {}
        for name, value in found:
            told.setdefault(name.lower(), []).append(value.strip())
        self.size = body_size(told)
        if told.get(b"expect") == [b"100-continue"] and self.size != 0:
            self._go_on()
        return True

    def _go_on(self) -> None:
        """Answer `Expect: 100-continue`; a body nobody wants is not asked for."""
        if self.size is not None and self.size > self.body_limit:
            self.ended = True
            return
        head = EXPECT.sub(b"", bytes(self.held[: self.head]))
        self.held[: self.head] = head
        self.head = self.looked = len(head)
        try:
            self.sock.sendall(CONTINUE)
        except OSError:
            self.ended = True

    def _forget(self, have: int) -> bool:
        """Drop what has come of a body over the limit; whether all of it has."""
        assert self.size is not None
        self.forgotten += have
        del self.held[self.head :]
        return self.forgotten >= self.size

    def _chunks_end(self) -> bool:
        """Whether the last chunk and its trailers have come; what is no chunk is for the parser to refuse."""
        while True:
            line = CHUNK_SIZE.match(self.held, self.looked)
            if line is None:
                rest = len(self.held) - self.looked
                return rest > MOST_LINE or (b"\n" in self.held[self.looked :]) or self._too_much()
            size = int(line[1], 16)
            if size:
                after = line.end() + size + 2
                if after > len(self.held):
                    return self._too_much()
                if self.held[after - 2 : after] != b"\r\n":
                    return True
                self.looked = after
                continue
            rest = len(self.held) - line.end()
            done = self.held.startswith(b"\r\n", line.end()) or self.held.find(HEAD_END, line.end()) >= 0
            return done or rest > MOST_HEAD

    def _too_much(self) -> bool:
        """More than any body that is taken, its chunks' lines included: the parser reads on, the app refuses it."""
        return len(self.held) - self.head > 2 * self.body_limit + MOST_HEAD

    # The parser's side

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises TimeoutError once the request's time is over."""
        if self.held:
            if len(self.held) <= size:
                found = bytes(self.held)
                self.held.clear()
            else:
                found = bytes(memoryview(self.held)[:size])
                del self.held[:size]
            return found
        if self.forgotten:  # the parser counts them
            size = min(size, self.forgotten)
            self.forgotten -= size
            return bytes(size)
        if self.ended:
            self.cut = True
            return b""
        left = self.deadline - monotonic()
        if left <= 0 or not self._readable(left):
            self.cut = True
            raise TimeoutError(f"{self.seconds:g} seconds")
        return self.sock.recv(size)


def body_size(told: dict[bytes, list[bytes]]) -> int | None:
    """Bytes of the body as the head tells; None: chunked; 0 too where the parser will refuse what it tells."""
    lengths = told.get(b"content-length", [])
    if b"transfer-encoding" in told:
        return None if not lengths and told[b"transfer-encoding"] == [b"chunked"] else 0
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > MOST_DIGITS:
        return 0
    return int(lengths[0])
