"""Every pair of models, every request of the first with an Accept of the second: fused and over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.chain import FusedChain, HttpChain, Limits
from nacre.chain.http import Peer
from nacre.errors import ContainerError
from nacre.handlers.container import Container
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.processes import started
from tests.pairs.samples import BROKEN, SAMPLES, Model, models

if TYPE_CHECKING:
    from nacre.handlers.base import Reply

LIMITS = Limits(client=None, between=None)


class Remembering(Peer):
    """Sends the same request once: what the first of a pair answers does not depend on the second."""

    def __init__(self, name: str, url: str):
        super().__init__(name, url)
        self._answers: dict[Any, Reply] = {}

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        key = (body, *sorted(headers.items()))
        if key not in self._answers:
            self._answers[key] = super().post(body, headers, timeout)
        return self._answers[key]


class Ready(NamedTuple):
    """A model loaded here, and behind a URL: as the first of a pair, and as the second."""

    kind: str
    model: Model
    container: Container
    first: Peer
    second: Peer


class Difference(NamedTuple):
    """Where the two ways part."""

    pair: str
    request: str
    accept: str | None
    fused: Any
    http: Any


@contextmanager
def ready(folder: Path) -> Iterator[list[Ready]]:
    """All models, loaded and served; each server is started once."""
    definitions = []
    for at, (kind, model) in enumerate(models()):
        place = folder / f"model-{at}"
        model.write(place)
        definitions.append(ContainerDefinition(f"m{at}", kind, kind, str(place), dict(model.env)))
    with started(Pipeline("pairs", tuple(definitions)), folder / "work") as urls:
        found = []
        for (kind, model), item in zip(models(), definitions, strict=True):
            container = Container.load(kind, Path(item.artefact()), item.env())
            url = urls[item.name]
            found.append(Ready(kind, model, container, Remembering(item.name, url), Peer(item.name, url)))
        yield found
        for each in found:
            each.first.close()
            each.second.close()


def over_http(*peers: Peer) -> HttpChain:
    """A chain in which a container may stand twice."""
    chain = HttpChain({}, LIMITS)
    chain.peers, chain.names = peers, tuple(peer.name for peer in peers)
    return chain


def outcome(chain: FusedChain | HttpChain, asked: tuple[bytes, str | None], accept: str | None) -> Any:
    """The reply, or the error's words with the failing container's reply; without the clock in Spring's errors."""
    try:
        return chain.invoke(*asked, accept)
    except ContainerError as error:
        return (
            error.where["container"],
            str(error).partition('"timestamp"')[0],
            error.reply.status,
            unclocked(error.reply),
        )


def unclocked(reply: Any) -> Any:
    import re

    return reply._replace(body=re.sub(rb'"timestamp":\d+', b'"timestamp":0', reply.body))


def walk(found: list[Ready]) -> tuple[dict[tuple[str, str], Counter[str]], list[Difference]]:
    """Counts by pair of kinds, and the differences."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    wrong: list[Difference] = []
    for first in found:
        for second in found:
            count = counts.setdefault((first.kind, second.kind), Counter())
            count["pairs"] += 1
            fused, http = FusedChain([first.container, second.container], LIMITS), over_http(first.first, second.second)
            for name, asked, accept in requests(first, second):
                ours, theirs = outcome(fused, asked, accept), outcome(http, asked, accept)
                count["requests"] += 1
                count["answers" if hasattr(ours, "body") else "refused by the first" if ours[0] == first.container.name
                      and first is not second else "refused"] += 1  # fmt: skip
                if ours != theirs:
                    pair = f"{first.kind} {first.model.name} -> {second.kind} {second.model.name}"
                    wrong.append(Difference(pair, name, accept, ours, theirs))
    return counts, wrong


def requests(first: Ready, second: Ready) -> Iterator[tuple[str, tuple[bytes, str | None], str | None]]:
    """Each request with one Accept, in turn; a plain row and two with all of them. Bodies that are none, which the first
    refuses whatever comes after it, go to one model a kind."""
    accepts = SAMPLES[second.kind].accepts
    whole = second.model is SAMPLES[second.kind].models[0]
    for at, (name, asked) in enumerate(first.model.requests.items()):
        if name in BROKEN and not whole:
            continue
        for accept in accepts if name in ("1 row", "2 rows") else (accepts[at % len(accepts)],):
            yield name, asked, accept


HEAD = """# Pairs of containers

Every container that can be fused, before and after every other: each request goes through the pair fused in one process
and over HTTP between two, and the answers have the same bytes, types, headers and statuses, errors included. Rows of 1 and
500, NaN, ±∞, -0.0, 1e39 and their like, vectors of one column, empty texts, labels with commas, quotes and line breaks,
every content type that the first reads, every Accept of the second, and bodies that are none. A kind that can be fused
and is not in here fails the tests.
"""


def page(counts: dict[tuple[str, str], Counter[str]]) -> str:
    lines = [
        HEAD,
        "| first | second | pairs of models | requests | answered | refused | different |",
        "|---|---|---|---|---|---|---|",
    ]
    for (first, second), count in counts.items():
        refused = count["refused"] + count["refused by the first"]
        lines.append(
            f"| {first} | {second} | {count['pairs']} | {count['requests']} | {count['answers']} | {refused} | 0 |"
        )
    total = sum(counts.values(), Counter())
    lines.append(
        f"| all | all | {total['pairs']} | {total['requests']} | {total['answers']} | {total['requests'] - total['answers']} | 0 |"
    )
    return "\n".join([*lines, "", "`python -m tests.pairs` writes this page.", ""])
