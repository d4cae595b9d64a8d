"""Asks a service as different callers, and looks whether anything comes out that is not theirs."""

from __future__ import annotations

import html
import io
import json
import re
import threading
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from leaking_asks import decoded_cursor
from leaking_markers import found_in
from leaking_pages import FORM, documents_of, is_page, pdf_text, without_marks
from sqlalchemy import event
from starlette.testclient import TestClient

from api.app import create_app
from api.authentication import CSRF_FIELD, CSRF_HEADER
from kb.keys import KeyRole
from kb.model import Access, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from httpx2 import Response
    from leaking_asks import Ask
    from leaking_base import Library
    from leaking_briefs import Briefs
    from sqlalchemy import Engine

    from kb.bootstrap import KnowledgeBase

# What each role sees, said here again: the code under test is not asked.
SEES: Final[Mapping[KeyRole | None, tuple[Visibility, ...]]] = {
    None: (Visibility.PUBLIC,),
    KeyRole.PARTNER: (Visibility.PUBLIC, Visibility.COALITION),
    KeyRole.STAFF: (Visibility.PUBLIC, Visibility.COALITION, Visibility.INTERNAL),
}
ANYBODY: Final = Access(SEES[None])
REQUEST_ID: Final = "leak-test-request"
# What differs between two requests whatever is asked.
_COUNTED: Final = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_THREADS_APART: Final = {"audit", "uploads"}
# That a key is used is noted after the answer; where another writes just then, after the next.
_NOTED_LATER: Final = re.compile("PRAGMA busy_timeout|UPDATE (keys|sessions) SET (last_used|seen)")
_FOLD: Final = re.compile(r"\r?\n[ \t]")


@dataclass(slots=True)
class Caller:
    """Somebody who asks.

    ``access`` is what they see by the rules; ``refused`` says that their key is not accepted.
    ``own`` are markers that are theirs alone: the name of their key, which is ``key``, and its
    collections.
    """

    name: str
    role: KeyRole | None = None
    access: Access = ANYBODY
    headers: dict[str, str] = field(default_factory=dict)
    refused: bool = False
    own: frozenset[str] = frozenset()
    key: str = ""

    @property
    def brings_key(self) -> bool:
        """Whether every request brings a key."""
        return bool(self.headers.keys() & {"authorization", "x-api-key"})

    @property
    def is_whole_staff(self) -> bool:
        """Whether they see everything."""
        return self.role is KeyRole.STAFF and self.access.collections is None and not self.refused


@dataclass(frozen=True, slots=True)
class Saved:
    """A search: its secret, the name of its key, what it shows, the markers of name and query."""

    secret: str
    key: str
    access: Access
    own: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answered:
    """A response with the statements that were run for it."""

    response: Response
    statements: tuple[tuple[str, int], ...]

    def as_seen(self, echo: Mapping[str, str]) -> str:
        """All that the caller gets, with what they said themselves put in other words."""
        headers = [
            (name, value)
            for name, value in self.response.headers.multi_items()
            if name.lower() not in _COUNTED
        ]
        told = repr((int(self.response.status_code), headers, self.response.content))
        for said, instead in echo.items():
            told = told.replace(said, instead)
        return told


