"""The HTML views: the templates with what they use. Loaded for the first page that a browser asks for."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import jinja2
from markupsafe import Markup

from edge.builtin import status, streams
from edge.builtin.page import PAGES, Data, Page
from edge.builtin.present import bit_rate, cell, columns, duration, shorten

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded, run or sent anywhere; the only style is our own, known by its hash.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, bit_rate=bit_rate, cell=cell, shorten=shorten)
    environment.globals.update(
        columns=columns,
        style=Markup(_STYLE),
        MAX_ROWS=streams.MAX_ROWS,
        has_services=streams.has_services,
        muted=streams.muted,
        shown_state=streams.shown_state,
        level=streams.level,
        server_groups=status.server_groups,
        names_of=status.names_of,
        LONG=status.LONG,
        server_level=status.server_level,
    )
    return environment


_ENVIRONMENT = _environment()


def render(page: Page, data: Data) -> str:
    """The whole HTML of ``page``."""
    tabs = sorted((tab for tab in PAGES.values() if tab.is_listed), key=lambda tab: tab.path)
    return _ENVIRONMENT.get_template(page.template).render(page=page, tabs=tabs, data=data)
