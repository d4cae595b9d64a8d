"""What pulls keep in ``KB_HOME/pull``: pages of one under way, answers and lists for the next."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from kb.errors import StoreError
from kb.settings import LISTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

# A pull that was interrupted goes on where it stopped as long as its pages are younger than this;
# later the source's list has moved on, and old pages beside new ones would hold gaps.
GOES_ON = timedelta(days=1)
_BATCH = 200

_PAGES = """
CREATE TABLE IF NOT EXISTS pages (
    key TEXT PRIMARY KEY, total INTEGER NOT NULL, refs TEXT NOT NULL, after TEXT);
CREATE TABLE IF NOT EXISTS rows (
    reference TEXT PRIMARY KEY, identifier TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS rows_identifier ON rows (identifier);
"""
_ANSWERS = """
CREATE TABLE IF NOT EXISTS answers (
    url TEXT PRIMARY KEY, mark TEXT NOT NULL, status INTEGER NOT NULL, etag TEXT, modified TEXT,
    content BLOB NOT NULL, asked TEXT NOT NULL);
"""
_LISTED = """
CREATE TABLE IF NOT EXISTS listed (
    scope TEXT NOT NULL, identifier TEXT NOT NULL, PRIMARY KEY (scope, identifier));
"""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row of a page: what tells it from others, whose it is, and what it says."""

    reference: str
    identifier: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptPage:
    """What is known of a page: how many rows its list has in all, and which rows it held.

    ``after`` is the address of the next page, where the source gives it.
    """

    total: int
    references: tuple[str, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer of an earlier pull. ``mark`` is what the caller tied it to when it was asked."""

    mark: str
    status: int
    etag: str | None
    modified: str | None
    content: bytes
    asked: datetime

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for an answer only if it has changed since."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in headers.items() if value}


class _Store:
    """A small SQLite file; every write is whole or not there."""

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path)
            self._connection.executescript(schema)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._connection.close()

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._told():
            return self._connection.execute(query, values).fetchall()

    def _write(self, *statements: tuple[str, Iterable[Sequence[Any]]]) -> None:
        with self._told(), self._connection:
            for query, values in statements:
                self._connection.executemany(query, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path} can't be used: {error}. It holds nothing that can't be fetched "
                "again: delete it, and see that KB_HOME can be written."
            ) from None


class KeptPages(_Store):
    """The pages of one pull, kept until it is done, so that it can go on where it stopped."""

    def page(self, key: str) -> KeptPage | None:
        """A page that was fetched before."""
        found = self._all("SELECT total, refs, after FROM pages WHERE key = ?", (key,))
        if not found:
            return None
        total, references, after = found[0]
        return KeptPage(total, tuple(json.loads(references)), after)

    def keep(
        self, key: str, total: int, rows: Sequence[KeptRow], after: str | None = None
    ) -> KeptPage:
        """Keep a page with its rows."""
        references = tuple(row.reference for row in rows)
        packed = [
            (row.reference, row.identifier, zlib.compress(_json(row.content), 1)) for row in rows
        ]
        self._write(
            ("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", packed),
            (
                "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)",
                [(key, total, json.dumps(references), after)],
            ),
        )
        return KeptPage(total, references, after)

    def identifiers(self) -> list[str]:
        """The identifiers of all rows, each once, in order."""
        return [row[0] for row in self._all("SELECT DISTINCT identifier FROM rows ORDER BY 1")]

    def rows_of(self, identifier: str) -> list[dict[str, Any]]:
        """The rows of one identifier."""
        query = "SELECT content FROM rows WHERE identifier = ? ORDER BY reference"
        return [_unpacked(row[0]) for row in self._all(query, (identifier,))]

    def batches(self, size: int = _BATCH) -> Iterator[list[dict[str, Any]]]:
        """All rows, those of one identifier always together, some identifiers at a time."""
        identifiers = self.identifiers()
        for start in range(0, len(identifiers), size):
            part = identifiers[start : start + size]
            yield [row for identifier in part for row in self.rows_of(identifier)]


class KeptAnswers(_Store):
    """Answers of earlier pulls by address. They hold texts: purging a document erases them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "answers.db", _ANSWERS)

    def find(self, url: str) -> KeptAnswer | None:
        """The last answer of an address."""
        query = "SELECT mark, status, etag, modified, content, asked FROM answers WHERE url = ?"
        found = self._all(query, (url,))
        if not found:
            return None
        mark, status, etag, modified, content, asked = found[0]
        moment = datetime.fromisoformat(asked)
        return KeptAnswer(mark, status, etag, modified, zlib.decompress(content), moment)

    def keep(self, url: str, answer: KeptAnswer) -> None:
        """Keep an answer in the place of an earlier one."""
        content, asked = zlib.compress(answer.content, 6), answer.asked.isoformat()
        values = (url, answer.mark, answer.status, answer.etag, answer.modified, content, asked)
        self._write(("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", [values]))

    def asked(self) -> dict[str, datetime]:
        """When each address was last asked, as far as its answer is kept."""
        found = self._all("SELECT url, asked FROM answers")
        return {url: datetime.fromisoformat(asked) for url, asked in found}


class KeptListed(_Store):
    """What sources listed when they were last asked in full: what is not listed then is gone.

    It holds identifiers alone, no texts, so that purging a document leaves it: without it, calls
    that have gone since would stay for good.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LISTED, _LISTED)

    def of(self, scope: str) -> list[str]:
        """The identifiers that a scope listed, in order."""
        query = "SELECT identifier FROM listed WHERE scope = ? ORDER BY identifier"
        return [row[0] for row in self._all(query, (scope,))]

    def keep(self, scope: str, identifiers: Iterable[str]) -> None:
        """Keep what a scope lists now."""
        self._write(
            ("DELETE FROM listed WHERE scope = ?", [(scope,)]),
            ("INSERT INTO listed VALUES (?, ?)", [(scope, each) for each in identifiers]),
        )


class PullFolder:
    """The folder of one pull: ``<source>-<what it asks for>``, begun at a moment."""

    def __init__(self, root: Path, source: str, asks: Any, now: datetime, *, fresh: bool) -> None:
        name = hashlib.sha256(_json(asks)).hexdigest()[:12]
        self.path = root / f"{source}-{name}"
        self._note = self.path / "begun"
        begun = self._begun()
        self.goes_on = begun is not None and not fresh and now - begun < GOES_ON
        try:
            if not self.goes_on:
                shutil.rmtree(self.path, ignore_errors=True)
                self.path.mkdir(parents=True, exist_ok=True)
                self._note.write_text(now.isoformat(), encoding="ascii")
        except OSError as error:
            raise StoreError(
                f"{self.path} can't be written: {error.strerror}. Change its permissions, or set "
                "KB_HOME to a folder of yours."
            ) from None

    def pages(self) -> KeptPages:
        """Open the pages of this pull."""
        return KeptPages(self.path / "pages.db", _PAGES)

    def done(self) -> None:
        """The pull is in: what was kept of it can go."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _begun(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._note.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


def checksum(rows: Sequence[dict[str, Any]]) -> str:
    """What tells whether rows say the same as before."""
    return hashlib.sha256(b"\n".join(sorted(_json(row) for row in rows))).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _unpacked(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(content))
    return found
