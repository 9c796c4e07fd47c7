"""The templates are loaded for the first page that a browser asks for, and serve all views of HTML."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.builtin import html
from edge.builtin.page import PAGES, PageFormat, Visit
from edge.builtin.site import render
from tests.builtin import sample
from tests.harness.at_once import at_once
from tests.harness.clock import ROOT


def test_every_page_with_a_template_bears_the_style_that_its_policy_names() -> None:
    pages = [page for page in PAGES.values() if page.template and page.policy is None]
    assert pages
    for page in pages:
        data = at_once(page.collect(sample.context(), Visit(view=PageFormat.HTML)))
        text = "".join(html.html_pieces(page, data, Visit()))
        assert text.count("<style>") == 1 and page.title in text
    assert html.CONTENT_SECURITY_POLICY.startswith("default-src 'none'; style-src 'sha256-")


def test_tabs_begin_with_what_is_looked_for_most() -> None:
    found = [page.tab or page.title for page in html.tabs()]
    assert found[:6] == ["Overview", "Console", "Streams", "Upstreams", "Why", "Status"]
    rest = [page.path for page in html.tabs()[6:]]
    assert rest == sorted(rest)
    assert {"rpcz", "Profiles"} <= set(found) and len(set(found)) == len(found)
    page, visit = PAGES["/hotspots/cpu"], Visit(view=PageFormat.HTML)
    shown = "".join(html.html_pieces(page, at_once(page.collect(sample.context(), visit)), visit))
    assert '<a href="/hotspots/cpu" aria-current="page">Profiles</a>' in shown and "<h2>Profile: cpu</h2>" in shown


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/rpcz", "curl '{}/rpcz?max_scan=1000&amp;min_latency=100000'"),
        ("/hotspots/growth", "curl '{}/hotspots/growth?seconds=10'"),
    ],
)
def test_lines_for_curl_name_the_host_of_the_visitor(path: str, line: str) -> None:
    page = PAGES[path]
    for is_encrypted, server in ((False, "http://[::1]:8080"), (True, "https://[::1]:8080")):
        visit = Visit("[::1]", is_encrypted, "[::1]:8080", view=PageFormat.HTML)
        shown = render(page, PageFormat.HTML, at_once(page.collect(sample.context(), visit)), visit)
        assert line.format(server) in shown


def test_text_and_json_do_without_templates() -> None:
    script = (
        "import sys\nfrom edge.builtin.site import render\nfrom edge.builtin.page import PAGES, PageFormat, Visit\n"
        "from tests.builtin import sample\nfrom tests.harness.at_once import at_once\npage = PAGES['/status']\n"
        "data = at_once(page.collect(sample.context(), Visit()))\n"
        "render(page, PageFormat.TEXT, data), render(page, PageFormat.JSON, data)\n"
        "assert 'jinja2' not in sys.modules\nrender(page, PageFormat.HTML, data)\nassert 'jinja2' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
