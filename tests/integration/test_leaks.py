"""Nobody is told of what they may not see: by no route, tool, number, error, tag or statement.

Histories are drawn: documents of every visibility and collection are written, changed, narrowed
and removed, keys, sessions and saved searches made and ended, and in between everything that can
be asked is asked as each of those who ask. ``KB_LEAK_RUNS`` says how many histories are tried
(default 3, always the same; another number is drawn anew each time).
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from conftest import Base
from fakes import HashingEncoder
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from leaking import Counts, Service, Watch, as_json, cursors_in
from leaking_asks import (
    ENDS,
    MCP_HEADERS,
    WRITES,
    Ask,
    Interface,
    called,
    spoilt,
    tells_what_is_public,
)
from leaking_base import COMMON, NOW, Clock, ReadHere, Shelf
from leaking_briefs import Briefs
from leaking_callers import KINDS, Callers
from leaking_counts import Numbers
from leaking_everything import NEVER_DRAWN, Assistant, Everything
from leaking_markers import Markers
from leaking_pages import BARE, FORM, described, unpaged
from leaking_rooms import Rooms
from leaking_twins import Twins
from leaking_writing import Writing
from qdrant_client import QdrantClient
from starlette.datastructures import ImmutableMultiDict
from starlette.testclient import TestClient

from api.app import create_app
from api.authentication import CSRF_FIELD
from api.rates import STRICT
from kb.bootstrap import open_knowledge_base
from kb.index.server import ServerIndex
from kb.keys import KeyRole, NewKey
from kb.record.uploads import NewUpload, UploadsRecord
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeKb
    from leaking import Caller

    from kb.bootstrap import KnowledgeBase

# The client's local mode stands in for a server and says what it does not do.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]

RUNS = int(os.environ.get("KB_LEAK_RUNS", "0"))
MANY = 10**6
ENCODER = HashingEncoder()
# Requests are drawn by the thousand, more than Hypothesis keeps count of: it draws their seeds.
SEEDS = st.integers(0, 2**32 - 1)
# What happens in each history, in any order.
STEPS = (
    *("write", "write", "write_what_is_hidden", "take_away", "begin_access", "end_access"),
    *("ask", "ask", "compare_numbers", "compare_with_nothing"),
)
# Nobody asks for what would end a search or session, nor has mail to confirm; no key is accepted
# that was made up.
NEVER_ANSWERED = {
    *ENDS,
    "GET /v1/searches/confirm/{token}",
    "POST /v1/searches/confirm/{token}",
    "POST /login",
}
# The language that is switched to, the token of a form, and what is asked that nobody knows.
OF_EVERY_PAGE = {"lang", CSRF_FIELD, "unknown"}
# What says nothing of single documents, beside what everybody or only staff is told.
WITHOUT_WORDS = {
    "GET /briefs",
    "POST /briefs",
    "POST /briefs/add",
    "POST /briefs/{address}",
    "POST /calls/follow",
    "GET /calls/follow/deleted",
    "GET /calls/match",
    "POST /feedback",
    "GET /login",
    "GET /problems",
    "GET /problems/{slug}",
    "POST /v1/feedback",
    "POST /v1/searches",
    "GET /v1/session",
    "GET /v1/status",
    "GET /v1/unsubscribe/{token}",
    "POST /v1/unsubscribe/{token}",
    "GET /accessibility",
    "GET /privacy",
}


class History:
    """One base and two processes that serve it, written to and asked in any order."""

    def __init__(self, seed: int, counts: Counts, place: Path, *, embedded: bool) -> None:
        """Begin with some documents and calls, a key of each kind, sessions and searches."""
        self.counts = counts
        self.chance = random.Random(seed)  # noqa: S311 -- nothing secret
        self.clock = Clock()
        self.stack = ExitStack()
        with self.stack:
            made = tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True)
            self._begin(Path(self.stack.enter_context(made)), embedded=embedded)
            self.stack = self.stack.pop_all()

    def _begin(self, folder: Path, *, embedded: bool) -> None:
        # Shared by both processes, or opened by each for itself.
        index = None if embedded else ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)
        bases = [self._opened(folder, index) for _ in range(2)]
        markers = Markers(self.chance, NOW)
        self.shelf = Shelf(bases[0], Base(bases[0], folder / "files"), markers)
        self.writing = Writing(self.shelf, self.chance)
        self.writing.begin()
        self.briefs = Briefs(bases[0], markers)
        self.briefs.begin()
        self.watch = Watch(self.shelf.library, self.counts, self.briefs)
        self.watch.secret |= set(self.writing.collections)
        self.services = [Service(kb, self.counts) for kb in bases]
        for service in self.services:
            self.stack.enter_context(service.running())
        self._begin_asking(markers)

    def close(self) -> None:
        """Release everything."""
        self.stack.close()

    def end(self) -> None:
        """Ask everything as some of them once more."""
        for caller in self.chance.sample(self.callers.all, 3):
            self._ask_everything(caller)
        self._check_numbers(self.callers.any(self.chance))
        for _ in range(20):  # what nobody was answered yet, until somebody is
            for ask in self.everything.asks(self.chance.randrange(2**32), {}):
                if self._is_untried(ask.name):
                    answered = self.services[0].send(ask, self.callers.staff)
                    self.watch.look(ask, self.callers.staff, answered.response)

    def _is_untried(self, name: str) -> bool:
        wordless = name in WITHOUT_WORDS | _names("staff", "everyone") or self.counts.seen[name]
        return name not in NEVER_ANSWERED and not (self.counts.succeeded[name] and wordless)

    def _opened(self, folder: Path, index: Any) -> KnowledgeBase:
        values: dict[str, Any] = {"workers": 1, "rate_anonymous": MANY, "rate_key": MANY}
        kb = open_knowledge_base(
            Settings(home=folder / "home", **values),
            clock=self.clock,
            encoder=ENCODER,
            index=index,
        )
        self.stack.callback(kb.close)
        return kb

    def _begin_asking(self, markers: Markers) -> None:
        self.callers = Callers(self.services, self.watch, markers, self.writing.collections)
        for caller in self.callers.all[:4]:
            self.callers.save_search(caller, {})
        for caller in self.callers.all[1:4]:
            self.callers.sign_in(caller, self.chance)
        self._note_upload(markers)
        service, staff = self.services[0], self.callers.staff
        self.watch.for_staff = _names("staff")
        assistant = Assistant(self._listed)
        saved = self.watch.saved
        self.everything = Everything(_interface(), assistant, self.shelf, saved, self.briefs)
        self.numbers = Numbers(service, self.watch, staff)
        self.rooms = Rooms(service, self.watch, staff)
        self.twins = Twins(service, self.watch, staff, self.everything)

    def _note_upload(self, markers: Markers) -> None:
        """What staff have uploaded, and nobody reads here."""
        named = markers.word()
        self.watch.secret.add(named)
        upload = NewUpload("0123456789abcdef", f"{named}.md", 100)
        UploadsRecord(self.services[0].kb.engine).add(upload, self.clock())

    def _listed(self, method: str) -> dict[str, Any]:
        answered = self.services[0].send(called(method, {}), self.callers.anonymous)
        result: dict[str, Any] = as_json(answered.response)["result"]
        return result

    def take_step(self, name: str) -> None:
        """One of ``STEPS``, two minutes after the one before."""
        self.clock.now += timedelta(minutes=2)
        self.callers.expire()
        getattr(self, name)()

    # What is written

    def write(self) -> None:
        """New texts and calls, such as say something new, copies; others may see them."""
        self.writing.change()

    def take_away(self) -> None:
        """A document or call is removed for good, or everything goes back a generation."""
        self.writing.take_away()

    def write_what_is_hidden(self) -> None:
        """What changes out of somebody's sight changes nothing that they are answered."""
        caller = self.callers.any(self.chance)
        if caller.is_whole_staff:
            return
        asks = [
            ask
            for ask in self.everything.asks(self.chance.randrange(2**32), {})
            if ask.name not in WRITES and not ranks(ask)
            if self.watch.access_of(ask, caller) == caller.access
            if not tells_what_is_public(ask, caller.access)
        ]
        before, now = self.twins.snapshot(caller, asks), self.clock.now
        self.clock.now += timedelta(minutes=1)
        self.writing.change_hidden(caller.access)
        self.clock.now = now
        self.twins.same(caller, asks, before)
        self.clock.now += timedelta(minutes=1)

    # Who asks

    def begin_access(self) -> None:
        """A key, a session, a search."""
        chance = self.chance
        caller = self.callers.with_key(chance.choice(list(KINDS)))
        self.callers.save_search(caller, {"query": self.everything.words(chance)})
        self.callers.sign_in(caller, chance)
        self.callers.let_expire(chance.choice(list(KINDS)), chance)

    def end_access(self) -> None:
        """The end of one of them."""
        self.chance.choice(
            (
                self.callers.revoke,
                self.callers.rotate,
                self.callers.delete_search,
                self.callers.sign_out,
            )
        )(self.chance)

    # What is asked

    def ask(self) -> None:
        """Ask everything as somebody."""
        self._ask_everything(self.chance.choice(self.callers.all))

    def compare_numbers(self) -> None:
        """Everything that lists or counts, as somebody."""
        self._check_numbers(self.callers.any(self.chance))

    def compare_with_nothing(self) -> None:
        """What is hidden from somebody, beside what never was."""
        for _ in range(2):
            caller = self.callers.any(self.chance)
            self.twins.names(caller, self.chance)
            self.twins.versions(caller, self.chance)
            self.twins.addresses(caller, self.chance, 4)
        self.twins.lists(caller, self.chance)

    def _check_numbers(self, caller: Caller) -> None:
        filters = self.everything.filters(self.chance)
        self.numbers.check(caller, filters, self.everything.words(self.chance))
        self.rooms.check(caller, self.chance)

    def _ask_everything(self, caller: Caller) -> None:
        self.briefs.renew()
        self._add_spare_key()
        asks = self.everything.asks(self.chance.randrange(2**32), {})
        for ask in (*asks, *_bare_asks(caller)):
            asked = spoilt(ask, self.chance) if self.chance.random() < 0.15 else ask
            if ask.name in ENDS:
                path = ask.path.replace(quote(ask.named["secret"], safe=""), "oms_nothing")
                asked = replace(ask, path=path)
            self.briefs.note(asked)
            service = self.chance.choice(self.services)
            response = service.send(asked, caller).response
            self.watch.look(asked, caller, response)
            self.everything.note_nexts(cursors_in(response.text))

    def _add_spare_key(self) -> None:
        """One that staff may end, or give a new text."""
        named = self.shelf.markers.word()
        self.watch.secret.add(named)
        key, _ = self.services[0].kb.keys.create(NewKey(named, KeyRole.PARTNER), self.clock())
        self.everything.spare_keys.append(key.id)


