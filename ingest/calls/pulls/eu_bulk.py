"""``kb pull eu-portal-bulk``: the portal's daily file of all its topics, fetched in one piece."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.calls.pulls.fetch import OK, UNCHANGED, Ask, whole_number
from ingest.guard import shown
from kb.errors import SourceError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from ingest.calls.pulls.fetch import Fetcher
    from ingest.progress import Progress

SOURCE = "eu-portal-bulk"
NAME = "grantsTenders.json"
# The file has about 130 MB.
LARGEST = 1024 * 1024 * 1024
_PART, _NO_SUCH_PART = 206, 416
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of the file on disk: its version, and how far it was taken in."""

    etag: str | None = None
    modified: str | None = None
    whole: bool = False
    taken: bool = False

    @property
    def version(self) -> str | None:
        """What names the version so surely that the rest of it can be asked for."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.modified


class BulkFile:
    """The bulk file and its copy in ``folder``; an interrupted download goes on."""

    def __init__(self, fetcher: Fetcher, data: str, folder: Path, progress: Progress) -> None:
        self.url = f"{data.rstrip('/')}/referenceData/{NAME}"
        self._fetcher, self._progress = fetcher, progress
        self.path = folder / NAME
        self._part = folder / f"{NAME}.part"
        self._note = folder / f"{NAME}.state.json"

    def fetch(self, *, fresh: bool) -> bool:
        """Fetch the file where it has changed; say whether there is one to take in.

        Raises:
            SourceError: It can't be had.
            StoreError: The folder can't be written.
        """
        try:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            if fresh:
                self._forget()
            state = self._state()
            status = self._fetcher.exchange(self._ask, self._take)
        except OSError as error:
            raise StoreError(
                f"{self._part.parent} can't be written: {error.strerror}. Make room, or set "
                "KB_HOME to another folder."
            ) from None
        if status == UNCHANGED:
            return not state.taken
        self._part.replace(self.path)
        now = self._state()
        self._remember(_State(now.etag, now.modified, whole=True))
        return True

    def done(self) -> None:
        """The file is in: remember which version it was, and make room."""
        now = self._state()
        self._remember(_State(now.etag, now.modified, whole=True, taken=True))
        self.path.unlink(missing_ok=True)

    def _ask(self) -> Ask:
        """What to ask for: the file if it has changed, or the rest of one that broke off."""
        state = self._state()
        headers = {"Accept-Encoding": "identity"}
        if state.whole and (state.taken or self.path.is_file()):
            if state.etag:
                headers["If-None-Match"] = state.etag
            elif state.modified:
                headers["If-Modified-Since"] = state.modified
        elif state.version and self._size():
            headers["Range"] = f"bytes={self._size()}-"
            headers["If-Range"] = state.version
        also = frozenset({_PART, _NO_SUCH_PART, UNCHANGED})
        return Ask(self.url, headers=headers, also=also, largest=LARGEST)

    def _take(self, response: httpx.Response) -> int:
        """Write what comes to the end of the part, or from its beginning."""
        status = response.status_code
        if status == _NO_SUCH_PART:
            self._part.unlink(missing_ok=True)
            self._remember(_State())
            raise SourceError(f"{shown(self.url)} has changed under way. Pull it again.")
        if status not in {OK, _PART}:
            return status
        size = self._size() if status == _PART else 0
        if status == _PART and _begins(response) != size:
            raise SourceError(f"{shown(self.url)} sent another part than the one asked for.")
        headers = response.headers
        self._remember(_State(headers.get("ETag"), headers.get("Last-Modified")))
        left = whole_number(headers.get("Content-Length", "")) or 0
        self._progress.begin("downloading", max(1, (size + left) // _MEGABYTE))
        self._progress.advance(size // _MEGABYTE)
        with self._part.open("ab" if status == _PART else "wb") as file:
            for piece in self._fetcher.chunks(response, LARGEST, raw=True):
                before = size // _MEGABYTE
                size += file.write(piece)
                self._progress.advance(size // _MEGABYTE - before)
        return status

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _state(self) -> _State:
        try:
            return _State(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return _State()

    def _remember(self, state: _State) -> None:
        values = {name: getattr(state, name) for name in _State.__slots__}
        self._note.write_text(json.dumps(values), encoding="utf-8")

    def _forget(self) -> None:
        for path in (self.path, self._part, self._note):
            path.unlink(missing_ok=True)


def _begins(response: httpx.Response) -> int | None:
    """Where a part begins, from its ``Content-Range``."""
    said = response.headers.get("Content-Range", "")
    return whole_number(said.removeprefix("bytes ").partition("-")[0])
