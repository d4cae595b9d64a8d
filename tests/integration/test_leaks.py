"""Nobody is told of what they may not see: by no route, tool, number, error, tag or statement.

A machine writes documents of every visibility and collection, changes, narrows and removes them,
makes keys, sessions and saved searches and ends them, and asks everything that can be asked as
each of them. ``KB_LEAK_RUNS`` says how many histories are tried (see ``_runs``), and
``KB_LEAK_STEPS`` how long each is; more than the default are drawn anew each time.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from leaking import Counts, Service, Watch, as_json
from leaking_asks import MCP_HEADERS, PAGES, Ask, Assistant, Everything, Interface, called, spoilt
from leaking_base import COMMON, Clock, Markers, ReadHere, Shelf
from leaking_callers import FORM, KINDS, Callers
from leaking_counts import Numbers
from leaking_twins import Twins
from leaking_writing import Writing
from qdrant_client import QdrantClient
from starlette.testclient import TestClient

from api.app import create_app
from api.rates import STRICT
from kb.bootstrap import open_knowledge_base
from kb.index.server import ServerIndex
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
STEPS = int(os.environ.get("KB_LEAK_STEPS", "12"))
MANY = 10**6
ENCODER = HashingEncoder()
# Requests are drawn by the thousand, more than Hypothesis keeps count of: it draws their seeds.
SEEDS = st.integers(0, 2**32 - 1)
# What is kept of these shows in what is answered next.
WRITES = {
    "POST /v1/searches",
    "DELETE /v1/searches/{secret}",
    "POST /v1/feedback",
    "POST /v1/documents",
}


# Without a file nothing is uploaded here, and nobody has a mail's token or the right key.
NEVER_ANSWERED = {"POST /v1/documents", "DELETE /v1/searches/{secret}"}
# What says nothing of single documents, and what only staff read of what others asked.
WITHOUT_WORDS = {
    "GET /v1/audit",
    "GET /v1/feedback",
    "GET /v1/gaps",
    "GET /healthz",
    "GET /readyz",
    "GET /v1/session",
    "GET /v1/status",
    "GET /v1/uploads",
    "GET /v1/uploads/{upload_id}",
    "POST /v1/feedback",
}


class Histories(RuleBasedStateMachine):
    """One base and two processes that serve it, written to and asked in any order."""

    counts = Counts()
    interface: Interface

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        """Begin with some documents and calls, a key of each kind, sessions and searches."""
        self.chance = random.Random(seed)  # noqa: S311 -- nothing secret
        self.stack = ExitStack()
        self.clock = Clock()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="leaks-")))
        index = self.index()
        bases = [self._opened(folder, index) for _ in range(2)]
        markers = Markers(self.chance)
        self.shelf = Shelf(bases[0], Base(bases[0], folder / "files"), markers)
        self.writing = Writing(self.shelf, self.chance)
        self.writing.begin()
        self.watch = Watch(self.shelf.library, self.counts)
        self.watch.secret |= set(self.writing.collections)
        self.services = [Service(kb, self.counts) for kb in bases]
        for service in self.services:
            self.stack.enter_context(service.running())
        self._begin_asking(markers)
        self.ready = True

    def index(self) -> Any:
        """The index, shared by both processes; null is one embedded in each."""
        return ServerIndex(QdrantClient(":memory:"), ENCODER.dimension)

    def teardown(self) -> None:
        """Ask everything as everybody once more, and close."""
        if not hasattr(self, "stack"):
            return
        with self.stack:
            if hasattr(self, "ready"):
                for caller in self.chance.sample(self.callers.all, 3):
                    self._ask_everything(caller)
                self._check_numbers(self.callers.any(self.chance))

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
        interface = Histories.interface = Interface(service.app)
        self.watch.for_staff = frozenset(
            each.name for each in interface.operations if each.reach == "staff"
        )
        assistant = Assistant(self._listed)
        self.everything = Everything(interface, assistant, self.shelf, self.watch.saved)
        self.numbers = Numbers(service, self.watch, staff)
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

    def _go_on(self, seed: int) -> None:
        self.chance.seed(seed)
        self.clock.now += timedelta(minutes=2)
        self.callers.expire()

    # What is written

    @rule(seed=SEEDS)
    def write(self, seed: int) -> None:
        """New texts and calls, such as say something new, copies; others may see them."""
        self._go_on(seed)
        self.writing.change()

    @rule(seed=SEEDS)
    def take_away(self, seed: int) -> None:
        """A document or call is removed for good, or everything goes back a generation."""
        self._go_on(seed)
        self.writing.take_away()

    @rule(seed=SEEDS)
    def write_what_is_hidden(self, seed: int) -> None:
        """What changes out of somebody's sight changes nothing that they are answered."""
        self._go_on(seed)
        caller = self.callers.any(self.chance)
        if caller.is_whole_staff:
            return
        asks = [
            ask
            for ask in self.everything.asks(self.chance.randrange(2**32), {})
            if ask.name not in WRITES and not ranks(ask)
            if self.watch.access_of(ask, caller) == caller.access
        ]
        before, now = self.twins.snapshot(caller, asks), self.clock.now
        self.clock.now += timedelta(minutes=1)
        self.writing.change_hidden(caller.access)
        self.clock.now = now
        self.twins.same(caller, asks, before)
        self.clock.now += timedelta(minutes=1)

    # Who asks

    @rule(seed=SEEDS)
    def begin_access(self, seed: int) -> None:
        """A key, a session, a search."""
        self._go_on(seed)
        chance = self.chance
        caller = self.callers.with_key(chance.choice(list(KINDS)))
        self.callers.save_search(caller, {"query": self.everything.words(chance)})
        self.callers.sign_in(caller, chance)
        self.callers.let_expire(chance.choice(list(KINDS)), chance)

    @rule(seed=SEEDS)
    def end_access(self, seed: int) -> None:
        """The end of one of them."""
        self._go_on(seed)
        self.chance.choice(
            (
                self.callers.revoke,
                self.callers.rotate,
                self.callers.delete_search,
                self.callers.sign_out,
            )
        )(self.chance)

    # What is asked

    @rule(seed=SEEDS)
    def ask(self, seed: int) -> None:
        """Ask everything as somebody."""
        self._go_on(seed)
        self._ask_everything(self.chance.choice(self.callers.all))

    @rule(seed=SEEDS)
    def compare_numbers(self, seed: int) -> None:
        """Everything that lists or counts, as somebody."""
        self._go_on(seed)
        self._check_numbers(self.callers.any(self.chance))

    @rule(seed=SEEDS)
    def compare_with_nothing(self, seed: int) -> None:
        """What is hidden from somebody, beside what never was."""
        self._go_on(seed)
        caller = self.callers.any(self.chance)
        self.twins.names(caller, self.chance)
        self.twins.versions(caller, self.chance)
        self.twins.lists(caller, self.chance)
        self.twins.addresses(caller, self.chance, 6)

    def _check_numbers(self, caller: Caller) -> None:
        filters = self.everything.filters(self.chance)
        self.numbers.check(caller, filters, self.everything.words(self.chance))

    def _ask_everything(self, caller: Caller) -> None:
        for ask in (*self.everything.asks(self.chance.randrange(2**32), {}), *_page_asks(caller)):
            asked = spoilt(ask, self.chance) if self.chance.random() < 0.15 else ask
            if ask.name == "DELETE /v1/searches/{secret}":
                asked = replace(ask, path="/v1/searches/oms_nothing")
            if ask.name == "POST /v1/documents" and caller.is_whole_staff:
                asked = replace(ask, body=b"")  # no run is to begin here
            service = self.chance.choice(self.services)
            self.watch.look(asked, caller, service.send(asked, caller).response)


