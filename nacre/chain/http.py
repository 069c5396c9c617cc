"""The chain over HTTP: containers behind URLs, as SageMaker runs them.

http.client and not httpx or urllib3: a one-row request is all overhead, and a kept http.client connection costs the
least of the three (urllib3 is built on it).
"""

from __future__ import annotations

import threading
import weakref
from http.client import HTTPConnection, HTTPException
from time import perf_counter
from typing import TYPE_CHECKING
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
NO_ANSWER = "container {} gave no answer: {}"
OWN_HEADERS = frozenset(
    ("connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding")
)
"""Headers of the connection or the server, which are not the container's."""


class HttpChain:
    """Containers called in order, safe to share between threads: each thread keeps a connection a container."""

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
        self, body: bytes, content_type: str | None, accept: str | None = None, custom_attributes: str | None = None
    ) -> Reply:
        """Score one body. Raises RequestError for what no container may get, else ContainerError with the reply of
        the container that failed; status 0 when it gave none."""
        headers = checked(body, content_type, accept, custom_attributes, self.limits)
        deadline = perf_counter() + self.timeout
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

    def close(self) -> None:
        for peer in self.peers:
            peer.close()

    def __enter__(self) -> HttpChain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Peer:
    """One container behind a URL, and the connections to it."""

    def __init__(self, name: str, url: str):
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SetupError("not a container's address", expected="http://host:port", got=url, container=name)
        self.name = name
        self.host = parts.hostname
        self.port = parts.port or 80
        self.path = parts.path.rstrip("/") + "/invocations"
        self._local = threading.local()
        self._open: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The container's answer. Raises ContainerError with status 0 when it gives none within `timeout` seconds."""
        connection = self._connection(timeout)
        try:
            return self._exchange(connection, body, headers)
        except TimeoutError as error:
            connection.close()
            raise failed(self.name, Reply(TIMED_OUT.format(self.name).encode(), None, 0)) from error
        except (HTTPException, OSError) as error:
            connection.close()
            text = NO_ANSWER.format(self.name, str(error) or type(error).__name__)
            raise failed(self.name, Reply(text.encode(), None, 0)) from error

    def _exchange(self, connection: HTTPConnection, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request. A kept connection that the other side has closed meanwhile is opened again, once, which is
        right because scoring has no effects."""
        kept = connection.sock is not None
        try:
            return exchange(connection, self.path, body, headers)
        except ConnectionError:  # http.client's RemoteDisconnected is one
            connection.close()
            if not kept:
                raise
            return exchange(connection, self.path, body, headers)

    def _connection(self, timeout: float) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = HTTPConnection(self.host, self.port)
            with self._lock:
                self._open.add(connection)
        connection.timeout = max(timeout, 0.001)
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        return connection

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()


def exchange(connection: HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    own = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in OWN_HEADERS)
    return Reply(content, answer.getheader("Content-Type"), answer.status, own)
