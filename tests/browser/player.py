"""mpegts.js in headless Chromium: plays FLV over HTTP and WebSocket, and TS, and says how it goes.

The page comes from a small server of its own, so that whatever it plays is of another origin.
Calls block the thread; under a running loop that also serves the media call them by ``asyncio.to_thread``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.harness.clock import deadline, missing, require_program, wait_until_sync

_HERE = Path(__file__).resolve().parent
_SCRIPT = _HERE / "node_modules" / "mpegts.js" / "dist" / "mpegts.js"
_FILES = {"/player.html": _HERE / "player.html", "/mpegts.js": _SCRIPT}
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=800,600"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    "--autoplay-policy=no-user-gesture-required",
)


@dataclass(frozen=True, slots=True)
class PlayerError:
    """As mpegts.js names it (``NetworkError`` / ``HttpStatusCodeInvalid``), or of the element (``Element``)."""

    type: str
    detail: str
    message: str
    code: int


@dataclass(frozen=True, slots=True)
class PlayerState:
    """One look at the player.

    Attributes:
        wall_ms: the moment, by the wall clock.
        current_s: the element's time, which begins at 0 with the first frame that came.
        base_ms: where that 0 is on the clock of what is played (that of TS runs ahead), or None before the first frame.
        ready_state: HTMLMediaElement.readyState; 4 where it can go on playing.
        width, height: of the picture; 0 before the first.
        decoded_frames, dropped_frames: pictures so far, dropped ones among them.
        decoded_audio_bytes: so far.
        buffered: ranges of the element's time, in seconds.
        is_complete: the server has ended the stream in good order.
        first_frame_wall_ms: when the first picture was shown, or None.
        mime_types: what MSE was asked to decode, such as ``video/mp4;codecs=avc1.42c01e``.
        script_data: the data messages of FLV that came.
    """

    wall_ms: float
    current_s: float
    base_ms: float | None
    is_paused: bool
    ready_state: int
    width: int
    height: int
    decoded_frames: int
    dropped_frames: int
    decoded_audio_bytes: int
    buffered: tuple[tuple[float, float], ...]
    errors: tuple[PlayerError, ...]
    is_complete: bool
    first_frame_wall_ms: float | None
    mime_types: tuple[str, ...]
    script_data: tuple[Any, ...]

    @property
    def video_codec(self) -> str:
        """As MSE names it, ``avc1.42c01e`` say; "" for none."""
        return self._codec("video/")

    @property
    def audio_codec(self) -> str:
        """As MSE names it, ``mp4a.40.2`` say; "" for none."""
        return self._codec("audio/")

    def _codec(self, medium: str) -> str:
        found = [mime.partition("codecs=")[2].strip('"') for mime in self.mime_types if mime.startswith(medium)]
        return found[-1] if found else ""

    @property
    def buffered_s(self) -> float:
        """How much is there beyond what is shown now."""
        return max([end - self.current_s for start, end in self.buffered if start <= self.current_s + 0.1], default=0.0)

    def latency_ms(self, zero_wall_ms: float) -> float:
        """How long ago the picture shown now was published.

        ``zero_wall_ms``: the wall clock when 0 of the stream's clock was published. Needs ``base_ms``.
        """
        assert self.base_ms is not None, "no frame has come"
        return self.wall_ms - zero_wall_ms - self.base_ms - self.current_s * 1000


class Pages:
    """Serves the page and the player."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="pages", daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        file = _FILES.get(self.path)
        if file is None:
            self.send_error(404)
            return
        body = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if file.suffix == ".html" else "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class BrowserPlayer:
    """A Chromium with one page that plays one URL at a time.

    Attributes:
        page_url: where the page is; nothing else is of this origin.
        driver: of selenium, for what is not here.
    """

    def __init__(self, *, takes_any_certificate: bool = False) -> None:
        """Skips, or fails under ``CI=true``, where Chromium or mpegts.js is absent."""
        browser, driver = require_program("chromium"), require_program("chromedriver")
        if not _SCRIPT.exists():
            missing("mpegts.js is not installed")
        os.environ["SE_OFFLINE"] = "true"
        self._profile = tempfile.mkdtemp(prefix="edge-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*_FLAGS, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        if takes_any_certificate:
            options.add_argument("--ignore-certificate-errors")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._pages = Pages()
        self.page_url = f"{self._pages.origin}/player.html"
        try:
            self.driver = webdriver.Chrome(options=options, service=Service(driver))
            self.driver.set_script_timeout(deadline(5))
            self.driver.set_page_load_timeout(deadline(10))
            self.driver.get(self.page_url)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the browser, and remove what it wrote."""
        if hasattr(self, "driver"):
            self.driver.quit()
        self._pages.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> BrowserPlayer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- playing -------------------------------------------------------------------

    def supports(self, mime_type: str) -> bool:
        """Whether MSE takes ``video/mp4; codecs="..."``."""
        return bool(self.driver.execute_script("return MediaSource.isTypeSupported(arguments[0])", mime_type))

    def play(self, url: str, *, kind: str | None = None, **config: Any) -> None:
        """Begin to play, in place of what was played before.

        Args:
            url: http, https, ws or wss.
            kind: ``flv`` or ``mpegts``; by default TS where the path ends in ``.ts``, else FLV.
            config: settings of mpegts.js; by default no stash, so that nothing waits for more.
        """
        kind = kind or ("mpegts" if url.partition("?")[0].endswith(".ts") else "flv")
        settings = {"enableStashBuffer": False, "enableWorker": False, **config}
        self.driver.execute_script("play(arguments[0], arguments[1], arguments[2])", url, kind, settings)

    def stop(self) -> None:
        """Leave the stream."""
        self.driver.execute_script("stop()")

    def begin_again(self) -> None:
        """Leave whatever page is open, which would go on asking a server that has ended, and forget what it said."""
        self.driver.get(self.page_url)
        self.console()

    def state(self) -> PlayerState:
        found = self.driver.execute_script("return state()")
        found["buffered"] = tuple((start, end) for start, end in found["buffered"])
        found["errors"] = tuple(PlayerError(**error) for error in found["errors"])
        for name in ("script_data", "mime_types"):
            found[name] = tuple(found[name])
        return PlayerState(**found)

    def wait_for(self, condition: Callable[[PlayerState], object], within_s: float, what: str) -> PlayerState:
        """Look until ``condition`` holds of a state, which is returned; fails at once at an error of the player."""
        last: list[PlayerState] = []

        def holds() -> object:
            last[:] = [self.state()]
            assert not last[0].errors, f"{what}: {last[0].errors} {self.console()[-5:]}"
            return condition(last[0])

        try:
            wait_until_sync(holds, deadline(within_s), what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last}") from None
        return last[0]

    def wait_playing(self, within_s: float = 5.0, *, for_s: float = 1.0, min_frames: int = 1) -> PlayerState:
        """Wait until ``for_s`` of the stream have been shown, in ``min_frames`` pictures or more."""
        return self.wait_for(
            lambda state: state.current_s >= for_s and state.decoded_frames >= min_frames,
            within_s,
            f"{for_s} s of playing",
        )

    def wait_error(self, within_s: float = 5.0) -> PlayerError:
        """The first error of the player; fails where none comes."""
        wait_until_sync(lambda: self.state().errors, deadline(within_s), "an error of the player")
        return self.state().errors[0]

    def measure_latency_ms(self, zero_wall_ms: float) -> float:
        """How far what is shown now is behind its publishing (``PlayerState.latency_ms``)."""
        return self.state().latency_ms(zero_wall_ms)

    def console(self) -> list[str]:
        """What was written to the console since the last call, without advice on how the tests read pictures."""
        said = [str(entry["message"]) for entry in self.driver.get_log("browser")]
        return [line for line in said if "willReadFrequently" not in line]

    def screenshot(self, path: Path) -> Path:
        """The page as a PNG file."""
        path.write_bytes(self.driver.get_screenshot_as_png())
        return path

    def picture(self) -> tuple[int, ...]:
        """What the video shows now in 8 x 8 cells of grey; all black before the first picture."""
        script = """
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 8;
            const context = canvas.getContext("2d");
            context.drawImage(document.querySelector("video"), 0, 0, 8, 8);
            const data = context.getImageData(0, 0, 8, 8).data;
            return Array.from({length: 64}, (_, i) => data[4 * i] + data[4 * i + 1] + data[4 * i + 2]);
        """
        return tuple(int(value) // 3 for value in self.driver.execute_script(script))


def wall_ms() -> float:
    """The clock that ``PlayerState.wall_ms`` is by."""
    return time.time() * 1000
