"""Pages that repeat the code are written from it, and committed as written."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

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
