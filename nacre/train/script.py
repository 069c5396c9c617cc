"""Training by a script of the user, as SageMaker's containers run it in script mode.

The script is a process of its own: `python SCRIPT --name value …` with the `SM_` variables, in the folder of its code.
What it leaves in SM_MODEL_DIR is the model. If it fails, `output/failure` holds one sentence that says where, and the
exit code is the script's.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from nacre.errors import NacreError, SetupError
from nacre.handlers.script_folders import TWINS, fetched, installed
from nacre.store import fetch_artefact, is_s3, local_path
from nacre.train import environment
from nacre.train.environment import Folders, Training, folders, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

FAILURE_CHARACTERS = 1024
"""What SageMaker reads of a failure file."""
TAIL = 64 * 1024
"""Characters of a script's error output that are kept, to find what failed."""
FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<name>.+))?$', re.MULTILINE)


class TrainingError(NacreError):
    """A script that failed; the command ends with its exit code."""

    status = 500

    def __init__(self, message: str, code: int, **known: Any):
        super().__init__(message, **known)
        self.exit_code = code


# In a container


def in_container(where: Folders, env: Mapping[str, str]) -> None:
    """Train from the files below /opt/ml; a failure is written there too, and raised."""
    try:
        where.make()
        run(Training.read(where), env)
    except NacreError as error:
        where.output.mkdir(parents=True, exist_ok=True)
        (where.output / "failure").write_text(str(error)[:FAILURE_CHARACTERS], encoding="utf-8")
        raise
    (where.output / "success").touch()


