"""Pages that repeat the code are written from it, and committed as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny_chain
from tests.shared import CHECKOUT


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help otherwise from 3.13 on")
def test_derived_pages_are_up_to_date() -> None:
    command = [sys.executable, CHECKOUT / "docs" / "build.py", "--check"]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, env={"PYTHONPATH": str(CHECKOUT)})
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_links_lead_somewhere() -> None:
    pages = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_the_chain_s_example_runs_as_it_stands(tmp_path: Path) -> None:
    """Twice in the same folder, as one tries things."""
    pytest.importorskip("xgboost")
    home = tmp_path / "nacre-demo"
    home.mkdir()
    tiny_chain.bundle(home / "model.zip")
    tiny_chain.booster(home / "model.json", tiny_chain.rows(50, seed=1))
    tiny_chain.pipeline(home)
    text = CHECKOUT.joinpath("docs", "serve.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S)) + "\nprint(reply.body.decode())"
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [run.stderr for run in runs] == ["", ""]
    assert float(runs[0].stdout) == float(runs[1].stdout)
