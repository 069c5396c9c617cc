"""docs/script.md does what it says: its commands are run in order, and print what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from nacre.serving.processes import free_ports
from tests.scripts import OURS
from tests.shared import CHECKOUT

CURL = """
import argparse, http.client, sys, time, urllib.parse
parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d", "--data-binary")
parser.add_argument("--retry", type=int, default=0)
parser.add_argument("--retry-connrefused", action="store_true")
parser.add_argument("url")
args = parser.parse_args()
url = urllib.parse.urlsplit(args.url)
for _ in range(args.retry * 10 + 1):
    try:
        connection = http.client.HTTPConnection(url.netloc)
        connection.connect()
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
connection.request("POST" if args.data_binary else "GET", url.path, args.data_binary, dict(h.split(": ") for h in args.H))
sys.stdout.write(connection.getresponse().read().decode())
"""
"""As much of curl as the page uses, for machines that have none."""


def command(folder: Path, name: str, arguments: str) -> None:
    (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
    (folder / name).chmod(0o755)


def test_the_page_s_commands_print_what_it_says(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "script.md").read_text(encoding="utf-8")
    (tmp_path / "train.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
    console = re.findall(r"```console\n(.*?)```", page, re.DOTALL)[0]
    commands = [line.removeprefix("$ ") for line in console.splitlines() if line.startswith("$ ")]
    printed = [line for line in console.splitlines() if not line.startswith("$ ")]
    (tmp_path / "curl.py").write_text(CURL)
    command(tmp_path, "nacre", "-m nacre")
    command(tmp_path, "curl", str(tmp_path / "curl.py"))
    program = "\n".join(commands).replace("8080", str(free_ports(1)[0]))
    env = OURS | {"PATH": f"{tmp_path}{os.pathsep}{OURS['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ran.stdout.splitlines() == printed, ran.stderr
