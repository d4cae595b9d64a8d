"""Fetching documents of the web for ``kb ingest URL``, each to a place of its own.

An address leads to the same file every time, so that it is the same source of the same document:
what has not changed is left alone, what has is a new version. Only what ``ingest.guard`` lets
through is asked. Proxies that the environment names are not used: behind one, names are resolved
by the proxy, and nothing here could look at the addresses. A machine that reaches the web by proxy
alone downloads with other means and ingests the file, with its ``url`` in a ``metadata.yaml``.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote
from urllib.request import getproxies

import httpx
import yaml

from ingest.bodies import PACKED, unpacked
from ingest.calls.pulls.fetch import user_agent
from ingest.guard import Guard, GuardedTransport, UnresolvedError, shown
from ingest.identity import slug
from ingest.metadata import SIDECAR
from ingest.readers import SUFFIXES
from ingest.report import FileResult, Outcome
from ingest.report import shown as printable
from kb.errors import SourceError, StoreError
from kb.filenames import safe_name
from kb.maintenance import INCOMING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.progress import Progress

MOST_REDIRECTS = 5
# The ports of the web and those that stand in for them; others are those of other services.
WEB = Guard(ports=frozenset({80, 443, 8080, 8443}))

_SCHEMES = frozenset({"http", "https"})
_MEGABYTE = 1024 * 1024
_OFFICE = "application/vnd.openxmlformats-officedocument"
_SUFFIX_OF = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/xml": ".xml",
    "text/xml": ".xml",
}
_KNOWN_SUFFIXES = frozenset({*SUFFIXES, ".json", ".jsonl"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may take: megabytes, packed and unpacked, and seconds.

    ``connect`` is for a connection, ``idle`` for a wait in which nothing comes, ``whole`` for
    everything from the first look at the name to the last byte, over all redirects.
    """

    megabytes: int
    connect: float = 15.0
    idle: float = 60.0
    whole: float = 300.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files that came of addresses, and a line of the report for each that failed."""

    paths: tuple[Path, ...]
    failed: tuple[FileResult, ...]


class Web:
    """Fetches documents into a folder."""

    def __init__(
        self, folder: Path, bounds: Bounds, *, contact: str = "", guard: Guard = WEB
    ) -> None:
        self._folder = folder
        self._bounds = bounds
        self._agent = user_agent(contact)
        self._guard = guard

    def fetch_all(self, urls: Sequence[str], progress: Progress) -> Fetched:
        """Fetch addresses, each once; one that fails is a line of the report, the others go on.

        Raises:
            StoreError: The folder can't be written.
        """
        paths, failed = [], []
        wanted = dict.fromkeys(urls)
        progress.begin("fetching", len(wanted))
        for url in wanted:
            try:
                paths.append(self.fetch(url))
            except SourceError as error:
                failed.append(FileResult(printable(shown(url)), Outcome.FAILED, str(error)))
            progress.advance(1, shown(url))
        return Fetched(tuple(dict.fromkeys(paths)), tuple(failed))

    def fetch(self, url: str) -> Path:
        """Fetch a document and return its file, which has its address beside it.

        Raises:
            SourceError: It can't be had, or must not be asked for; the message says which.
            StoreError: The folder can't be written.
        """
        asked = web_address(url)
        place = self._folder / _place(asked)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._client() as client, self._answer(client, asked) as response:
                name = _kept_name(place) or file_name(response)
                with self._body(response) as body:
                    place.mkdir(exist_ok=True)
                    _state(place, name, str(asked))
                    return body.replace(place / name)
        except httpx.TimeoutException:
            raise SourceError(
                f"takes too long: more than {self._bounds.whole:.0f} s, or "
                f"{self._bounds.idle:.0f} s without a word. Try again later."
            ) from None
        except (httpx.TransportError, httpx.DecodingError, UnresolvedError) as error:
            raise SourceError(f"can't be had: {_said(error)}.{_by_proxy()}") from None
        except OSError as error:
            raise StoreError(f"{place} can't be written: {error.strerror}. Make room.") from None

    def _client(self) -> httpx.Client:
        bounds = self._bounds
        return httpx.Client(
            transport=GuardedTransport(self._guard, time.monotonic() + bounds.whole),
            headers={"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": PACKED},
            timeout=httpx.Timeout(bounds.idle, connect=bounds.connect),
            follow_redirects=False,
            trust_env=False,
        )

    @contextmanager
    def _answer(self, client: httpx.Client, url: httpx.URL) -> Iterator[httpx.Response]:
        """The answer at the end of all redirects, each of which is looked at like the first."""
        following = url
        for _ in range(MOST_REDIRECTS + 1):
            with client.stream("GET", following) as response:
                if not response.has_redirect_location:
                    self._check(response, "" if following == url else shown(following))
                    yield response
                    return
                following = _next(response)
        raise SourceError(f"leads on and on: more than {MOST_REDIRECTS} redirects.")

    def _check(self, response: httpx.Response, moved_to: str) -> None:
        """Refuse what is no document, or is said to be too large."""
        status = response.status_code
        if status != HTTPStatus.OK:
            led = f"leads to {moved_to}, which " if moved_to else ""
            said = f"{status} {responses.get(status, '')}".rstrip()
            raise SourceError(f"{led}answered {said}.")
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > self._bounds.megabytes * _MEGABYTE:
            raise _too_large(self._bounds)

    @contextmanager
    def _body(self, response: httpx.Response) -> Iterator[Path]:
        """The body in a file of its own, which is gone afterwards unless it was renamed."""
        largest = self._bounds.megabytes * _MEGABYTE
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=INCOMING, delete=False) as file:
            path = Path(file.name)
            try:
                size = 0
                for piece in unpacked(response):
                    size += len(piece)
                    if max(size, response.num_bytes_downloaded) > largest:
                        raise _too_large(self._bounds)
                    file.write(piece)
                file.flush()
                yield path
            finally:
                path.unlink(missing_ok=True)


def web_address(text: str) -> httpx.URL:
    """Read an address of the web, without its fragment.

    Raises:
        SourceError: It is none, or holds a user and password.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise SourceError("is no address that can be read.") from None
    if url.scheme not in _SCHEMES:
        raise SourceError(f"is an address of {url.scheme}: only https and http are fetched.")
    if not url.host:
        raise SourceError("names no host.")
    if url.userinfo:
        raise SourceError("holds a user or password: it would be kept and shown. Leave it out.")
    return url.copy_with(fragment=None)


