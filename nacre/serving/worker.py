"""gunicorn's worker with threads, without a thread a slow client: a request is collected in the poller until it is
whole (`intake.py`), so that only scoring takes a thread. It is what nginx does in front of AWS's containers.
"""

from __future__ import annotations

import selectors
import socket
import sys
from functools import partial
from struct import Struct
from time import monotonic
from typing import Any

from gunicorn import http
from gunicorn.workers import gthread

from nacre.serving.intake import PATIENCE, PIECE, Intake

DEFER = gthread._DEFER
BODY_LIMIT = 100 << 20
MOST_PARKED = 1 << 29
"""Bytes of unfinished requests that a worker keeps; further large ones are turned away."""
TIMEVAL = Struct("ll")
LINGER = 2.0
"""Seconds for a client to close a connection that has ended."""
LARGE = 1 << 20
LATE = b"the request took more than %d seconds to arrive\n"
FULL = b"too many large requests are arriving at once; try again\n"
STATUS = {408: b"408 Request Timeout", 503: b"503 Service Unavailable"}


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """Connections wait in `pending_conns` between two visits, as gunicorn's own deferred ones do."""

    def __init__(self, *args: Any, **more: Any):
        super().__init__(*args, **more)
        self.parked: dict[Any, int] = {}
        self.closing: dict[Any, float] = {}
        self.next_look = 0.0

    def handle(self, conn: Any) -> Any:
        """A visit of a thread: score the request if it is whole, else give the connection back to the poller."""
        conn.outcome = None
        conn.outcome = self._visit(conn)
        return conn.outcome

    def _visit(self, conn: Any) -> Any:
        intake = self._intake(conn)
        if not intake.collect(0.0 if conn in self.parked else PATIENCE):
            self.parked[conn] = size = len(intake.held)
            if size > LARGE and sum(list(self.parked.values())) > MOST_PARKED:
                return self._turn_away(conn, 503, FULL)
            return DEFER
        self.parked.pop(conn, None)
        if intake.late and not intake.head:
            return self._turn_away(conn, 408, LATE % intake.seconds)
        again = super().handle(conn) and not intake.cut
        if conn.parser.unreader.buf.getvalue():  # of a request that came along with this one
            intake.held[:0] = conn.parser.unreader.take_buffered()
        intake.next_request()
        return again

    def _intake(self, conn: Any) -> Intake:
        if conn.parser is None:
            limit = getattr(getattr(self.wsgi, "container", None), "body_limit", BODY_LIMIT)
            conn.intake = Intake(conn.sock, limit, self.cfg.timeout)
            conn.parser = http.get_parser(self.cfg, conn.intake, conn.client)
            conn.initialized = True
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, TIMEVAL.pack(self.cfg.timeout, 0))
        elif conn not in self.parked and not conn.intake.held:
            conn.intake.begin()
        found: Intake = conn.intake
        return found

    def handle_request(self, req: Any, conn: Any) -> Any:
        """An answer that nobody takes does not hold a thread for longer than a request may take to arrive."""
        try:
            return super().handle_request(req, conn)
        except BlockingIOError:  # SO_SNDTIMEO
            self._tell(f"the client did not take the answer within {self.cfg.timeout} seconds")
            return False

    def _tell(self, text: str) -> None:
        name = getattr(getattr(self.wsgi, "container", None), "name", "container")
        sys.stderr.write(f"nacre {name}: {text}\n")
        sys.stderr.flush()

    def _turn_away(self, conn: Any, status: int, text: bytes) -> bool:
        """Answer what never became a request that the app could answer; the connection ends. Who has asked for nothing
        gets no answer."""
        if not self.parked.pop(conn, 0) and not conn.intake.held:
            return False
        head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        self._tell(f"{status} {text.decode().rstrip()}")
        try:
            conn.sock.setblocking(True)
            conn.sock.settimeout(1)
            conn.sock.sendall(head % (STATUS[status], len(text)) + text)
        except OSError:
            pass  # it has gone
        return False

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A request that came along with the one before is handled at once: the socket will not tell of it. A
        connection that ends is closed by the poller; gunicorn would wait for the client, and all others with it."""
        again = conn.outcome
        if again is True and conn.intake.held:
            self.enqueue_req(conn)
        elif again or again is None:  # None: it never came to an end
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Say that no more comes, and take what the client still sends until it closes, or for LINGER seconds: closed
        at once, the kernel would take the answer back."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):  # it has gone
            self._close(conn)
        else:
            self.closing[conn] = monotonic() + LINGER

    def _drain(self, conn: Any, sock: socket.socket) -> None:
        try:
            if sock.recv(PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(conn)

    def _end(self, conn: Any) -> None:
        del self.closing[conn]
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Those whose time is over get their answer from a thread, and who has asked for nothing does not hold up a
        stopping worker. Once a second is often enough to look."""
        now = monotonic()
        if now < self.next_look:
            return
        self.next_look = now + 1
        for conn in [each for each, end in self.closing.items() if now > end]:
            self._end(conn)
        for conn in list(self.pending_conns):
            if conn.intake.late or not (self.alive or conn.intake.held):
                self.poller.unregister(conn.sock)
                self.pending_conns.remove(conn)
                self.enqueue_req(conn)