@dataclass(slots=True)
class Counts:
    """What was asked and looked at, by operation and caller."""

    requests: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    callers: dict[str, set[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    read: dict[str, set[str]] = field(default_factory=dict)
    _asking: str = ""

    def begin(self, name: str, caller: Caller) -> None:
        """Somebody asks for something."""
        self.requests[name] += 1
        self.callers.setdefault(name, set()).add(caller.name)
        self._asking = name

    def reads(self, name: str) -> None:
        """What is asked reads a parameter or field of this name, whether it was sent or not."""
        self.read.setdefault(self._asking, set()).add(name)

    def lines(self) -> list[str]:
        """The counts in words."""
        told = [f"{sum(self.requests.values())} requests, {sum(self.checks.values())} checks"]
        told += [f"  {count:7} {name}" for name, count in self.checks.most_common()]
        told.append("requests, of them answered with success, markers seen that may be seen:")
        return told + [
            f"  {count:6} {self.succeeded[name]:6} {self.seen[name]:7} {name}"
            for name, count in sorted(self.requests.items())
        ]


class Service:
    """The service over a base, asked in this process."""

    def __init__(self, kb: KnowledgeBase, counts: Counts) -> None:
        self.kb = kb
        self.counts = counts
        self.app = create_app(kb)
        self._client = TestClient(self.app, base_url="http://localhost", follow_redirects=False)
        self._statements: list[tuple[str, int]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it, and listen to the statements that it runs."""
        with self._client, _listening(self.kb.engine, self._statements):
            yield

    def send(self, ask: Ask, caller: Caller) -> Answered:
        """Ask, with what the caller brings."""
        self._statements.clear()
        self._client.cookies.clear()
        headers, body = sent(ask, caller)
        self.counts.begin(ask.name, caller)
        response = self._client.request(ask.method, ask.url, headers=headers, content=body)
        if response.status_code < 400 and '"isError":true' not in response.text:
            self.counts.succeeded[ask.name] += 1
        return Answered(response, tuple(self._statements))


@contextmanager
def _listening(engine: Engine, heard: list[tuple[str, int]]) -> Iterator[None]:
    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        apart = threading.current_thread().name in _THREADS_APART
        if not apart and not _NOTED_LATER.match(statement):
            heard.append((statement, len(parameters)))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def sent(ask: Ask, caller: Caller) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request with what its caller brings, as a browser would send it.

    A form of a session holds its token. Nothing is packed: its length would tell of names that
    differ.
    """
    # After those of the request: a caller's own are what they are known by.
    headers = {
        "X-Request-ID": REQUEST_ID,
        "accept-encoding": "identity",
        **ask.headers,
        **caller.headers,
    }
    cookies = [each.headers["cookie"] for each in (ask, caller) if "cookie" in each.headers]
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    body = ask.body
    if headers.get("content-type") == FORM and CSRF_HEADER in headers:
        token = urlencode({CSRF_FIELD: headers.pop(CSRF_HEADER)}).encode()
        body = b"&".join(filter(None, (body, token)))
    return headers, body


def opened(response: Response) -> str:
    """Everything that a response says: headers, what is folded, packed, escaped and encoded."""
    said = [f"{name}: {value}" for name, value in response.headers.multi_items()]
    if response.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(response.content)) as book:
            said += [book.read(name).decode(errors="replace") for name in book.namelist()]
    elif response.content.startswith(b"%PDF"):
        said.append(pdf_text(response.content))
    else:
        said.append(_FOLD.sub("", response.content.decode(errors="replace")))
    whole = "\n".join(said)
    cursors = [decoded_cursor(each) for each in cursors_in(whole)]
    read = {whole, unquote(whole), html.unescape(whole), without_marks(html.unescape(whole))}
    return "\n".join((*sorted(read, key=len), *cursors))


def cursors_in(text: str) -> list[str]:
    """Where lists and pages of them go on."""
    found = re.findall(r'"next":"([^"]*)"|[?&;](?:after|cursor)=([^"&\s]*)', text)
    return [each for pair in found for one in pair for each in unquote(one).split("~") if each]


def named_in(value: Any) -> Iterator[tuple[str, int | None]]:
    """The documents that JSON names, with the versions where it says them."""
    if isinstance(value, list):
        for each in value:
            yield from named_in(each)
    elif isinstance(value, dict):
        named = value.get("document_id") or (value.get("id") if "ingested" in value else None)
        if isinstance(named, str):
            version = value.get("version")
            yield named, version if isinstance(version, int) else None
        for each in value.values():
            yield from named_in(each)


def payloads(response: Response) -> Iterator[Any]:
    """The JSON of a response: its body, its lines, the data of its events, or a result of MCP."""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type in {"application/x-ndjson", "text/event-stream"}:
        lines = (line.removeprefix("data: ") for line in response.text.splitlines())
        yield from (json.loads(line) for line in lines if line.startswith("{"))
    elif media_type.endswith("json") and response.content:
        told = response.json()
        yield told.get("result", {}) if isinstance(told, dict) and "jsonrpc" in told else told


class Watch:
    """Knows what each caller may see, and fails where a response says more."""

    def __init__(self, library: Library, counts: Counts, briefs: Briefs) -> None:
        self.library = library
        self.counts = counts
        self.briefs = briefs
        self.secret: set[str] = set()  # markers of keys, searches and collections
        self.saved: list[Saved] = []
        self.ended: list[str] = []  # secrets that were good once
        self.for_staff: frozenset[str] = frozenset()  # the names of operations

    def access_of(self, ask: Ask, caller: Caller) -> Access:
        """What a response may show: at a feed's address, what its search shows."""
        found = next((s for s in self.saved if s.secret == ask.named.get("secret")), None)
        return caller.access if found is None else found.access

    def look(self, ask: Ask, caller: Caller, response: Response) -> None:
        """Fail where a response says anything that is not for its caller."""
        told = f"{ask.name} as {caller.name}: {ask.method} {ask.url} {ask.body[:400]!r}"
        status = response.status_code
        assert status < 500, f"{told} failed: {response.text[:1000]}"
        if caller.refused:
            assert status == 401, f"{told}: {status} to a key that is not accepted"
        seen = self.library.seen_by(self.access_of(ask, caller))
        said = opened(response)
        found = found_in(said)
        self.counts.seen[ask.name] += len(found & seen.markers)
        if caller.is_whole_staff and ask.name in self.for_staff:
            return  # what was asked and uploaded is theirs to read, also of what was removed
        hidden = self._hidden_from(caller, ask) - seen.markers
        leaked = sorted(found & hidden)
        assert not leaked, f"{told} leaks {leaked}: {_around(said, leaked)}"
        self.counts.checks["no marker of what may not be seen"] += 1
        if ask.path == "/openapi.json":
            return  # its examples name documents of no base
        self._look_for_secrets(told, ask, said)
        named = [*named_in([*payloads(response)])]
        if is_page(response.headers.get("content-type", "")):
            named += documents_of(response.text)
        for document_id, version in named:
            known = (
                (document_id, version) in seen.versions
                if version
                else document_id in {key for key, _ in seen.versions}
            )
            assert known, f"{told} names {document_id} version {version}"
            self.counts.checks["a document named may be seen"] += 1

    def _hidden_from(self, caller: Caller, ask: Ask) -> set[str]:
        """Markers that are not theirs by another right than that to see documents."""
        own = caller.own.union(*(saved.own for saved in self.saved if saved.secret in ask.said))
        every = self.library.markers | self.secret
        for brief in self.briefs.kept:
            every |= brief.own
            # Those that are of the staff are told to all of them.
            if caller.is_whole_staff or any(each in ask.said for each in brief.addresses):
                own |= brief.own
        cursors = map(decoded_cursor, cursors_in(ask.url))
        return every - own - found_in("\n".join((ask.said, *cursors)))

    def _look_for_secrets(self, told: str, ask: Ask, whole: str) -> None:
        """Nobody is told an address that they did not say; who may edit may have others read."""
        for saved in self.saved:
            if saved.secret not in ask.said:
                assert saved.secret not in whole, f"{told} tells the address of a search"
        for brief in self.briefs.kept:
            if brief.secret not in ask.said:
                assert brief.secret not in whole, f"{told} tells the address to edit a brief"
                if brief.reading not in ask.said:
                    assert brief.reading not in whole, f"{told} tells the address of a brief"
        self.counts.checks["no address that was not said"] += 1


def _around(whole: str, leaked: list[str]) -> str:
    said = whole.lower()
    place = max(said.find(leaked[0]), 0)
    return said[max(place - 300, 0) : place + 300]


def as_json(response: Response) -> Any:
    """The JSON of a success."""
    assert response.is_success, response.text[:1000]
    return json.loads(response.content)
