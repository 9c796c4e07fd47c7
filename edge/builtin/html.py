"""The HTML views: the templates with what they use. Loaded for the first page that a browser asks for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from edge.builtin import connections, status, streams, upstreams
from edge.builtin import vars as vars_page
from edge.builtin.addresses import player_page, server_url
from edge.builtin.assets import own_url, script_urls
from edge.builtin.page import PAGES, Data, Page, Visit
from edge.builtin.present import bit_rate, cell, columns, duration, moment, shorten
from edge.facts.rows import rows_of

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded, run or sent anywhere; the only style is our own, known by its hash.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def listed_pages() -> list[Page[Any]]:
    """All pages, for the list of them."""
    return sorted(PAGES.values(), key=lambda page: page.path)


def tabs() -> list[Page[Any]]:
    """The pages that have a tab: what is looked for most, then by path."""
    return sorted((page for page in PAGES.values() if page.is_listed), key=lambda page: (page.place, page.path))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, moment=moment, bit_rate=bit_rate)
    environment.filters.update(cell=cell, shorten=shorten, rows_of=rows_of)
    environment.globals.update(
        columns=columns,
        player_page=player_page,
        style=Markup(_STYLE),
        MAX_ROWS=streams.MAX_ROWS,
        has_services=streams.has_services,
        muted=streams.muted,
        quality_text=streams.quality_text,
        shown_state=streams.shown_state,
        level=streams.level,
        server_groups=status.server_groups,
        names_of=status.names_of,
        LONG=status.LONG,
        server_level=status.server_level,
        connection_tables=connections.tables,
        vars_rows=vars_page.rows,
        vars_styles=vars_page.STYLES,
        vars_script=vars_page.SCRIPT,
        own_url=own_url,
        script_urls=script_urls,
        why=upstreams.why,
        carried=upstreams.carried,
        source_line=upstreams.source_line,
        listed_pages=listed_pages,
    )
    return environment


_ENVIRONMENT = _environment()


def html_pieces(page: Page[Data], data: Data, visit: Visit) -> Iterator[str]:
    """Yield the HTML of ``page``; ``visit`` tells by which name the server is reached."""
    template = _ENVIRONMENT.get_template(page.template)
    yield from template.generate(page=page, tabs=tabs(), data=data, server=server_url(visit))