@cache
def _interface() -> Interface:
    """Every operation and page that there is."""
    return Interface(described())


def _names(*reaches: str) -> frozenset[str]:
    """What answers these."""
    return frozenset(each.name for each in _interface().operations if each.reach in reaches)


def _bare_asks(caller: Caller) -> Iterator[Ask]:
    """What tells FastAPI of no fields, and what would end the session of who has one."""
    for path, methods in BARE.items():
        for method in methods:
            if path != "/mcp":  # the assistants' own requests
                yield Ask(f"{method} {path}", method, path.replace("{path}", "site.js"))
    if "cookie" not in caller.headers:
        yield Ask("POST /logout", "POST", "/logout", (), {"content-type": FORM})


def _hear_what_is_read(monkeypatch: pytest.MonkeyPatch, counts: Counts) -> None:
    """Have every look at parameters and fields noted, which FastAPI need not know of."""
    getitem, getlist = ImmutableMultiDict.__getitem__, ImmutableMultiDict.getlist

    def item(values: ImmutableMultiDict[str, Any], name: str) -> Any:
        counts.reads(name)
        return getitem(values, name)

    def listed(values: ImmutableMultiDict[str, Any], name: str) -> list[Any]:
        counts.reads(name)
        return getlist(values, name)

    monkeypatch.setattr(ImmutableMultiDict, "__getitem__", item)
    monkeypatch.setattr(ImmutableMultiDict, "getlist", listed)


