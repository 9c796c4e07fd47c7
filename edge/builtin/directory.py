"""``/dir``: the files below ``-dir_service_root``, where ``-enable_dir_service`` allows it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from urllib.parse import quote

from edge.builtin import folder
from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell
from edge.net.aio import call_in_thread

#: Of a path, in the log.
MAX_LOGGED = 256
DISABLED = "/dir is off: see -enable_dir_service"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DirEntry:
    """A name in a folder.

    Attributes:
        kind: ``folder``, ``file``, ``link`` or ``other``; the last two are not shown.
        url: where it is shown; "" of those that are not.
    """

    name: str
    kind: str
    size_bytes: int
    url: str


@dataclass(frozen=True, slots=True)
class DirData:
    """A folder, or the beginning of a file.

    Attributes:
        path: relative to the folder that is shown.
        parent_url: of the folder above; "" of the topmost.
        content: of a file, decoded for people; ``more_bytes`` follow it.
    """

    path: str = ""
    error: str = ""
    status: int = 200
    is_file: bool = False
    parent_url: str = ""
    entries: tuple[DirEntry, ...] = ()
    more_count: int = 0
    content: str = ""
    more_bytes: int = 0


async def collect(context: PageContext, visit: Visit) -> DirData:
    """Read the file system beside the loop, and say in the log who looked."""
    config, path = context.debugging().config, visit.path
    if not config.enable_dir_service:
        return DirData(path, error=DISABLED, status=403)
    _log.info("dir asked path=%s peer=%s", path[:MAX_LOGGED], visit.peer)
    try:
        found = await call_in_thread(lambda: folder.look(config.dir_service_root, path), name="dir")
    except folder.NotShownError:
        return DirData(path, error="neither a folder nor a plain file, or a link leads there", status=403)
    except (FileNotFoundError, NotADirectoryError):
        return DirData(path, error="nothing there", status=404)
    except (OSError, ValueError):
        return DirData(path, error="it cannot be read", status=500)
    if found.entries is None:
        return DirData(path, is_file=True, content=found.data.decode("utf-8", "replace"), more_bytes=found.more_bytes)
    entries = tuple(_entry(path, each) for each in found.entries)
    parent_url = _url(path.rpartition("/")[0]) if path else ""
    return DirData(path, parent_url=parent_url, entries=entries, more_count=found.more_count)


def _entry(path: str, each: folder.Entry) -> DirEntry:
    """A name that is no UTF-8 can be read, but is in no URL."""
    name = os.fsencode(each.name).decode("utf-8", "backslashreplace")
    is_linked = each.kind in ("folder", "file") and name == each.name
    return DirEntry(name, each.kind, each.size_bytes, _url(path, name) if is_linked else "")


def _url(*parts: str) -> str:
    return "/".join(("/dir", *(quote(part) for part in parts if part)))


def text(data: DirData) -> str:
    """The names, folders with a slash behind them; or the file as it is."""
    if data.error:
        return f"{data.error}\n"
    if data.is_file:
        return data.content + (f" <{data.more_bytes} more bytes>" if data.more_bytes else "")
    rest = f"... and {data.more_count} more\n" if data.more_count else ""
    lines = [f"{cell(each.name)}{'/' if each.kind == 'folder' else ''}\n" for each in data.entries]
    return "".join(lines) + rest


DIR = register(
    Page(
        "/dir",
        "Files",
        collect,
        text,
        template="dir.html",
        status=lambda data: data.status,
        is_listed=False,
        has_paths=True,
        about="/dir/PATH: files below -dir_service_root; only with -enable_dir_service",
    )
)
