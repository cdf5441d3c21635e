"""The page: one HTML file that holds all it needs, its data as JSON beside the scripts that draw it."""

import html
import json
import re
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "assets"
MAX_BYTES = 5_000_000
"""What a report may weigh."""


def render_page(title: str, version: str, data: dict[str, Any]) -> bytes:
    """Put a report together.

    Args:
        title: of the page.
        version: of this package.
        data: what the scripts draw, as JSON values.

    Returns:
        The file: UTF-8, without any address that a browser would load from.
    """
    # Within a script element only "<" can end or reopen it.
    told = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    parts = {
        "title": html.escape(title),
        "version": html.escape(version),
        "style": _asset("uPlot.min.css") + _asset("report.css"),
        "library": _asset("uPlot.iife.min.js"),
        "script": _asset("report.js"),
        "data": told,
    }
    # In one pass: what is put in may hold braces, too.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))
    return page.encode()


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
