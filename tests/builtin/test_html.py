"""The templates are loaded for the first page that a browser asks for, and serve all views of HTML."""

from __future__ import annotations

import subprocess
import sys

from edge.builtin import html
from edge.builtin.page import PAGES, Visit
from tests.builtin import sample
from tests.harness.clock import ROOT


def test_every_page_with_a_template_bears_the_style_that_its_policy_names() -> None:
    pages = [page for page in PAGES.values() if page.template]
    assert pages
    for page in pages:
        text = html.render(page, page.collect(sample.context(), Visit()))
        assert text.count("<style>") == 1 and page.title in text
    assert html.CONTENT_SECURITY_POLICY.startswith("default-src 'none'; style-src 'sha256-")


def test_text_and_json_do_without_templates() -> None:
    script = (
        "import sys\nfrom edge.builtin.site import render\nfrom edge.builtin.page import PAGES, PageFormat, Visit\n"
        "from tests.builtin import sample\npage = PAGES['/status']\ndata = page.collect(sample.context(), Visit())\n"
        "render(page, PageFormat.TEXT, data), render(page, PageFormat.JSON, data)\n"
        "assert 'jinja2' not in sys.modules\nrender(page, PageFormat.HTML, data)\nassert 'jinja2' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
