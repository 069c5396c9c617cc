"""The chain over HTTP: containers behind URLs, as SageMaker runs them.

http.client and not httpx or urllib3: a one-row request is all overhead, and a kept http.client connection costs the
least of the three (urllib3 is built on it).
"""

from __future__ import annotations

from collections import deque
from http.client import HTTPConnection, HTTPException, IncompleteRead
from json import loads
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nacre.chain.rules import (
    CUSTOM_ATTRIBUTES,
    LIMITS,
    Limits,
    Observe,
    answered,
    attributes_of,
    check_passed,
    checked,
    cut_short,
    failed,
    timed,
)
from nacre.errors import SetupError
from nacre.handlers.base import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {}. Review the latency metrics for each "
    "container, resolve the issue, and try again."
)
REFUSED_SECONDS = 1.0
POLL_SECONDS = 0.02
NO_ANSWER = "container {} gave no answer: {}"
OWN_HEADERS = frozenset(
    ("connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding")
)
"""Headers of the connection or the server, which are not the container's."""


class HttpChain:
    """Containers called in order, safe to share between threads."""

    def __init__(
        self, urls: Mapping[str, str], limits: Limits = LIMITS, observe: Observe | None = None, timeout: float = 60.0
    ):
        """`urls`: container -> base URL, in the order of the chain. `timeout`: seconds for the whole chain."""
        self.peers = tuple(Peer(name, url) for name, url in urls.items())
        self.names = tuple(peer.name for peer in self.peers)
        self.limits = limits
        self.observe = observe
        self.timeout = timeout

    def invoke(
        self,
        body: bytes,
        content_type: str | None,
        accept: str | None = None,
        custom_attributes: str | None = None,
        deadline: float | None = None,
    ) -> Reply:
        """Score one body. Raises RequestError for what no container may get, else ContainerError with the reply of
        the container that failed; status 0 when it gave none. `deadline`: of a chain that this one is a part of."""
        headers = checked(body, content_type, accept, custom_attributes, self.limits)
        deadline = perf_counter() + self.timeout if deadline is None else deadline
        reply = Reply(body, headers.content_type)
        attributes = None
        for position, peer in enumerate(self.peers):
            sent = {"Accept": headers.accept_of(position, len(self.peers))}
            if reply.content_type is not None:
                sent["Content-Type"] = reply.content_type
            if headers.custom_attributes is not None:
                sent[CUSTOM_ATTRIBUTES] = headers.custom_attributes
            with timed(self.observe, peer.name):
                reply = peer.post(reply.body, sent, deadline - perf_counter())
            check_passed(self.names[position:], reply, self.limits)
            attributes = attributes_of(reply) or attributes
        return answered(reply, attributes)

    def execution_parameters(self) -> Mapping[str, Any]:
        """What the first container says at /execution-parameters, {} when it says nothing."""
        try:
            told = loads(self.peers[0].get("/execution-parameters", self.timeout).body)
        except (ValueError, HTTPException, OSError):
            return {}
        return told if isinstance(told, dict) else {}

    def close(self) -> None:
        for peer in self.peers:
            peer.close()

    def __enter__(self) -> HttpChain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Peer:
    """One container behind a URL, and the open connections to it: as many as were ever needed at once."""

    def __init__(self, name: str, url: str):
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SetupError("not a container's address", expected="http://host:port", got=url, container=name)
        self.name = name
        self.host = parts.hostname
        self.port = parts.port or 80
        self.base = parts.path.rstrip("/")
        self._idle: deque[HTTPConnection] = deque()  # its pop and append are atomic

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The container's answer. Raises ContainerError with status 0 when it gives none within `timeout` seconds."""
        try:
            return self._exchange("POST", "/invocations", body, headers, timeout)
        except TimeoutError as error:
            raise failed(self.name, Reply(TIMED_OUT.format(self.name).encode(), None, 0)) from error
        except IncompleteRead as error:
            raise cut_short(self.name) from error
        except (HTTPException, OSError) as error:
            text = NO_ANSWER.format(self.name, str(error) or type(error).__name__)
            raise failed(self.name, Reply(text.encode(), None, 0)) from error

    def get(self, path: str, timeout: float) -> Reply:
        """The answer to a GET; an empty body unless it is 200. Raises HTTPException, OSError."""
        reply = self._exchange("GET", path, None, {"Accept": "application/json"}, timeout)
        return reply if reply.status == 200 else reply._replace(body=b"")

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Reply:
        """One request. A kept connection that the other side has closed meanwhile is opened again, once, which is
        right because scoring has no effects."""
        connection = self._connection(max(timeout, 0.001))
        kept = connection.sock is not None
        try:
            try:
                connect(connection)
                reply = exchange(connection, method, self.base + path, body, headers)
            except ConnectionError:  # http.client's RemoteDisconnected is one
                if not kept:
                    raise
                connection.close()
                connect(connection)
                reply = exchange(connection, method, self.base + path, body, headers)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return reply

    def _connection(self, timeout: float) -> HTTPConnection:
        try:
            connection = self._idle.pop()
        except IndexError:
            return HTTPConnection(self.host, self.port, timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def close(self) -> None:
        """Close what is open; the peer can be used again."""
        while self._idle:
            self._idle.pop().close()


def connect(connection: HTTPConnection) -> None:
    """Open a connection that is not open. A container refuses for a moment while its worker is being replaced, and has
    seen nothing of what it refused: it is asked again for a second. Raises OSError."""
    deadline = perf_counter() + min(REFUSED_SECONDS, connection.timeout or REFUSED_SECONDS)
    while connection.sock is None:
        try:
            connection.connect()
        except ConnectionRefusedError:
            if perf_counter() + POLL_SECONDS > deadline:
                raise
            sleep(POLL_SECONDS)


def exchange(
    connection: HTTPConnection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Reply:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    own = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in OWN_HEADERS)
    return Reply(content, answer.getheader("Content-Type"), answer.status, own)
