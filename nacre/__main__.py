"""`python -m nacre` is `nacre`."""

from __future__ import annotations

from nacre.cli import main

raise SystemExit(main())