def _page_asks(caller: Caller) -> Iterator[Ask]:
    """Pages and what else is no part of the OpenAPI document."""
    for path, methods in PAGES.items():
        at = path.format(token="nothing", path="docs.js", slug="not-found")
        for method in methods:
            if path == "/mcp" or (path == "/logout" and "cookie" in caller.headers):
                continue
            yield Ask(f"{method} {path}", method, at, (), FORM, b"key=omk_x")


def ranks(ask: Ask) -> bool:
    """Whether answers are ranked by words.

    How rare a word is, is counted over all passages, also those that the caller may not see, and
    moves scores by some thousandths: what is found is compared apart (``Numbers``).
    """
    return any(word in ask.said for word in COMMON)


class Embedded(Histories):
    """The same with an index in files, which each process opens for itself."""

    def index(self) -> Any:
        """None that is shared."""
        return None


def test_nobody_is_told_of_what_they_may_not_see(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is written, whoever asks, and however."""
    monkeypatch.setattr("ingest.run.Workers", ReadHere)
    for route in STRICT:
        monkeypatch.setitem(STRICT, route, MANY)
    for machine, runs in ((Histories, RUNS or 4), (Embedded, max(1, RUNS // 10))):
        options = settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not RUNS,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(machine, settings=options)
    told = "\n".join(Histories.counts.lines())
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n" if RUNS else f"\n{told.partition(chr(10))[0]}\n")
    _check_all_was_asked(Histories.counts)


def _check_all_was_asked(counts: Counts) -> None:
    """The histories were no empty ones: everything was asked, answered and full of markers."""
    asked = {each.name for each in Histories.interface.operations}
    assert asked <= set(counts.requests)
    few = {name for name in asked if len(counts.callers[name]) < len(KINDS)}
    assert not few, f"asked by too few: {few}"
    unanswered = {name for name in asked if not counts.succeeded[name]}
    assert unanswered <= NEVER_ANSWERED, f"never answered with success: {unanswered}"
    empty = {name for name in asked if not counts.seen[name]}
    assert empty <= NEVER_ANSWERED | WITHOUT_WORDS, f"no words of documents in: {empty}"


def test_no_page_is_forgotten(make_kb: MakeKb) -> None:
    """Every route that is no part of the OpenAPI document is one that the histories ask."""
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(create_app(make_kb()).routes):
        route: Any = context
        if not getattr(route, "include_in_schema", False):
            methods = route.methods or {"GET"}
            found.setdefault(str(route.path_format), set()).update(methods)
    assert found == {path: set(methods) for path, methods in PAGES.items()}


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
