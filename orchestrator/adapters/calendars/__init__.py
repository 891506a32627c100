"""Which time zone data this machine decides with."""

from __future__ import annotations

import zoneinfo
from pathlib import Path


def tzdata_version() -> str:
    """The IANA release zoneinfo reads, for example ``2026b``; ``unknown`` when the system does not say.

    The system's files win over the ``tzdata`` package (PEP 615), so they are asked first.
    """
    for folder in zoneinfo.TZPATH:
        listing = Path(folder) / "tzdata.zi"
        if listing.is_file():
            with listing.open(encoding="ascii", errors="replace") as lines:
                return lines.readline().removeprefix("# version").strip() or "unknown"
        if (Path(folder) / "UTC").is_file():
            return "unknown"
    try:
        from tzdata import IANA_VERSION
    except ImportError:
        return "unknown"
    return str(IANA_VERSION)
