"""Both chains: SageMaker's rules of what passes between containers, and fused == HTTP to the byte, errors included."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from nacre.chain import FusedChain, HttpChain, Limits
from nacre.errors import ContainerError, NacreError, RequestError, RowError, SetupError
from nacre.handlers.base import Reply
from nacre.handlers.container import Container
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.processes import started
from tests import tiny_chain
from tests.doubling import KIND, Doubling, model

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def pipeline(folder, *environments):
    """Doubling containers c1, c2, …, each with its environment."""
    return Pipeline(
        "doubling",
        tuple(
            ContainerDefinition(f"c{at}", KIND, "doubling", str(model(folder / f"m{at}")), environment)
            for at, environment in enumerate(environments, 1)
        ),
    )


def command(item, model_dir):
    return [sys.executable, "-m", "tests.doubling", "serve", item.kind, "--model", str(model_dir)]


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def pair(request, tmp_path_factory):
    """(fused, over HTTP) of one pipeline of three containers, the second of which sets custom attributes."""
    folder = tmp_path_factory.mktemp("chain")
    chain = pipeline(folder, {"FACTOR": "3"}, {"FACTOR": "0.1", "ATTRIBUTES": "from c2"}, {"MAX_CONTENT_LENGTH": "100"})

    def served(item, model_dir):
        return [*command(item, model_dir), "--server", request.param]

    with started(chain, folder / "work", command=served) as urls, HttpChain(urls) as over_http:
        yield FusedChain.load(chain, folder / "fused"), over_http


def outcome(chain, *arguments):
    """The reply, or the failing container with its reply; Granian writes the names of headers in lower case."""
    try:
        return plain(chain.invoke(*arguments))
    except ContainerError as error:
        return error.where["container"], error.status, plain(error.reply)


def plain(reply):
    return reply._replace(headers=tuple((name.lower(), value) for name, value in reply.headers))


REQUESTS = {
    "one row": (b"1,2", "text/csv"),
    "two rows": (b"1,2\n3,4.5\n", "text/csv", "text/csv"),
    "digits": (b"0.1,1e300,5e-324,-0.0,1e-5", "text/csv; charset=utf-8", None),
    "infinite": (b"1e400,nan", "text/csv"),
    "json for the last": (b"1,2", "text/csv", "application/json"),
    "blank accept": (b"1,2", "text/csv", " "),
    "blanks around": (b"1,2", " text/csv\t", " application/json "),
    "custom attributes": (b"1,2", "text/csv", None, "trace=1"),
    "empty": (b"", "text/csv"),
    "not acceptable": (b"1,2", "text/csv", "image/png"),
    "no content type": (b"1,2", None),
    "blank content type": (b"1,2", ""),
    "another content type": (b"1,2", "application/json"),
    "not a number": (b"1,2\n3,x\n", "text/csv"),
    "empty row": (b"1\n\n2", "text/csv"),
    "ragged": (b"1,2\n3\n", "text/csv"),
    "fault in the first": (b"-1", "text/csv"),
    "fault in the second": (b"-0.3333333333333333", "text/csv"),
    "status of its own": (b"-20", "text/csv"),
    "too large for the third": (b",".join([b"0.1"] * 60), "text/csv"),
    "not text": (b"\xff\xfe", "text/csv"),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_fused_and_http_give_the_same(pair, request_):
    fused, over_http = pair
    assert outcome(fused, *request_) == outcome(over_http, *request_)


def test_the_requests_above_reach_every_outcome(pair):
    """So that the comparison cannot be one of the same refusal twenty times."""
    found = {name: outcome(pair[0], *request_) for name, request_ in REQUESTS.items()}
    assert [name for name, reply in found.items() if isinstance(reply, Reply) and reply.status == 200] == [
        "one row", "two rows", "digits", "infinite", "json for the last", "blank accept", "blanks around",
        "custom attributes",
    ]  # fmt: skip
    assert found["one row"] == Reply(b"0.6000000000000001,1.2000000000000002\n", "text/csv; charset=utf-8", 200,
                                     ((ATTRIBUTES.lower(), "from c2"),))  # fmt: skip
    assert found["empty"].status == 204
    assert found["json for the last"].content_type == "application/json"
    assert found["not acceptable"][:2] == ("c3", 406)
    assert found["another content type"][:2] == ("c1", 415)
    assert found["not a number"][:2] == ("c1", 400)
    assert found["fault in the first"][:2] == ("c1", 500)
    assert found["fault in the second"][:2] == ("c2", 500)
    assert found["status of its own"][:2] == ("c2", 418)
    assert found["too large for the third"][:2] == ("c3", 413)


def test_a_fault_shows_its_type_and_nothing_of_the_body(pair):
    for chain in pair:
        _, _, reply = outcome(chain, *REQUESTS["fault in the first"])
        assert b"KeyError" in reply.body
        assert b"secret" not in reply.body
        assert b"Traceback" not in reply.body


def test_both_say_the_same_of_a_request_that_no_container_may_get(pair):
    for request_ in [
        (b"x" * 6_291_457, "text/csv"),
        (b"1", "text/csv\nX: y"),
        (b"1", "text/csv", "a\0"),
        (b"1", "text/\u20ac"),
        (b"1", "text/csv", None, "x" * 1025),
        (b"1", "text/csv", None, "a\r\nb"),
        (b"1", "text/csv", None, "\u00e9"),
    ]:
        errors = []
        for chain in pair:
            with pytest.raises(RequestError) as caught:
                chain.invoke(*request_)
            errors.append((str(caught.value), caught.value.status))
        assert errors[0] == errors[1]


def test_limits_of_the_environment():
    assert Limits.read({}) == Limits(6_291_456, 5_242_880)
    assert Limits.read({"NACRE_CHAIN_CLIENT_BYTES": "100", "NACRE_CHAIN_BETWEEN_BYTES": "0"}) == Limits(100, None)
    with pytest.raises(SetupError, match="NACRE_CHAIN_CLIENT_BYTES is not usable: expected a whole number"):
        Limits.read({"NACRE_CHAIN_CLIENT_BYTES": "6 MB"})


def test_the_limit_between_containers(tmp_path):
    chain = pipeline(tmp_path, {"ATTRIBUTES": "goes through text"}, {})
    limits = Limits(client=None, between=40)
    body = b"1,2,3,4,5,6,7,8,9,10,11"  # 45 characters doubled
    with started(chain, tmp_path / "work", command=command) as urls, HttpChain(urls, limits) as over_http:
        fused = FusedChain.load(chain, tmp_path / "fused", limits)
        numbers = FusedChain.load(pipeline(tmp_path, {}, {}), tmp_path / "numbers", limits)
        replies = [outcome(each, body, "text/csv") for each in (fused, over_http, numbers)]
        assert replies[0] == replies[1] == replies[2]
        name, status, reply = replies[0]
        assert (name, status) == ("c1", 413)
        assert (
            b"Received response from c1 with status code 200. However, the request payload from c1 to c2 is"
            in reply.body
        )
        assert outcome(fused, b"1,2", "text/csv") == outcome(over_http, b"1,2", "text/csv")


def test_a_large_body_that_the_container_refuses(tmp_path):
    """The answer arrives, although the container does not want the rest of the request."""
    chain = pipeline(tmp_path, {"MAX_CONTENT_LENGTH": "1000"})
    limits = Limits(client=None)
    with started(chain, tmp_path / "work", command=command) as urls, HttpChain(urls, limits) as over_http:
        fused = FusedChain.load(chain, tmp_path / "fused", limits)
        for _ in range(3):
            reply = outcome(over_http, b"1" * 20_000_000, "text/csv")
            assert reply == outcome(fused, b"1" * 20_000_000, "text/csv")
            assert reply[:2] == ("c1", 413)


def test_numbers_are_handed_over_unless_a_container_cannot(tmp_path):
    for numbers, taken in (("on", 1), ("off", 0)):
        fused = FusedChain.load(pipeline(tmp_path, {"NUMBERS": numbers}, {}), tmp_path / numbers)
        assert fused.invoke(b"1,2", "text/csv").body == b"4.0,8.0\n"
        assert fused.containers[1].handler.taken == taken


def test_a_successor_that_takes_no_numbers_gets_text(tmp_path):
    fused = FusedChain.load(pipeline(tmp_path, {}, {"NUMBERS": "off"}), tmp_path)
    assert fused.invoke(b"1,2", "text/csv").body == b"4.0,8.0\n"
    assert fused.containers[1].handler.taken == 1


def test_the_error_keeps_the_containers_own(tmp_path):
    fused = FusedChain.load(pipeline(tmp_path, {}, {}), tmp_path)
    with pytest.raises(ContainerError) as caught:
        fused.invoke(b"1\nx", "text/csv")
    assert isinstance(caught.value.__cause__, RowError)
    assert caught.value.__cause__.where == {"container": "c1", "row": 2}
    assert str(caught.value).startswith('Received client error (400) from c1 with message "')


class Noting(Doubling):
    """Remembers the headers it got."""

    def negotiate(self, content_type, accept):
        super().negotiate(content_type, accept)
        self.seen = (content_type, accept)


def test_content_type_goes_along_and_accept_to_the_last(tmp_path):
    handlers = [Noting(model(tmp_path), {"NUMBERS": "off"}) for _ in range(3)]
    fused = FusedChain([Container(handler, f"c{at}", 1000) for at, handler in enumerate(handlers)])
    fused.invoke(b"1", "text/csv; header=absent", "application/json")
    assert [handler.seen for handler in handlers] == [
        ("text/csv; header=absent", "*/*"),
        ("text/csv; charset=utf-8", "*/*"),
        ("text/csv; charset=utf-8", "application/json"),
    ]
    fused.invoke(b"1", "text/csv", None)
    assert handlers[2].seen == ("text/csv; charset=utf-8", "*/*")


def test_the_last_custom_attributes_come_back(tmp_path):
    for sets, expected in (({}, {}), "first"), (({}, {"ATTRIBUTES": "last"}), "last"):
        fused = FusedChain.load(pipeline(tmp_path, {"ATTRIBUTES": "first"}, *sets), tmp_path / expected)
        assert fused.invoke(b"1", "text/csv").headers == ((ATTRIBUTES, expected),)


def test_typed_columns(tmp_path):
    fused = FusedChain.load(pipeline(tmp_path, {}, {"NUMBERS": "off"}, {}), tmp_path)
    table = pa.table({"a": [0.1, 0.2], "b": [1.0, 2.0]})
    expected = (np.array([[0.1, 1.0], [0.2, 2.0]]) * 2 * 2 * 2).sum(axis=1)
    assert fused.score_table(table).to_pylist() == expected.tolist()
    plain = FusedChain.load(pipeline(tmp_path, {}, {}), tmp_path)
    assert plain.score_table(table.slice(0, 0)).type == pa.float64()
    with pytest.raises(NacreError) as caught:  # what a container cannot take names the container
        FusedChain([Container(NoTables(model(tmp_path), {}), "c1", 9)]).score_table(table)
    assert caught.value.where["container"] == "c1"


class NoTables(Doubling):
    def from_table(self, table):
        return super(Doubling, self).from_table(table)


def test_time_is_told_by_container(pair):
    for chain in pair:
        told = []
        chain.observe = lambda name, seconds, told=told: told.append((name, seconds >= 0))
        chain.invoke(b"1", "text/csv")
        outcome(chain, b"x", "text/csv")
        chain.observe = None
        assert told == [("c1", True), ("c2", True), ("c3", True), ("c1", True)]


def test_the_first_container_tells_how_batches_should_be(pair):
    assert dict(pair[0].execution_parameters()) == dict(pair[1].execution_parameters())
    assert pair[0].execution_parameters()["BatchStrategy"] == "MULTI_RECORD"


def test_threads_share_a_chain(pair):
    for chain in pair:
        with ThreadPoolExecutor(8) as pool:
            bodies = [str(at).encode() for at in range(200)]
            replies = list(pool.map(lambda body, chain=chain: chain.invoke(body, "text/csv"), bodies))
        assert [reply.body for reply in replies] == [
            f"{float(at) * 3 * 0.1 * 2!r}\n".encode() for at in range(200)
        ]  # fmt: skip


def test_a_container_that_is_away_or_slow_has_status_0(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with HttpChain({"c1": f"http://127.0.0.1:{nobody.getsockname()[1]}"}) as chain:
            assert outcome(chain, b"1", "text/csv")[:2] == ("c1", 0)
            assert chain.execution_parameters() == {}
        nobody.listen()  # connects, and never answers
        with HttpChain({"c1": f"http://127.0.0.1:{nobody.getsockname()[1]}"}, timeout=0.2) as chain:
            name, status, reply = outcome(chain, b"1", "text/csv")
    assert (name, status) == ("c1", 0)
    assert reply.body.startswith(b"Your invocation timed out while waiting for a response from container c1.")


def test_a_kept_connection_that_was_closed_is_opened_again():
    """A server that closes after every answer without having said so."""

    def serve(listener, count):
        for _ in range(count):
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, 3))
        thread.start()
        with HttpChain({"c1": f"http://127.0.0.1:{listener.getsockname()[1]}"}) as chain:
            for _ in range(3):
                assert chain.invoke(b"1", "text/csv").body == b"ok"
                time.sleep(0.05)  # until the other side has closed
        thread.join()


def test_an_answer_that_ends_early():
    def serve(listener):
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with (
            HttpChain({"c1": f"http://127.0.0.1:{listener.getsockname()[1]}"}) as chain,
            pytest.raises(ContainerError, match=r"Received server error \(500\) from c1 and could not load the entire"),
        ):
            chain.invoke(b"1", "text/csv")
        thread.join()


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:1", "ftp://x", "http://"])
def test_addresses(url):
    with pytest.raises(SetupError):
        HttpChain({"c1": url})


# the real containers


@pytest.fixture(scope="module", params=["", "aws"], ids=["ours", "compat"])
def abalone(request, tmp_path_factory):
    """Pairs (fused, over HTTP) of a bundle and a booster: `chain`, and each container alone under its name; with and
    without NACRE_COMPAT=aws."""
    pytest.importorskip("xgboost")
    folder = tmp_path_factory.mktemp("real")
    tiny_chain.bundle(folder / "model.zip")
    tiny_chain.booster(folder / "model.json", tiny_chain.rows(200))
    whole = Pipeline.read(tiny_chain.pipeline(folder)).with_environment({"NACRE_COMPAT": request.param})
    fused = FusedChain.load(whole, folder / "fused")
    with started(whole, folder / "work") as urls, HttpChain(urls) as over_http:
        pairs = {"chain": (fused, over_http)}
        for container in fused.containers:
            alone = HttpChain({container.name: urls[container.name]}, Limits(client=None))
            pairs[container.name] = (FusedChain([container], Limits(client=None)), alone)
        yield pairs
        for _, each in pairs.values():
            each.close()


GOOD = b"M,0.455,0.365,0.514"
TWO = GOOD + b"\nF,0.53,0.42,0.677\n"
REAL = {
    "one row": (GOOD, "text/csv", "text/csv"),
    "no accept": (GOOD, "text/csv"),
    "two rows": (TWO, "text/csv"),
    "json": (b'{"data": ["M", 0.455, 0.365, 0.514]}', "application/json"),
    "json with a schema": (
        b'{"schema": ' + json.dumps(tiny_chain.SCHEMA).encode() + b', "data": ["I", 0.1, 0.2, 0.3]}',
        "application/json",
    ),
    "json lines": (b'{"data": ["M", 0.455, 0.365, 0.514]}\n{"data": ["F", 0.1, 0.2, 0.3]}', "application/jsonlines"),
    "scores as json": (TWO, "text/csv", "application/json"),
    "scores as json lines": (TWO, "text/csv", "application/jsonlines"),
    "scores as recordio": (GOOD, "text/csv", "application/x-recordio-protobuf"),
    "charset": (GOOD, "text/csv; charset=utf-8", "text/csv; charset=utf-8"),
    "upper case": (GOOD, "TEXT/CSV", "TEXT/CSV"),
    "quoted": (b'"M","0.455",0.365,0.514', "text/csv"),
    "extreme numbers": (b"M,1e308,-1e308,5e-324\nF,1e-320,0,-0.0", "text/csv"),
    "beyond float32": (b"M,1e39,0.365,0.514", "text/csv"),
    "infinite": (b"M,Infinity,0.365,0.514", "text/csv"),
    "nan": (b"M,NaN,0.365,0.514", "text/csv"),
    "unseen": (b"X,0.455,0.365,0.514", "text/csv"),
    "unseen in row 2": (GOOD + b"\nX,0.455,0.365,0.514", "text/csv"),
    "markup": (b"<b>&,0.455,0.365,0.514", "text/csv"),
    "too few fields": (b"M,0.455", "text/csv"),
    "too many fields": (GOOD + b",1", "text/csv"),
    "not a number": (b"M,0.455,abc,0.514", "text/csv"),
    "empty field": (b"M,,0.365,0.514", "text/csv"),
    "header": (b"sex,length,diameter,weight\n" + GOOD, "text/csv"),
    "empty": (b"", "text/csv"),
    "line break": (b"\n", "text/csv"),
    "blank line": (GOOD + b"\n\n" + GOOD, "text/csv"),
    "not utf-8": (b"\xff\xfe,1,2,3", "text/csv"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "text/csv"),
    "nul": (b"M\0,1,2,3", "text/csv"),
    "broken json": (b'{"data": [', "application/json"),
    "json of rows": (b'{"data": [["M", 1, 2, 3]]}', "application/json"),
    "json null": (b'{"data": ["M", null, 2, 3]}', "application/json"),
    "json lines, one bad": (b'{"data": ["M", 1, 2, 3]}\n{"data": ["M"]}', "application/jsonlines"),
    "no content type": (GOOD, None),
    "another content type": (GOOD, "application/xml"),
    "accept of nobody": (GOOD, "text/csv", "image/png"),
    "accept in a list": (GOOD, "text/csv", "text/csv, application/json"),
    "many rows": (b"\n".join([GOOD, b"F,0.53,0.42,0.677"] * 500), "text/csv"),
}
FEATURES = b"1.0,0.0,0.0,0.455,0.365,0.514"
ALONE = {
    "one row": (FEATURES, "text/csv"),
    "libsvm": (b"1 0:1.0 3:0.455", "text/libsvm"),
    "libsvm by default": (b"0:1.0 3:0.455", None),
    "too few": (b"1,2", "text/csv"),
    "too many": (FEATURES + b",1", "text/csv"),
    "words": (b"a,b,c,d,e,f", "text/csv"),
    "empty": (b"", "text/csv"),
    "json": (b'{"instances": [[1, 0, 0, 0.455, 0.365, 0.514]]}', "application/json"),
    "not acceptable": (FEATURES, "text/csv", "text/plain"),
    "crash": (FEATURES, "text/csv", "application/x-recordio-protobuf"),
    "too large": (b"1" * (6 << 20) + b"1" * 1000, "text/csv"),
}


FEATURES_ALONE = REAL | {
    "csv": (TWO, "text/csv", "text/csv"),
    "json lines for csv": (TWO, "text/csv", "application/jsonlines"),
    "source lines": (GOOD, "text/csv", "application/jsonlines;data=text"),
    "empty and a bad accept": (b"", "text/csv", "image/png"),
    "broken and a bad accept": (b"{", "application/json", "image/png"),
    "no media type": (GOOD, "text/csv", "nonsense"),
    "empty and no content type": (b"", None),
}


def same_time(found):
    """Without the clock in Spring's errors."""
    if isinstance(found, Reply):
        return found
    name, status, reply = found
    return name, status, reply._replace(body=re.sub(rb'"timestamp":\d+', b'"timestamp":0', reply.body))


