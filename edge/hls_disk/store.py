"""All playlists of the directory, with the files that belong to them. Everything here blocks.

A segment is written, then the *state*, a hidden file beside the playlist, then
the playlist: whatever is listed exists, and a process that is started anew goes
on where the one before stopped, also with removing what has expired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.hls_disk.config import DiskConfig
from edge.hls_disk.folder import Folder
from edge.hls_disk.listing import Listing, Made, listing_of_json
from edge.hls_disk.names import STATE_SUFFIX, Names, state_path, uri_of
from edge.hls_disk.reports import Reports
from edge.hub.key import StreamKey

_MAX_STATE_BYTES = 67108864
#: What cannot be removed is tried again after so long.
_RETRY_MS = 10_000
#: Playlists that are gone, whose numbers are remembered.
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment that has been written, and stands in the playlist.

    Attributes:
        seq: its number there, EXT-X-MEDIA-SEQUENCE of the first one counted on.
        path, playlist: of both files, below the directory.
    """

    seq: int
    duration_ms: int
    path: str
    playlist: str


def _nobody(_: Listed) -> None:
    pass


@dataclass(eq=False, slots=True)
class Source:
    """A stream that makes segments.

    Attributes:
        on_failed: called, in the writer's thread, when one is lost.
        on_listed: the same when one is there.
        config: what holds for its files; None for what does for those that a process before has left.
    """

    key: StreamKey
    on_failed: Callable[[], None] = lambda: None
    on_listed: Callable[[Listed], None] = _nobody
    config: DiskConfig | None = None


@dataclass(eq=False, slots=True)
class _Files:
    """Those of one playlist.

    Attributes:
        config: what holds for them.
        source: who writes; None after its end.
        ended_ms: when that was.
        is_unsaved: the playlist does not yet say what there is.
        has_failed: since the last segment that was written.
        retry_ms: nothing is removed before that.
    """

    path: str
    listing: Listing
    config: DiskConfig
    source: Source | None = None
    ended_ms: int = 0
    is_unsaved: bool = False
    has_failed: bool = False
    retry_ms: int = 0
    refused: set[StreamKey] = field(default_factory=set)


