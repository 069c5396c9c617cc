"""A pipeline as one chain, whatever its containers are: ours in this process, the others as processes beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from nacre.chain import FusedChain, HttpChain, Limits, MixedChain
from nacre.serving.processes import Command, serve_command, started

if TYPE_CHECKING:
    from nacre.chain import Observe
    from nacre.pipeline import Pipeline


@contextmanager
def opened(
    pipeline: Pipeline,
    workdir: Path,
    limits: Limits | None = None,
    observe: Observe | None = None,
    *,
    workers: int = 1,
    timeout: float = 60.0,
    start_timeout: float = 240.0,
    command: Command = serve_command,
    fuse: bool = True,
) -> Iterator[FusedChain | MixedChain]:
    """The chain of a pipeline, ready, and closed with its processes at the end.

    `limits`: those of the environment by default; `timeout`: seconds a request may take; `start_timeout`: seconds until
    all processes answer /ping; `fuse` off: ours are processes too, as on SageMaker. Raises NacreError naming the
    container that cannot be loaded or does not start.
    """
    limits = Limits.read(os.environ) if limits is None else limits
    alone = tuple(item for item in pipeline.containers if item.alone or not fuse)
    if not alone:
        yield FusedChain.load(pipeline, workdir, limits, observe)
        return
    count = len(pipeline.containers)
    print(f"nacre: {told([item.name for item in alone])}, {count - len(alone)} fused", file=sys.stderr)
    lone = replace(pipeline, containers=alone)
    inner = Limits(None, limits.between)
    with started(lone, workdir, workers=workers, timeout=start_timeout, command=command, containers=count) as urls:
        parts: list[FusedChain | HttpChain] = []
        for outside, items in groupby(pipeline.containers, key=lambda item: item in alone):
            if outside:
                parts.append(HttpChain({item.name: urls[item.name] for item in items}, inner, observe, timeout))
            else:
                parts.append(FusedChain.load(replace(pipeline, containers=tuple(items)), workdir, inner, observe))
        with closing(MixedChain(parts, limits, timeout)) as chain:
            yield chain


def told(names: list[str]) -> str:
    """Which containers are processes, for the one line that says so."""
    listed = ", ".join(names)
    return f"{listed} runs code of its own, as a process" if len(names) == 1 else f"{listed} run as processes"


def transform(argv: list[str]) -> int:
    """The verb `transform`, with chains of any containers."""
    from nacre.transform.command import main

    return main(argv, opened)