def file_name(response: httpx.Response) -> str:
    """A safe name for the file of an answer: as it is stated, else as the address ends.

    The suffix is that of the stated type; where that says little, the name keeps its own.
    """
    url = response.url
    ends = unquote(url.path.rstrip("/").rpartition("/")[2])
    name = safe_name(_stated_name(response) or ends, default=safe_name(url.host))
    stem, dot, suffix = name.rpartition(".")
    own = f"{dot}{suffix.lower()}" if stem and f".{suffix.lower()}" in _KNOWN_SUFFIXES else ""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    wanted = _SUFFIX_OF.get(media_type) or own or (".txt" if media_type == "text/plain" else "")
    return safe_name(f"{stem if own else name}{wanted}")


def _stated_name(response: httpx.Response) -> str:
    """The name in ``Content-Disposition``, in either of its two ways of writing."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    try:
        return header.get_filename("")
    except (ValueError, LookupError):  # an encoding that there is not
        return ""


def _place(url: httpx.URL) -> str:
    """The folder of an address: its host for people, a digest of all of it for the rest."""
    digest = hashlib.sha256(str(url).encode()).hexdigest()[:16]
    return f"{slug(url.host)}-{digest}".strip("-")


def _kept_name(place: Path) -> str | None:
    """The name that the address got when it was first fetched: its document is known by it."""
    if not place.is_dir():
        return None
    names = sorted(path.name for path in place.iterdir() if not path.name.startswith("."))
    return next((name for name in names if name != SIDECAR), None)


def _state(place: Path, name: str, url: str) -> None:
    """State where the document is from, beside its file."""
    written = place / f"{INCOMING}{SIDECAR}"
    stated = {"files": {name: {"url": url}}}
    written.write_text(yaml.safe_dump(stated, allow_unicode=True), encoding="utf-8")
    written.replace(place / SIDECAR)


def _next(response: httpx.Response) -> httpx.URL:
    """Where a redirect leads; whether that may be asked is for the guard to say."""
    here = response.url
    there = here.join(response.headers["Location"])  # httpx has read it and found it to be one
    try:
        url = web_address(str(there))
    except SourceError as error:
        raise SourceError(f"leads to {shown(there)}, which {error}") from None
    if here.scheme == "https" and url.scheme != "https":
        raise SourceError(f"leads from https to {shown(url)}: not followed.")
    return url


def _too_large(bounds: Bounds) -> SourceError:
    return SourceError(f"is larger than {bounds.megabytes} MB; KB_MAX_FILE_MB sets the limit.")


def _said(error: Exception) -> str:
    return printable(str(error)[:200]).rstrip(".") or type(error).__name__


def _by_proxy() -> str:
    if not getproxies():
        return ""
    return (
        " Proxies are not used for this: where the web is reached by one alone, download the file "
        "and ingest it."
    )
