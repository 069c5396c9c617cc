"""The folder of a user's code: fetched, its requirements installed beside it, both put on Python's path.

Nothing is written into the model or into the Python that runs: what is fetched or installed goes into folders of this
process, which are removed when it ends.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from nacre.errors import SetupError
from nacre.handlers.base import Setting
from nacre.store import fetch_artefact, is_s3, local_path

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = Setting(
    "NACRE_INSTALL_REQUIREMENTS", "true", "false: requirements.txt beside the script is not installed at the start"
)
REQUIREMENTS = "requirements.txt"
MODEL = Path("/opt/ml/model")
"""Where SageMaker has the model: in what its SDK writes, this means the model's folder, wherever it is here."""
CODE = Path("/opt/ml/code")
TWINS = Path(__file__).resolve().parent / "twins"
"""Stand-ins for packages of SageMaker's containers, for scripts that import them; last on the path."""
OPTION = re.compile(r"--(no-index|find-links|index-url|extra-index-url|trusted-host|pre|prefer-binary)\b|-[fi]\b")
"""Lines of a requirements file that say where packages come from."""


def submitted(directory: str | None, program: str, model_dir: Path) -> Path:
    """The folder of the code, whether it is there or not: of an absolute program its own; what the environment names,
    fetched and unpacked if need be; else `code/` of the model."""
    if directory:
        return fetched(directory, model_dir)
    path = here(Path(program), model_dir)
    if path.is_absolute():
        return path.parent.resolve()
    folder = model_dir / "code"
    return (folder if folder.is_dir() or not CODE.joinpath(program).is_file() else CODE).resolve()


def here(path: Path, model_dir: Path) -> Path:
    """A path below /opt/ml/model as one below the model's folder."""
    return model_dir / path.relative_to(MODEL) if path.is_relative_to(MODEL) else path


def fetched(directory: str, model_dir: Path) -> Path:
    """A local folder as it is, an archive unpacked. Raises ModelError or SetupError."""
    if not is_s3(directory):
        directory = str(here(local_path(directory), model_dir))
    return fetch_artefact(directory, scratch() / "code").resolve()


def scratch() -> Path:
    """A new folder that goes when this process, and not a worker forked from it, ends."""
    folder, owner = Path(mkdtemp(prefix="nacre-code-")), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder.resolve()


def code_folder(folder: Path, env: Mapping[str, str]) -> list[Path]:
    """Install what the code requires, and put all of it first on Python's path: the code, its `lib`, the packages."""
    found = [folder, *(path for path in [folder / "lib"] if path.is_dir())]
    packages = installed(folder, env)
    if packages is not None:
        found.append(packages)
        for name in sorted({path.stem for path in packages.iterdir()} & set(sys.modules)):
            sys.stderr.write(f"nacre: {name} of {REQUIREMENTS} comes too late, this process has another one loaded\n")
    if str(TWINS) not in sys.path:
        sys.path.append(str(TWINS))
    for path in reversed(found):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    return found


def installed(folder: Path, env: Mapping[str, str]) -> Path | None:
    """The folder with the packages of requirements.txt that this Python lacks; None without any. Raises SetupError.

    pip itself says what is lacking (`--dry-run --report`): packages that are there already stay what they are, and
    are not installed a second time beside it. pip's own variables (PIP_INDEX_URL, PIP_NO_INDEX …) count.
    """
    file = folder / REQUIREMENTS
    if not file.is_file() or (env.get(INSTALL.name) or INSTALL.default) == "false":
        return None
    target = scratch()
    report = target / "report.json"
    pip(["--dry-run", "--report", str(report), "-r", str(file)], file, env)
    lacking = json.loads(report.read_text())["install"]
    report.unlink()
    if not lacking:
        return None
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if OPTION.match(line)]
    lines += [f"{item['metadata']['name']} @ {item['download_info']['url']}" for item in lacking]
    chosen = target / REQUIREMENTS
    chosen.write_text("\n".join(lines) + "\n", encoding="utf-8")
    pip(["--no-deps", "--target", str(target / "packages"), "-r", str(chosen)], file, env)
    return target / "packages"


def pip(arguments: list[str], file: Path, env: Mapping[str, str]) -> None:
    """Run `pip install`; it works in the folder of the requirements, so that paths in them count from there."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    ran = subprocess.run(
        [*command, *arguments],
        check=False,
        cwd=file.parent,
        env=dict(env),
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ran.returncode:
        sys.stderr.write(ran.stderr)
        fix = f"Correct {REQUIREMENTS}, or set {INSTALL.name}=false if the packages are there already"
        raise SetupError("requirements cannot be installed", got=reason(ran.stderr), file=str(file), fix=fix)


def reason(text: str) -> str:
    """The sentence of pip's error output that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no output"])[-1 if not errors else 0]
