"""`nacre transform`: files scored by a whole chain, as SageMaker's batch transform does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nacre.errors import SetupError
from nacre.transform.inputs import Input, find_inputs
from nacre.transform.job import Outcome, Score, refuse_existing_outputs, run
from nacre.transform.lines import ASSEMBLE_WITH, CACHED, LineTransform
from nacre.transform.parameters import LARGEST, environment, fetched_parameters, resolve
from nacre.transform.progress import Progress, wanted
from nacre.transform.records import BATCH_STRATEGIES, SPLIT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from nacre.chain import Limits
    from nacre.pipeline import Pipeline

    Opener = Callable[..., AbstractContextManager[Any]]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="nacre transform",
        description="Score a CSV file, a folder of CSV files or a Parquet data set with a chain of containers.",
    )
    made.add_argument("pipeline", type=Path, metavar="PIPELINE.yaml", help="the containers, as CreateModel takes them")
    made.add_argument("input", type=Path, metavar="INPUT", help="a file or a folder, CSV or Parquet")
    made.add_argument("output", type=Path, metavar="OUTPUT", help="a file, or a folder: NAME.out for each CSV file")
    made.add_argument("--model-data", action="append", default=[], metavar="NAME=PATH",
                      help="the artefact of a container, instead of its ModelDataUrl")  # fmt: skip
    made.add_argument(
        "--over",
        choices=("fused", "http"),
        default="fused",
        help="default: fused, in this process; what runs code of its own is a process beside it",
    )
    made.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    made.add_argument("--progress", action=argparse.BooleanOptionalAction, help="default: when stderr is a terminal")
    _add_csv_options(made.add_argument_group("CSV and other text"))
    _add_http_options(made.add_argument_group("with --over http"))
    made.add_argument_group("Parquet").add_argument("--column", default="prediction", help="default: prediction")
    return made


def _add_csv_options(group: Any) -> None:
    group.add_argument("--content-type", default="text/csv", help="of the requests; default: text/csv")
    group.add_argument("--accept", help="for the last container; default: none, so the containers' own")
    group.add_argument("--split-type", choices=SPLIT_TYPES, default="Line", help="default: Line")
    group.add_argument("--assemble-with", choices=ASSEMBLE_WITH, default="Line",
                       help="default: Line, a line break after every answer that has none")  # fmt: skip
    told = "default: what the first container says at /execution-parameters"
    group.add_argument("--batch-strategy", choices=BATCH_STRATEGIES, help=f"{told}, else MultiRecord")
    group.add_argument("--max-payload-mb", type=int, metavar="N", help=f"0 to {LARGEST}; {told}, else 6; 0: no limit")
    group.add_argument("--max-concurrent-transforms", type=int, metavar="N", help=f"{told}, else 1")


def _add_http_options(group: Any) -> None:
    group.add_argument(
        "--url",
        action="append",
        default=[],
        help="of each running container, in order; default: they are started for the job",
    )
    group.add_argument("--invocations-timeout", type=float, default=600.0, metavar="SECONDS", help="default: 600")
    group.add_argument("--invocations-max-retries", type=int, default=3, metavar="N",
                       help="after a 5xx or no answer; default: 3")  # fmt: skip


@contextmanager
def fused(pipeline: Pipeline, workdir: Path, limits: Limits, **_: Any) -> Iterator[Any]:
    """The chain in this process; containers that run code of their own are refused."""
    from nacre.chain import FusedChain

    yield FusedChain.load(pipeline, workdir, limits)


def main(argv: list[str], opener: Opener = fused) -> int:
    """0 when every file was scored, 1 when one was not, 2 for wrong usage. Raises NacreError before the first file.

    `opener` makes a chain of a pipeline: nacre.serving.opening knows more ways than this module may.
    """
    arguments = parser().parse_args(argv)
    if arguments.url and arguments.over == "fused":
        raise SetupError("--url is of running containers", expected="--over http", got="--over fused")
    inputs = find_inputs(arguments.input, arguments.output)
    if not arguments.overwrite:
        refuse_existing_outputs(inputs)
    with chain(arguments, opener) as opened:
        score = _parquet_score(arguments, opened, inputs) if inputs[0].parquet else _line_score(arguments, opened)
        total = sum(item.source.stat().st_size for item in inputs)
        with Progress(total, wanted(arguments.progress)) as progress:
            outcomes = run(inputs, score, progress)
    return report(outcomes, progress.seconds)


@contextmanager
def chain(arguments: argparse.Namespace, opener: Opener) -> Iterator[Any]:
    """The chain asked for: loaded here, processes started here, or the URLs of running containers. Raises NacreError
    naming the container.

    Batch transform has no limit of its own between containers; each container's own stays.
    """
    from nacre.chain import HttpChain, Limits
    from nacre.pipeline import Pipeline, overrides

    pipeline = Pipeline.read(arguments.pipeline).with_artefacts(overrides(arguments.model_data))
    if arguments.url:
        urls = _urls([item.name for item in pipeline.containers], arguments.url)
        with HttpChain(urls, Limits(None, None), timeout=arguments.invocations_timeout) as opened:
            yield opened
        return
    asked = environment(arguments.max_concurrent_transforms, arguments.max_payload_mb, arguments.batch_strategy)
    with TemporaryDirectory(prefix="nacre-transform-") as workdir:
        whole, seconds = pipeline.with_environment(asked), arguments.invocations_timeout
        fuse = arguments.over == "fused"
        with opener(whole, Path(workdir), Limits(None, None), timeout=seconds, fuse=fuse) as opened:
            yield opened


def _urls(names: list[str], urls: list[str]) -> dict[str, str]:
    if len(urls) != len(names):
        expected = f"one --url for each of {', '.join(names)}"
        raise SetupError("--over http needs the containers' addresses", expected=expected, got=len(urls))
    return dict(zip(names, urls, strict=True))


def execution_parameters(arguments: argparse.Namespace, opened: Any) -> Mapping[str, Any]:
    """What the first container says of itself: it is the one that gets the split records."""
    if not arguments.url:
        told: Mapping[str, Any] = opened.execution_parameters()
        return told
    return fetched_parameters(arguments.url[0], arguments.invocations_timeout)


def _line_score(arguments: argparse.Namespace, opened: Any) -> Score:
    from nacre.chain import FusedChain

    told = execution_parameters(arguments, opened)
    local = isinstance(opened, FusedChain)
    transform = LineTransform(
        opened,
        arguments.content_type,
        arguments.accept,
        arguments.split_type,
        arguments.assemble_with,
        resolve(arguments.max_concurrent_transforms, arguments.max_payload_mb, arguments.batch_strategy, told),
        retries=arguments.invocations_max_retries if not local else 0,
        enough=CACHED if local and arguments.max_payload_mb is None else 0,
    )
    return lambda item, sink, progress: transform.file(item.source, sink, progress)


def _parquet_score(arguments: argparse.Namespace, opened: Any, inputs: list[Input]) -> Score:
    from nacre.transform.tables import TableTransform, partition_types

    if arguments.over == "http":
        raise SetupError("Parquet is scored in this process only", expected="--over fused", got="--over http")
    return TableTransform(opened, arguments.column, partition_types(inputs)).file


def report(outcomes: list[Outcome], seconds: float) -> int:
    """One line a failed file and one for all, on stderr; returns the exit code."""
    failed = [outcome.error for outcome in outcomes if outcome.error]
    for error in failed:
        print(f"nacre: {' '.join(str(error).split())}", file=sys.stderr)
    rows = sum(outcome.rows for outcome in outcomes)
    done = f"{len(outcomes) - len(failed)} of {len(outcomes)} files"
    print(f"{done}, {rows:,} rows in {seconds:.1f} s ({rows / seconds:,.0f} rows/s)", file=sys.stderr)
    return 1 if failed else 0