def compare(pair, request_):
    fused, over_http = (same_time(outcome(chain, *request_)) for chain in pair)
    assert fused == over_http


@pytest.mark.parametrize("request_", REAL.values(), ids=REAL)
def test_the_real_chain(abalone, request_):
    compare(abalone["chain"], request_)


@pytest.mark.parametrize("request_", FEATURES_ALONE.values(), ids=FEATURES_ALONE)
def test_sparkml_alone(abalone, request_):
    compare(abalone["features"], request_)


@pytest.mark.parametrize("request_", ALONE.values(), ids=ALONE)
def test_xgboost_alone(abalone, request_):
    compare(abalone["score"], request_)


def test_a_bad_default_accept_in_the_middle(tmp_path):
    pytest.importorskip("xgboost")
    tiny_chain.bundle(tmp_path / "model.zip")
    tiny_chain.booster(tmp_path / "model.json", tiny_chain.rows(50))
    default = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/jsonlines", "NACRE_COMPAT": "aws"}
    whole = Pipeline.read(tiny_chain.pipeline(tmp_path)).with_environment(default)
    with started(whole, tmp_path / "work") as urls, HttpChain(urls) as over_http:
        fused = FusedChain.load(whole, tmp_path / "fused")
        assert outcome(fused, GOOD, "text/csv")[:2] == ("score", 415)
        for request_ in ((GOOD, "text/csv"), (b"", "text/csv"), (b"{", "application/json")):
            compare((fused, over_http), request_)