def _instead_of_picture(_pictures: object, original: Path, _number: int, _width: int) -> bytes:
    return original.read_bytes()


def ranks(ask: Ask) -> bool:
    """Whether answers are ranked by words.

    How rare a word is, is counted over all passages, also those that the caller may not see, and
    moves scores by some thousandths: what is found is compared apart (``Numbers``).
    """
    return any(word in ask.said for word in COMMON)


def test_nobody_is_told_of_what_they_may_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is written, whoever asks, and however."""
    monkeypatch.setattr("ingest.run.Workers", ReadHere)
    # Uploads wait: to read one takes a process of its own, which knows another encoder.
    monkeypatch.setattr("api.ingesting.UploadRunner._step", lambda _runner: None)
    # The words of the original instead of their picture, in which none could be looked for.
    monkeypatch.setattr("kb.pictures.store.Pictures.picture", _instead_of_picture)
    for route in STRICT:
        monkeypatch.setitem(STRICT, route, MANY)
    counts = Counts()
    _hear_what_is_read(monkeypatch, counts)

    @settings(
        max_examples=RUNS or 3,
        deadline=None,
        derandomize=not RUNS,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=SEEDS, steps=st.permutations(STEPS), embedded=st.booleans())
    def try_history(seed: int, steps: list[str], *, embedded: bool) -> None:
        history = History(seed, counts, tmp_path, embedded=embedded)
        try:
            for name in steps:
                history.take_step(name)
            history.end()
        finally:
            history.close()

    try_history()
    told = counts.lines()
    with capsys.disabled():
        sys.stdout.write("\n".join(("", *(told if RUNS else told[:1]), "")))
    _check_all_was_asked(counts)


def _check_all_was_asked(counts: Counts) -> None:
    """The histories were no empty ones: everything was asked, answered and full of markers."""
    asked = {each.name for each in _interface().operations} - NEVER_DRAWN
    assert asked <= set(counts.requests)
    few = {name for name in asked if len(counts.callers[name]) < len(KINDS)}
    assert not few, f"asked by too few: {few}"
    unanswered = {name for name in asked if not counts.succeeded[name]}
    assert unanswered <= NEVER_ANSWERED, f"never answered with success: {unanswered}"
    for each in _interface().operations:
        if each.is_page:
            drawn = _interface().stated(each) | OF_EVERY_PAGE
            unknown = counts.read.get(each.name, set()) - drawn
            assert not unknown, f"{each.name} reads {unknown}: say so in tests/leaking_pages.py"
    empty = {name for name in asked if not counts.seen[name]}
    empty -= NEVER_ANSWERED | WITHOUT_WORDS | _names("staff", "everyone")
    assert not empty, f"no words of documents in (or they belong to WITHOUT_WORDS): {empty}"


def test_no_route_is_forgotten() -> None:
    """Every route is asked by its schema, or is one of those that are asked as they stand."""
    assert unpaged() == {path: set(methods) for path, methods in BARE.items()}


def test_nothing_of_mcp_is_forgotten(make_kb: MakeKb) -> None:
    """It can do no more than list and call tools, list and read resources, prompt and complete."""
    with TestClient(create_app(make_kb()), base_url="http://localhost") as client:
        params = {
            "protocolVersion": MCP_HEADERS["mcp-protocol-version"],
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        ask = called("initialize", params)
        response = client.post(ask.path, headers=dict(ask.headers), content=ask.body)
    capabilities = response.json()["result"]["capabilities"]
    offered = {name for name, value in capabilities.items() if value is not None}
    assert offered == {"tools", "resources", "prompts", "completions"}
    assert not capabilities["resources"].get("subscribe")
