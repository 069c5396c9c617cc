"""Bad requests on real sockets to real servers: each has a status, a body and a log line, written down in tests/bad.

No request gets a stack trace, hangs, or is refused without a reason; a client that is slow holds up nobody.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from nacre.handlers import handler_class
from nacre.serving.processes import ping
from tests.bad import Wire, driver, post
from tests.bad.driver import Answer, Server, expected, kinds, requests, same, send, server

pytest.importorskip("xgboost")
DETAILS = ("Traceback", 'File "', "site-packages", "sys.set_int")
"""What only a stack trace or a message of Python's own has."""
PATIENCE = 5
SLOW = 24
"""Clients, three times as many as the server of two workers has threads."""


def test_every_kind_has_a_table() -> None:
    """But for the one that answers what the user's command answers."""
    ours = {name for name, kind in driver.KINDS.items() if kind.handler.startswith("nacre.")}
    assert {path.stem for path in driver.HERE.glob("*.jsonl")} == ours - {"command"}


@pytest.mark.parametrize("kind", kinds())
def test_the_table_is_large_enough_and_has_reasons(kind: str) -> None:
    wanted = expected(kind)
    assert list(wanted) == list(requests(kind)), "python -m tests.bad.driver KIND shows what is new"
    refused = [each for each in wanted.values() if each.status >= 400]
    assert len(refused) >= 60
    for each in refused:
        assert each.body or each.log, each
        users = handler_class(kind).alone and '"ScriptError"' in each.body  # whose own code failed: its trace is logged
        assert each.status < 500 or each.status == 501 or users, each
        assert not any(part in each.body + each.log * (not users) for part in DETAILS), each


@pytest.mark.parametrize("kind", kinds())
def test_bad_requests(kind: str, tmp_path: Path) -> None:
    wanted = expected(kind)
    different = []
    with server(kind, tmp_path, "--workers", "1") as running:
        for name, wire in requests(kind).items():
            got = running.ask(name, wire)
            if not as_expected(got, wanted[name]):
                different.append((wanted[name], got))
        content_type, body = driver.table(kind).GOOD
        assert running.ask("good", Wire(post(body, content_type))).status == 200
    assert different == []


def as_expected(got: Answer, wanted: Answer) -> bool:
    return got.status == wanted.status and same(wanted.body, got.body) and same(wanted.log, got.log)


@pytest.mark.parametrize("kind", [kind for kind in ("sparkml", "xgboost", "script") if kind in kinds()])
def test_granian_answers_a_sample_as_gunicorn_does(kind: str, tmp_path: Path) -> None:
    """What gunicorn refuses by itself Granian refuses in other words; the rest is the app's."""
    wanted = expected(kind)
    sample = [(name, wire) for name, wire in requests(kind).items() if not wire.server and not wire.close][::3]
    different = []
    with server(kind, tmp_path, "--server", "granian", "--workers", "1") as running:
        for name, wire in sample:
            if b"chunked" in wire.data and wanted[name].status == 400:
                continue  # broken chunks are the server's matter too
            got = running.ask(name, wire)
            if (got.status, same(wanted[name].body, got.body)) != (wanted[name].status, True):
                different.append((wanted[name], got))
    assert different == []
    assert len(sample) >= 20


# Slow clients


