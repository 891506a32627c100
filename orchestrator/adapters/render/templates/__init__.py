"""The templates and the one environment that knows how to fill them."""

from __future__ import annotations

import textwrap
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

WIDTH = 72


@cache
def environment() -> Environment:
    """Autoescape in ``.html.j2``; a name the template does not get is an error, never an empty space."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.adapters.render", "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False, default_for_string=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["fill"] = fill
    return made


def fill(text: Any, indent: int = 0, first: int | None = None) -> str:
    """Wrap a paragraph at 72 columns; words longer than a line (names, versions) stay whole.

    Args:
        text: The paragraph.
        indent: Columns before every line after the first.
        first: Columns already taken on the first line; ``None`` = as ``indent``.
    """
    lead = " " * (indent if first is None else first)
    lines = textwrap.wrap(
        str(text), WIDTH, initial_indent=lead, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)[len(lead) :] if lines else ""
