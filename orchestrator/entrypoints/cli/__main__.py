"""``python -m orchestrator.entrypoints.cli``."""

from __future__ import annotations

import sys

from orchestrator.entrypoints.cli import main

if __name__ == "__main__":
    sys.exit(main())
