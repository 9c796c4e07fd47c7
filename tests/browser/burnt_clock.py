"""Publishes a picture that tells when it was made: the wall clock in black and white blocks; and reads it in a page.

Also a program, by its path: ``burnt_clock.py rtmp://HOST/APP/STREAM``. PyAV makes all of it.

The milliseconds since 1970, of which the low 24 bits are burnt in (they come round after 4.6 hours), stand in two rows
of 16 blocks at the top: 24 of Gray code, of which a picture that is half of one moment and half of the next gets no bit
wrong but the last, and 8 that are the sum of the others, so that a picture without a clock is none.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

WIDTH, HEIGHT, FRAMES_PER_S = 320, 180, 25
COLUMNS, ROWS, BLOCK = 16, 2, 20
CLOCK_BITS, SUM_BITS = 24, 8
_BLACK, _WHITE, _GREY = 16, 235, 128
_SAMPLES_PER_S = 48000
_PERIOD = 192
_HUM = [0.1 * math.sin(2 * math.pi * at / _PERIOD) for at in range(_PERIOD)]

#: Of the video encoder by name; each picture is given out before the next one is made.
ENCODERS = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
    "libsvtav1": {"preset": "12", "svtav1-params": "pred-struct=1:rtc=1:lp=1:crf=40"},
}

#: JavaScript: begins to look at each picture of ``#video`` as it is shown; ``window.burnt`` has its
#: moment and its delay, in milliseconds.
WATCH = f"""
    const video = document.getElementById("video"), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [{COLUMNS}, {ROWS}];
    const context = canvas.getContext("2d", {{ willReadFrequently: true }});
    const burnt = window.burnt = {{ delays: [], unread: 0, waits: 0 }};
    video.addEventListener("waiting", () => burnt.waits++);
    const clock = () => {{
        // The middle of each block: their edges are the encoder's.
        const [scale, inner] = [video.videoWidth / {WIDTH}, {BLOCK} / 2];
        for (let y = 0; y < {ROWS}; y++) for (let x = 0; x < {COLUMNS}; x++)
            context.drawImage(video, (x * {BLOCK} + inner / 2) * scale, (y * {BLOCK} + inner / 2) * scale,
                inner * scale, inner * scale, x, y, 1, 1);
        const {{ data }} = context.getImageData(0, 0, {COLUMNS}, {ROWS});
        let gray = 0, sum = 0;
        for (let i = 0; i < {CLOCK_BITS + SUM_BITS}; i++) {{
            const bit = data[4 * i + 1] > 127 ? 1 : 0;
            if (i < {CLOCK_BITS}) gray = gray * 2 + bit; else sum = sum * 2 + bit;
        }}
        let value = gray;
        for (let shift = 1; shift < {CLOCK_BITS}; shift *= 2) value ^= value >>> shift;
        return ((gray & 255) + (gray >>> 8 & 255) + (gray >>> 16) + 85) % 256 === sum ? value : null;
    }};
    const round = 2 ** {CLOCK_BITS};
    const look = (now, frame) => {{
        const shown = performance.timeOrigin + Math.max(performance.now(), frame.expectedDisplayTime);
        const made = clock();
        if (made === null) burnt.unread++;
        else burnt.delays.push([shown, ((Math.round(shown) - made) % round + round) % round]);
        video.requestVideoFrameCallback(look);
    }};
    video.requestVideoFrameCallback(look);