def asked_for(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a kind that trains by itself shall run a script: `--script`, or `sagemaker_program` in a container."""
    if argv:
        return "--script" in argv
    file = folders(env).config / "hyperparameters.json"
    try:
        return bool(env.get("SAGEMAKER_PROGRAM")) or environment.PROGRAM in read_json(file, {})
    except SetupError:  # the kind's own trainer says so, and writes the failure
        return False


def run(job: Training, env: Mapping[str, str]) -> None:
    """Put the code into its folder, install what it requires, run it. Raises NacreError."""
    program = str(env.get("SAGEMAKER_PROGRAM") or job.platform.get(environment.PROGRAM) or "")
    if not program:
        fix = f"Give the hyperparameter {environment.PROGRAM}, or --script"
        raise SetupError("no training script", expected=environment.PROGRAM, got="none", fix=fix)
    code = placed(job, env)
    if not (code / program).is_file():
        got = ", ".join(sorted(path.name for path in code.iterdir())[:10]) or "an empty folder"
        raise SetupError("no such training script", expected=program, got=got, file=str(code))
    packages = installed(code, env)
    paths = [str(code), *([str(packages)] if packages else []), *filter(None, [env.get("PYTHONPATH")]), *stand_ins()]
    variables = {**env, **job.variables(program, env), "PYTHONPATH": os.pathsep.join(paths)}
    print(f"nacre train: {program} {' '.join(job.arguments)}".rstrip(), flush=True)
    ended, tail = supervised(command(code, program) + job.arguments, code, variables)
    if ended:
        raise failed(program, ended, tail, code)


def stand_ins() -> list[str]:
    """Folders with what a script may import of SageMaker's own packages, unless these are installed; and with us,
    whom those import."""
    import nacre

    names = [path.name for path in TWINS.iterdir() if path.is_dir() and path.name.startswith("sagemaker")]
    if any(importlib.util.find_spec(name) for name in names):
        return []
    return [str(TWINS), str(Path(nacre.__file__).resolve().parent.parent)]


def placed(job: Training, env: Mapping[str, str]) -> Path:
    """The folder of the code: /opt/ml/code, filled from the submit directory if there is one."""
    code: Path = job.folders.code
    source = str(job.platform.get(environment.DIRECTORY) or env.get("SAGEMAKER_SUBMIT_DIRECTORY") or "")
    if not source:
        return code
    found = fetched(source, job.folders.model)
    if found != code.resolve():
        ignored = shutil.ignore_patterns("__pycache__", ".git")
        shutil.copytree(found, code, dirs_exist_ok=True, ignore=ignored)
    return code


def command(code: Path, program: str) -> list[str]:
    """A package is run as a module, a Python file as a program, anything else as a command of its own."""
    if (code / "setup.py").is_file() and program.endswith(".py"):
        return [sys.executable, "-m", program.removesuffix(".py").replace("/", ".")]
    if program.endswith(".py"):
        return [sys.executable, program]
    (code / program).chmod(0o755)
    return [str(code / program)]


def supervised(arguments: list[str], folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run to the end: the exit code (128 + signal), and the end of what it wrote to stderr, which passes through.
    SIGTERM is handed on: a script may save what it has."""
    try:
        process = subprocess.Popen(arguments, cwd=folder, env=dict(env), stderr=subprocess.PIPE)
    except OSError as error:
        raise SetupError("the training script cannot be run", got=error.strerror, file=arguments[0]) from None

    def hand_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        assert process.stderr is not None
        tail = passed_on(process.stderr)
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.kill()
            process.wait()
    return (code if code >= 0 else 128 - code), tail


def passed_on(stream: IO[bytes]) -> str:
    """Copy a stream to stderr as it comes, and keep its end."""
    kept = b""
    while part := os.read(stream.fileno(), 1 << 16):
        sys.stderr.buffer.write(part)
        sys.stderr.flush()
        kept = (kept + part)[-TAIL:]
    stream.close()
    return kept.decode("utf-8", "replace")


def failed(program: str, code: int, tail: str, folder: Path) -> TrainingError:
    """The last line of its error output, and the place in the user's code that the trace before it names."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    root, where = folder.resolve(), program
    for found in FRAME.finditer(tail):
        path = Path(folder, found["file"]).resolve()
        if path.is_relative_to(root):
            function = "" if found["name"] in (None, "<module>") else f", in {found['name']}"
            where = f"{path.relative_to(root)}, line {found['line']}{function}"
    got = f"exit code {code}" + (f", {lines[-1]}" if lines else "")
    return TrainingError("the training script failed", code, expected="exit code 0", got=got, file=where)


# The program


def parser(kind: str) -> argparse.ArgumentParser:
    about = "Run a training script as SageMaker's containers run it; writes model.tar.gz."
    found = argparse.ArgumentParser(
        prog=f"nacre train {kind}", description=about,
        epilog="Without arguments: code, channels, hyperparameters and output of a SageMaker container.",
    )  # fmt: skip
    found.add_argument("--script", metavar="FILE", help="the script; with --source, its name in there")
    found.add_argument(
        "--source", metavar="DIR", help="folder or tar.gz of the code, local or s3:// (default: the script's)"
    )
    found.add_argument("--train", metavar="PATH", help="the same as --channel train=PATH")
    found.add_argument("--validation", metavar="PATH", help="the same as --channel validation=PATH")
    found.add_argument(
        "--channel",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="data, as SM_CHANNEL_NAME; file, folder or s3://",
    )
    found.add_argument(
        "--hyperparameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an argument of the script, --NAME VALUE",
    )
    found.add_argument(
        "--output", metavar="DIR", help="folder for model.tar.gz, and output.tar.gz of SM_OUTPUT_DATA_DIR"
    )
    return found


def train(kind: str, argv: Sequence[str]) -> int:
    """`nacre train KIND` with a script."""
    if not argv:
        in_container(folders(os.environ), os.environ)
        return 0
    arguments = parser(kind)
    args = arguments.parse_args(argv)
    if args.script is None or args.output is None:
        arguments.error("--script and --output belong together")
    channels = {"train": args.train, "validation": args.validation, **pairs(arguments, args.channel)}
    with TemporaryDirectory(prefix="nacre-train-") as scratch:
        where = Folders(Path(scratch).resolve())
        prepare(where, args.script, args.source, pairs(arguments, args.hyperparameter))
        link({name: path for name, path in channels.items() if path is not None}, where)
        run(Training.read(where), local_environment(os.environ))
        print(f"nacre train: {packed(where, local_path(args.output))}")
    return 0


main = partial(train, "script")
scikit_learn = partial(train, "scikit-learn")
pytorch = partial(train, "pytorch")
tensorflow = partial(train, "tensorflow")


def pairs(arguments: argparse.ArgumentParser, texts: Sequence[str]) -> dict[str, str]:
    found = [text.partition("=") for text in texts]
    for name, equals, value in found:
        if not (name and equals):
            arguments.error(f"expected NAME=VALUE, got {name or equals + value!r}")
    return {name: value for name, _, value in found}


def local_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Without what a container would have set: the arguments say it here."""
    return {name: value for name, value in env.items() if not name.startswith(("SM_", "SAGEMAKER_"))}


def prepare(where: Folders, script: str, source: str | None, hyperparameters: Mapping[str, str]) -> None:
    """The folders and hyperparameters.json of a job. Only the script itself is taken where no --source is named."""
    where.make()
    where.config.mkdir(parents=True)
    own = {environment.PROGRAM: script}
    if source is not None:
        own[environment.DIRECTORY] = source if is_s3(source) else str(local_path(source).resolve())
    else:
        file = Path(script)
        if not file.is_file():
            raise SetupError("no such training script", expected="a file", got=script)
        own = {environment.PROGRAM: file.name}
        for path in (file, file.with_name("requirements.txt")):
            if path.is_file():
                shutil.copy2(path, where.code / path.name)
    (where.config / "hyperparameters.json").write_text(json.dumps({**hyperparameters, **own}))


def link(channels: Mapping[str, str], where: Folders) -> None:
    """Data of each channel where a script looks for it: a folder as it is, a file inside one, S3 downloaded."""
    where.data.mkdir(parents=True)
    for name, path in channels.items():
        target = where.data / name
        if is_s3(path):
            fetch_artefact(path, target)
            continue
        found = local_path(path).resolve()
        if found.is_dir():
            target.symlink_to(found, target_is_directory=True)
        elif found.is_file():
            target.mkdir()
            (target / found.name).symlink_to(found)
        else:
            raise SetupError("no such data", expected="a file or a folder", got=path, field=f"channel {name}")
    config = {name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"} for name in channels}
    (where.config / "inputdataconfig.json").write_text(json.dumps(config))


def packed(where: Folders, output: Path) -> Path:
    """model.tar.gz of the model, output.tar.gz of SM_OUTPUT_DATA_DIR if it holds anything. Raises SetupError without a
    model."""
    if not any(where.model.iterdir()):
        fix = "Save the model into os.environ['SM_MODEL_DIR']"
        raise SetupError("the script left no model", expected="files in SM_MODEL_DIR", got="none", fix=fix)
    output.mkdir(parents=True, exist_ok=True)
    pack(where.model, output / "model.tar.gz")
    if any(where.output_data.iterdir()):
        pack(where.output_data, output / "output.tar.gz")
    return output / "model.tar.gz"


def pack(folder: Path, target: Path) -> None:
    """All files of a folder; the same files give the same bytes. It gets its name only when it is complete."""
    partial_file = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        with (
            partial_file.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = tarfile.TarInfo(str(path.relative_to(folder)))
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    archive.addfile(entry, content)
        partial_file.replace(target)
    finally:
        partial_file.unlink(missing_ok=True)