@pytest.fixture(params=["gunicorn", "granian"])
def patient(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Two workers of four threads."""
    options = ("--server", request.param, "--workers", "2", "--threads", "4")
    with server("xgboost", tmp_path, *options, SAGEMAKER_MODEL_SERVER_TIMEOUT=str(PATIENCE)) as running:
        yield running, request.param


def drip(peer: socket.socket, data: bytes, end: float) -> None:
    """Send a byte now and then until `end`."""
    for at in range(len(data)):
        peer.sendall(data[at : at + 1])
        time.sleep(0.5)
        if time.monotonic() > end:
            return


def test_slow_clients_hold_up_nobody(patient: tuple[Server, str]) -> None:
    """Half of them are slow with the head, half with the body; the others' requests are answered all along. Granian
    gives a thread to each body, so there are fewer of these than one worker has threads."""
    running, name = patient
    whole = post(b"1.0," * 100, "text/csv")
    body = whole.index(b"1.0,")
    cuts = [20 if number % 2 or (name == "granian" and number > 4) else body for number in range(SLOW)]
    peers = [socket.create_connection(("127.0.0.1", running.port), timeout=30) for _ in cuts]
    end = time.monotonic() + PATIENCE - 1  # then they say nothing more, so that they can read the answer
    threads = []
    for peer, cut in zip(peers, cuts, strict=True):
        peer.sendall(whole[:cut])
        threads.append(threading.Thread(target=drip, args=(peer, whole[cut:], end)))
        threads[-1].start()
    time.sleep(0.5)
    for _ in range(5):
        assert ping(running.port)
        answers = send(running.port, Wire(post(b"1,0,0,0.1,0.2,0.3", "text/csv")), timeout=2)
        assert answers[0][0] == 200
    for thread in threads:
        thread.join()
    if name == "gunicorn":
        refused = [driver.answer(peer.makefile("rb")) for peer in peers]
        assert {status for status, _ in refused} == {408}
        assert all("5 seconds" in text for _, text in refused), refused
        log = running.log()
        assert log.count("nacre xgboost: 408 the request took more than 5 seconds to arrive") == SLOW // 2
        assert sum("408 POST '/invocations' RequestError" in line for line in log) == SLOW // 2
    for peer in peers:
        peer.close()


FEW_BYTES = """
import sys
import nacre.serving.worker
from nacre.cli import main
nacre.serving.worker.MOST_PARKED = 2 << 20
main(sys.argv[1:])
"""


def test_more_unfinished_bodies_than_a_worker_keeps_are_turned_away(tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text(FEW_BYTES)
    part = post(b" " * (1 << 22), "text/csv")[: 3 << 19]
    with server("xgboost", tmp_path, "--workers", "1", program=(str(tmp_path / "few.py"),)) as running:
        peers = [socket.create_connection(("127.0.0.1", running.port), timeout=20) for _ in range(2)]
        for peer in peers:
            peer.sendall(part)
            time.sleep(0.3)
        status, text = driver.answer(peers[1].makefile("rb"))
        assert (status, "try again" in text) == (503, True)
        peers[0].sendall(post(b" " * (1 << 22), "text/csv")[3 << 19 :])
        assert driver.answer(peers[0].makefile("rb"))[0] == 415  # it is whole now, and blank
        for peer in peers:
            peer.close()
        assert "nacre xgboost: 503 too many large requests are arriving at once; try again" in running.log()


def test_an_answer_that_nobody_takes_is_given_up(tmp_path: Path) -> None:
    rows = b"1,0,0,0.1,0.2,0.3\n" * 340_000
    with server("xgboost", tmp_path, "--workers", "1", "--threads", "2", SAGEMAKER_MODEL_SERVER_TIMEOUT="4") as running:
        peers = []
        for _ in range(2):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", running.port))
            peer.sendall(post(rows, "text/csv"))
            peers.append(peer)
        deadline = time.monotonic() + 60
        told: list[str] = []
        while len(told) < len(peers):
            told += [line for line in running.log() if "did not take the answer within 4 seconds" in line]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert send(running.port, Wire(post(b"1,0,0,0.1,0.2,0.3", "text/csv")))[0][0] == 200
        for peer in peers:
            peer.close()


def test_idle_connections_hold_up_nobody(patient: tuple[Server, str]) -> None:
    running, _ = patient
    peers = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(SLOW)]
    try:
        for _ in range(3):
            answers = send(running.port, Wire(post(b"1,0,0,0.1,0.2,0.3", "text/csv")), timeout=2)
            assert answers[0][0] == 200
    finally:
        for peer in peers:
            peer.close()


def test_requests_that_come_together_are_answered_in_order(tmp_path: Path) -> None:
    rows = [f"1,0,0,0.{n},0.2,0.3".encode() for n in range(1, 9)]
    with server("xgboost", tmp_path, "--workers", "1") as running:
        alone = [send(running.port, Wire(post(row, "text/csv")))[0] for row in rows]
        chunked = [
            post(b"%x\r\n%s\r\n0\r\n\r\n" % (len(row), row), "text/csv", None, "Transfer-Encoding: chunked")
            for row in rows
        ]
        together = b"".join(chunked[n] if n % 2 else post(row, "text/csv") for n, row in enumerate(rows))
        assert send(running.port, Wire(together, replies=len(rows))) == alone
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer, peer.makefile("rb") as stream:
            for at in range(0, len(together), 7):  # cut anywhere
                peer.sendall(together[at : at + 7])
            assert [driver.answer(stream) for _ in rows] == alone


def test_who_asks_before_it_sends_is_told_to(tmp_path: Path) -> None:
    row = b"1,0,0,0.1,0.2,0.3"
    with server("xgboost", tmp_path, "--workers", "1") as running:
        head = post(b"", "text/csv", None, f"Content-Length: {len(row)}", "Expect: 100-continue")
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer:
            peer.sendall(head)
            assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(row)
            with peer.makefile("rb") as stream:
                assert driver.answer(stream)[0] == 200


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with server("xgboost", tmp_path, "--workers", "1") as running:
        pid = running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        good = Wire(post(b"1,0,0,0.1,0.2,0.3", "text/csv"))
        deadline = time.monotonic() + 20
        while True:  # the connection may have been the dead worker's
            try:
                if send(running.port, good)[0][0] == 200:
                    break
            except ConnectionError:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert any("SIGKILL" in line for line in running.log())