"""


def bits_of(wall_ms: int) -> list[int]:
    """The blocks from the left and the top, 1 for white."""
    value = wall_ms % (1 << CLOCK_BITS)
    gray = value ^ value >> 1
    check = ((gray & 255) + (gray >> 8 & 255) + (gray >> 16) + 85) % 256
    word = gray << SUM_BITS | check
    return [word >> shift & 1 for shift in reversed(range(CLOCK_BITS + SUM_BITS))]


def luma_of(wall_ms: int, index: int, width: int) -> bytes:
    """The picture's lightness in lines of ``width`` bytes: the clock, and below it a bar that moves."""
    bits = bits_of(wall_ms)
    lines = []
    for row in range(ROWS):
        blocks = bits[row * COLUMNS : (row + 1) * COLUMNS]
        line = b"".join(bytes((_WHITE if bit else _BLACK,)) * BLOCK for bit in blocks)
        lines.append(line.ljust(width, bytes((_BLACK,))) * BLOCK)
    at = index * 4 % (WIDTH - BLOCK)
    line = bytes((_GREY,)) * at + bytes((_WHITE,)) * BLOCK
    lines.append(line.ljust(width, bytes((_GREY,))) * (HEIGHT - ROWS * BLOCK))
    return b"".join(lines)


class Coding(NamedTuple):
    """What the stream is made of; ``keyframe_s`` between keyframes."""

    video: str = "libx264"
    audio: str = "aac"
    keyframe_s: float = 1.0


def publish(
    url: str,
    coding: Coding,
    *,
    frame_count: int | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Encode in real time and write FLV to ``url``; ends after ``frame_count`` pictures, or never with None."""
    import av
    from av.video.frame import PictureType

    with av.open(url, "w", format="flv") as output:
        options = {**ENCODERS[coding.video], "g": str(round(coding.keyframe_s * FRAMES_PER_S))}
        video: Any = output.add_stream(coding.video, rate=FRAMES_PER_S, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio: Any = output.add_stream(coding.audio, rate=_SAMPLES_PER_S, layout="stereo")
        audio.codec_context.open()
        per_frame = audio.codec_context.frame_size or 960
        samples_sent, index, started_at = 0, 0, now()
        while frame_count is None or index < frame_count:
            ahead_s = started_at + index / FRAMES_PER_S - now()
            if ahead_s > 0:
                sleep(ahead_s)
            # Before the picture: the muxer holds that back until it has the sound of the same time.
            while samples_sent * FRAMES_PER_S < (index + 2) * _SAMPLES_PER_S:
                output.mux(audio.encode(_sound(av, samples_sent, per_frame, audio.codec_context.format.name)))
                samples_sent += per_frame
            picture = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane in picture.planes[1:]:
                plane.update(bytes((_GREY,)) * plane.buffer_size)
            picture.planes[0].update(luma_of(int(time.time() * 1000), index, picture.planes[0].line_size))
            picture.pts, picture.pict_type = index, PictureType.NONE
            output.mux(video.encode(picture))
            index += 1


def _sound(av: Any, at: int, count: int, form: str) -> Any:
    """A hum of 250 Hz from sample ``at`` on, in planes of floats or pairs of 16 bits."""
    begin = at % _PERIOD
    wave = (_HUM * (count // _PERIOD + 2))[begin : begin + count]
    is_planar = form == "fltp"
    samples = array("f", wave) if is_planar else array("h", (int(v * 32767) for v in wave for _ in range(2)))
    frame = av.AudioFrame(format=form, layout="stereo", samples=count)
    for plane in frame.planes:
        plane.update(samples.tobytes().ljust(plane.buffer_size, bytes(1))[: plane.buffer_size])
    frame.sample_rate, frame.pts = _SAMPLES_PER_S, at
    return frame


def main(arguments: list[str] | None = None) -> int:
    """Publish until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url", help="where to publish, such as rtmp://127.0.0.1:8079/live/clock")
    parser.add_argument("--video", default="libx264", choices=ENCODERS, help="encoder of the picture")
    parser.add_argument("--audio", default="aac", choices=("aac", "libopus"), help="encoder of the sound")
    parser.add_argument("--keyframe_s", type=float, default=1.0, help="seconds from keyframe to keyframe")
    asked = parser.parse_args(arguments)
    publish(asked.url, Coding(asked.video, asked.audio, asked.keyframe_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
