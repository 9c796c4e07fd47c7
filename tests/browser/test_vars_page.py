"""The page of variables in Chromium: it searches as one types, draws what is clicked, and renews itself."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from tests.browser.player import BrowserPlayer
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.browser

_DRAWN = """
    const canvas = document.querySelector("#variables canvas");
    if (!canvas || !canvas.width) return 0;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.filter((value, index) => index % 4 === 3 && value > 0).length;
"""
_NAMES = "return [...document.querySelectorAll('#variables dt')].map((each) => each.textContent.trim());"
_VALUE = "return document.querySelector('#variables dd').textContent;"


def test_vars_are_searched_drawn_and_renewed(browser: BrowserPlayer) -> None:
    driver = browser.driver
    with EdgeServer() as node:
        driver.get(f"http://127.0.0.1:{node.internal_port}/vars")
        words = driver.find_element(By.ID, "words")
        words.send_keys("http_requests")
        found = ["http_requests_count"]
        wait_until_sync(lambda: driver.execute_script(_NAMES) == found, deadline(5), "what is searched for")
        before = int(driver.execute_script(_VALUE))
        wait_until_sync(lambda: int(driver.execute_script(_VALUE)) > before, deadline(5), "newer values")
        wait_until_sync(
            lambda: driver.find_elements(By.CSS_SELECTOR, "#variables button"), deadline(5), "the number's history"
        )
        driver.execute_script("document.querySelector('#variables button').click()")
        wait_until_sync(lambda: driver.execute_script(_DRAWN) > 100, deadline(5), "the plot")
        wait_until_sync(
            lambda: (
                driver.execute_script(
                    "return document.querySelector('#variables button').getAttribute('aria-expanded')"
                )
                == "true"
            ),
            deadline(5),
            "the plot to stay while values renew themselves",
        )
        words.clear()
        words.send_keys("nothing_is_called_so")
        text = "return document.getElementById('list').textContent"
        wait_until_sync(lambda: "Fail to find" in driver.execute_script(text), deadline(5), "that there is none")
        assert [line for line in browser.console() if "favicon" not in line and "404" not in line] == []
