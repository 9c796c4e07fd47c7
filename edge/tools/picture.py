"""A moving test picture with a beep, encoded in real time and published over RTMP.

Made by PyAV (the ``media`` extra) alone: its filters draw the picture and the
tone, its encoders make H.264 and AAC, and its own RTMP output publishes them.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import av
import av.error
import av.filter
from av.video.frame import PictureType

WIDTH, HEIGHT, FRAMES_PER_S = 640, 360, 25
SAMPLES_PER_S = 44100
VIDEO_BPS = 800_000
# Two seconds: what players expect between keyframes, and the most a newcomer waits.
KEYFRAME_INTERVAL_FRAMES = 2 * FRAMES_PER_S
RETRY_PAUSE_S = 1.0


def _pull_forever(graph: Any, sink: Any) -> Iterator[Any]:
    graph.configure()
    while True:
        yield sink.pull()


def video_frames() -> Iterator[Any]:
    """Yield the picture's frames without end, pts counted in frames from 0."""
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={FRAMES_PER_S}")
    converter = graph.add("format", "pix_fmts=yuv420p")
    sink = graph.add("buffersink")
    source.link_to(converter)
    converter.link_to(sink)
    return _pull_forever(graph, sink)


def audio_frames() -> Iterator[Any]:
    """Yield a soft tone with a beep each second, 1024 samples at a time, pts counted in samples from 0."""
    graph = av.filter.Graph()
    source = graph.add("sine", f"frequency=220:beep_factor=4:sample_rate={SAMPLES_PER_S}")
    converter = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
    sink = graph.add("abuffersink")
    source.link_to(converter)
    converter.link_to(sink)
    return _pull_forever(graph, sink)


def publish(
    url: str,
    *,
    frame_count: int | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Encode in real time and write FLV to ``url`` (rtmp:// or a file).

    Ends after ``frame_count`` pictures, or never with None. Raises
    ``av.error.FFmpegError`` when the connection is refused or lost.
    """
    with av.open(url, "w", format="flv") as output:
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(KEYFRAME_INTERVAL_FRAMES)}
        video: Any = output.add_stream("libx264", rate=FRAMES_PER_S, options=options)
        video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", VIDEO_BPS
        audio: Any = output.add_stream("aac", rate=SAMPLES_PER_S)
        sounds, samples_sent = audio_frames(), 0
        started_at = now()
        for index, picture in enumerate(itertools.islice(video_frames(), frame_count)):
            ahead_s = started_at + index / FRAMES_PER_S - now()
            if ahead_s > 0:
                sleep(ahead_s)
            # The source marks each picture as a keyframe; which ones are is for the encoder to say.
            picture.pict_type = PictureType.NONE
            output.mux(video.encode(picture))
            while samples_sent * FRAMES_PER_S < (index + 1) * SAMPLES_PER_S:
                sound = next(sounds)
                samples_sent += sound.samples
                output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))


def publish_for_ever(
    url: str, *, publish_once: Callable[[str], None] = publish, sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Publish, and start again a second after each refusal or loss; ends only by an exception of another kind."""
    while True:
        try:
            publish_once(url)
        except av.error.FFmpegError as error:
            print(f"test picture: {error}; again in {RETRY_PAUSE_S:g} s", file=sys.stderr, flush=True)
        sleep(RETRY_PAUSE_S)


def main(arguments: list[str] | None = None) -> int:
    """Publish to the URL given until interrupted."""
    parser = argparse.ArgumentParser(prog="edge.tools.picture", description=main.__doc__)
    parser.add_argument("url", help="where to publish, such as rtmp://127.0.0.1:8079/live/demo")
    url: str = parser.parse_args(arguments).url
    av.logging.set_level(av.logging.ERROR)
    try:
        publish_for_ever(url)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
