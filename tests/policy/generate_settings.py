"""Writes docs/reference/settings.md from the models (`make docs`); with --check it only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from orchestrator.config.described import reference  # noqa: E402 - a script that runs from anywhere

PAGE = ROOT / "docs" / "reference" / "settings.md"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with ``--check`` compare. Returns 1 when it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the page is out of date")
    if not parser.parse_args(arguments).check:
        PAGE.write_text(reference(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == reference():
        return 0
    print(f"{PAGE.name} is not what the models say: run make docs")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