class Store:
    """Writes and removes; one thread calls it."""

    def __init__(self, config: DiskConfig, folder: Folder, reports: Reports, wall_ms: Callable[[], int]) -> None:
        self._config = config
        self._folder = folder
        self._reports = reports
        self._wall_ms = wall_ms
        self._names: dict[DiskConfig, Names] = {}
        self._folds_case = False
        self._files: dict[str, _Files] = {}

    @property
    def is_idle(self) -> bool:
        """There is nothing to be done as time goes by."""
        return not any(files.listing.entries or files.listing.behind for files in self._files.values())

    def start(self) -> None:
        """See what the process before has left: it is removed in time, or gone on with."""
        self._folds_case = self._folder.folds_case()
        self._names.clear()
        for path in list(self._folder.hidden(STATE_SUFFIX)):
            folder, _, name = path.rpartition("/")
            self._of("/".join(part for part in (folder, name[1:].removesuffix(STATE_SUFFIX)) if part))

    def _names_of(self, config: DiskConfig) -> Names:
        names = self._names.get(config)
        if names is None:
            names = self._names[config] = Names(config, folds_case=self._folds_case)
        return names

    def _of(self, path: str) -> _Files:
        files = self._files.get(path)
        if files is None:
            data = self._folder.read(state_path(path), _MAX_STATE_BYTES)
            listing = listing_of_json(data) if data is not None else None
            files = self._files[path] = _Files(path, listing or Listing(), self._config)
            files.ended_ms = files.listing.written_ms
        return files

    # --- what the streams bring ------------------------------------------------

    def segment(self, source: Source, made: Made) -> None:
        """A segment is complete."""
        now_ms = self._wall_ms()
        files = self._of(self._names_of(source.config or self._config).playlist(source.key))
        if files.source is not source and not self._take_over(files, source):
            return
        try:
            listed = self._write(files, source.key, made, now_ms)
            files.has_failed = False
            if listed is not None:
                source.on_listed(listed)
        except OSError as error:
            files.has_failed = True
            self._reports.failed(f"key={source.key}", error)
            source.on_failed()
        self._expire(files, now_ms)

    def end(self, source: Source) -> None:
        """Its stream is over."""
        now_ms = self._wall_ms()
        for files in self._files.values():
            if files.source is source:
                files.source, files.ended_ms = None, now_ms
                files.refused.clear()
                if files.config.hls_end_list_on_unpublish and files.listing.entries:
                    files.listing.is_closed = files.is_unsaved = True
                    self._save_again(files)

    def _take_over(self, files: _Files, source: Source) -> bool:
        """A playlist is one stream's at a time; the copy that an edge plays of what it pushes is the same stream."""
        if files.source is None:
            files.source, files.config = source, source.config or self._config
            return True
        if files.source.key.text != source.key.text and source.key not in files.refused:
            files.refused.add(source.key)
            self._reports.failed(f"key={source.key}", f"{files.path} is that of key={files.source.key}")
        return False

    def _write(self, files: _Files, key: StreamKey, made: Made, now_ms: int) -> Listed | None:
        """None for a segment that is there already."""
        listing, window_ms = files.listing, files.config.window_ms
        names = self._names_of(files.config)
        self._forget_missing(files)
        place = listing.place(made, now_ms, window_ms)
        if place is None:
            return None
        path = names.segment(key, made.kind, place.seq, made.name, made.duration_ms, made.wall_ms)
        init = names.init(key, made.init) if made.init else ""
        if init and not self._folder.exists(init):
            self._folder.write(init, made.init_data)
        self._folder.write(path, made.data)
        self._reports.count("hls_disk_segment_count")
        listing.add(made, place, path, init, now_ms, window_ms, lambda: _keep_ms(files))
        if not files.config.hls_cleanup:
            listing.behind.clear()
        files.is_unsaved = True
        self._save(files)
        return Listed(place.seq, made.duration_ms, path, files.path)

    def _forget_missing(self, files: _Files) -> None:
        """Somebody has removed files: what is listed after the last of them may stay listed."""
        entries, exists = files.listing.entries, self._folder.exists
        if not entries or (exists(entries[-1].path) and exists(files.path)):
            return
        gone = [index for index, entry in enumerate(entries) if not exists(entry.path)]
        for _ in range(gone[-1] + 1 if gone else 0):
            entries.popleft()

    def _save(self, files: _Files) -> None:
        self._folder.write(state_path(files.path), files.listing.to_json())
        prefix = files.config.hls_entry_prefix
        text = files.listing.text(lambda path: uri_of(path, files.path, prefix))
        self._folder.write(files.path, text.encode())
        files.is_unsaved = False

    def _save_again(self, files: _Files) -> None:
        try:
            self._save(files)
        except OSError as error:
            self._reports.failed(files.path, error)

    # --- as time goes by ---------------------------------------------------------

    def tick(self) -> None:
        """Once a second."""
        now_ms = self._wall_ms()
        for files in list(self._files.values()):
            listing = files.listing
            if files.is_unsaved and listing.entries and now_ms >= files.retry_ms:
                files.retry_ms = now_ms + _RETRY_MS
                self._save_again(files)
            self._expire(files, now_ms)
            if self._is_over(files, now_ms):
                self._dispose(files, now_ms)
        self._forget_idle()

    def _is_over(self, files: _Files, now_ms: int) -> bool:
        listing = files.listing
        if not listing.entries and not listing.behind:
            return False
        if files.source is None:
            dispose_ms = files.config.hls_dispose_s * 1000
            return dispose_ms > 0 and now_ms - files.ended_ms >= dispose_ms
        # Nothing more can be written, perhaps for want of the room that these files take.
        return files.has_failed and now_ms - listing.written_ms >= _keep_ms(files) + files.config.window_ms

    def _expire(self, files: _Files, now_ms: int) -> None:
        listing = files.listing
        for path in listing.expired(now_ms) if files.config.hls_cleanup else ():
            try:
                self._folder.remove(path)
                del listing.behind[path]
            except OSError as error:
                listing.behind[path] = now_ms + _RETRY_MS
                self._reports.failed(path, error)

    def _dispose(self, files: _Files, now_ms: int) -> None:
        """The playlist goes, and all that it has listed; its numbers are not used again."""
        if now_ms < files.retry_ms:
            return
        listing = files.listing
        try:
            for path in (files.path, *listing.files(), state_path(files.path)):
                self._folder.remove(path)
        except OSError as error:
            files.retry_ms = now_ms + _RETRY_MS
            self._reports.failed(files.path, error)
            return
        listing.entries.clear()
        listing.behind.clear()
        files.is_unsaved = False

    def _forget_idle(self) -> None:
        """Of what has gone the numbers are remembered; of what stays for ever the directory knows all."""
        gone: list[str] = []
        for path, files in list(self._files.items()):
            if files.source is not None or files.listing.behind or files.is_unsaved:
                continue
            if not files.listing.entries:
                gone.append(path)
            elif not files.config.hls_dispose_s:
                del self._files[path]
        for path in gone[: max(len(gone) - _MAX_REMEMBERED, 0)]:
            del self._files[path]


def _keep_ms(files: _Files) -> int:
    """How long a file stays that is listed no more: whoever has loaded the last list with it may play all of it."""
    config, listing = files.config, files.listing
    if config.hls_keep_s:
        return config.hls_keep_s * 1000
    return max(config.window_ms, listing.duration_ms) + listing.target_s * 1000