def test_the_real_chain_scores_and_refuses(abalone):
    """So that the comparisons above are of answers and of refusals by either container."""
    fused = abalone["chain"][0]
    found = {name: outcome(fused, *request_) for name, request_ in REAL.items()}
    good = [name for name, reply in found.items() if isinstance(reply, Reply) and reply.status == 200]
    assert {"one row", "no accept", "two rows", "json", "json with a schema", "scores as json", "many rows"} < set(good)
    assert {found[name][0] for name in found if name not in good} == {"features", "score"}
    alone = outcome(abalone["score"][1], FEATURES, "text/csv")
    assert found["one row"].body == found["json"].body == alone.body


def test_typed_columns_give_the_same_scores(tmp_path):
    pytest.importorskip("xgboost")
    rows = tiny_chain.rows(300)
    tiny_chain.bundle(tmp_path / "model.zip")
    trained = tiny_chain.booster(tmp_path / "model.json", rows)
    fused = FusedChain.load(Pipeline.read(tiny_chain.pipeline(tmp_path)), tmp_path / "work")
    table = pa.Table.from_pylist(rows).append_column("other", pa.nulls(len(rows)))
    expected = trained.inplace_predict(tiny_chain.matrix(rows)).astype(float).tolist()
    assert fused.score_table(table).to_pylist() == expected
    assert fused.score_table(table.slice(0, 1)).to_pylist() == expected[:1]
    text = fused.invoke("\n".join(tiny_chain.csv_lines(rows)).encode(), "text/csv").body
    assert [float(line) for line in text.decode().splitlines()] == expected
    assert fused.score_table(table.slice(0, 0)).type == pa.float64()
    bad = pa.Table.from_pylist([*rows[:2], {**rows[2], "sex": "X"}])
    with pytest.raises(NacreError) as caught:
        fused.score_table(bad)
    assert (caught.value.where["container"], caught.value.where["row"]) == ("features", 3)
