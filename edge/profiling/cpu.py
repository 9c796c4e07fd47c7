"""A profile of one thread by sampling: another thread looks at its stack about every 10 ms.

A thread that looks must have the interpreter's lock, which the other gives up whenever it calls the kernel, and
else between two byte codes after 5 ms: work in bursts shorter than that would be seen at the calls at its end
only. So for the time of the profile it is given up after 0.1 ms to who waits for it, which is hardly anybody else.
What the thread does while it waits for events is left out, and told as ``idle_count``; the CPU time that the
kernel counted for the thread, ``thread_cpu_ms``, tells how much of the time there was anything to see.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from edge.profiling.stacks import CPU, Frame, FrameReader, Profile, StackTable

PERIOD_S = 0.01
_SWITCH_S = 0.0001
# The innermost function of ours while asyncio's own loop waits; that of uvloop is no function of Python.
_SELECTORS = "selectors.py"


def is_waiting(innermost: Frame, runner: Frame | None) -> bool:
    """Whether a loop whose innermost function this is waits for events; ``runner`` is what called the loop's work."""
    return innermost == runner or innermost.file.endswith(_SELECTORS)


def cpu_clock(thread_id: int) -> float | None:
    """CPU seconds of a thread; None where the system does not tell, or the thread has ended."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread_id))
    except OSError:
        return None


def sample_cpu(
    thread_id: int,
    seconds: float,
    *,
    name: str,
    started_ms: int,
    is_stopped: threading.Event,
    runner: Frame | None = None,
    period_s: float = PERIOD_S,
) -> Profile:
    """Look at the thread for ``seconds``, less when ``is_stopped`` is set; called in a thread of its own.

    ``runner``: the function in which the thread is while it waits for events (``runner_of``).
    """
    table, reader = StackTable(), FrameReader()
    begun, cpu_before = time.monotonic(), cpu_clock(thread_id)
    sample_count = idle_count = 0
    period_ns = int(period_s * 1e9)
    with _quick_switches():
        while (left := begun + seconds - time.monotonic()) > 0 and not is_stopped.wait(min(period_s, left)):
            stack = reader.stack_of(sys._current_frames().get(thread_id))
            sample_count += 1
            if not stack or is_waiting(stack[-1], runner):
                idle_count += 1
            else:
                table.add(stack, period_ns)
    cpu_after = cpu_clock(thread_id)
    facts: dict[str, int | float] = {"sample_count": sample_count, "idle_count": idle_count}
    if cpu_before is not None and cpu_after is not None:
        facts["thread_cpu_ms"] = round((cpu_after - cpu_before) * 1000)
    duration_ms = round((time.monotonic() - begun) * 1000)
    return Profile(CPU, name, started_ms, duration_ms, period_ns, table.rows(), facts)


@contextlib.contextmanager
def _quick_switches() -> Iterator[None]:
    """The interpreter's lock changes hands soon after somebody waits for it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def runner_of(loop: asyncio.AbstractEventLoop) -> Frame | None:
    """The function that calls what the loop has to do; of uvloop, that which runs the loop."""
    found: asyncio.Future[Frame | None] = loop.create_future()

    def look() -> None:
        stack = FrameReader().stack_of(sys._getframe(1))
        found.set_result(stack[-1] if stack else None)

    loop.call_soon(look)
    return await found
