"""From a page to a PDF with WeasyPrint. It is imported only here and only when a PDF is wanted: it takes a second to load."""

from __future__ import annotations

from typing import Any

from orchestrator.application.errors import EnvironmentProblemError

PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-dejavu-core"
"""Debian 12 and 13, Ubuntu 24.04: what WeasyPrint loads, and one font so that the page is not empty."""


def to_pdf(page: str) -> bytes:
    """Lay out a page on A4; equal pages give equal files.

    Args:
        page: HTML that needs nothing from elsewhere.

    Raises:
        EnvironmentProblemError: WeasyPrint or the libraries below it are not on this machine.
    """
    weasyprint = _weasyprint()
    nowhere = weasyprint.URLFetcher(allowed_protocols=())  # device output must not make the controller open addresses
    document = weasyprint.HTML(string=page, url_fetcher=nowhere)
    return bytes(document.write_pdf())


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:  # OSError: the Python part is there, Pango is not
        raise EnvironmentProblemError(
            f"a PDF cannot be made here: {str(error).splitlines()[0] if str(error) else type(error).__name__}."
            f" On Debian and Ubuntu: apt-get install {PACKAGES}. The page, CSV and JSON need none of it."
        ) from None
    return weasyprint
