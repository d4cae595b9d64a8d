"""Nobody is told of what they may not see: by no route, tool, number, error, tag or statement.

A machine writes documents of every visibility and collection, changes, narrows and removes them,
makes keys, sessions and saved searches and ends them, and asks everything that can be asked as
each of them. ``KB_LEAK_RUNS`` says how many histories are tried (see ``_runs``), and
``KB_LEAK_STEPS`` how long each is; more than the default are drawn anew each time.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Base
from fakes import HashingEncoder
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from leaking import SEES, Caller, Counts, Saved, Service, Watch, as_json
from leaking_asks import PAGES, Ask, Assistant, Everything, Interface, called, spoilt
from leaking_base import (
    Clock,
    Filed,
    Markers,
    ReadHere,
    Shelf,
    call_content,
    text_content,
)
from leaking_counts import Numbers
from leaking_twins import Twins
from qdrant_client import QdrantClient

from api.rates import STRICT
from kb.bootstrap import open_knowledge_base
from kb.index.server import ServerIndex
from kb.keys import KeyRole, NewKey
from kb.model import Access, Visibility
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leaking import Answered
    from leaking_base import Content

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
FORM = {"content-type": "application/x-www-form-urlencoded"}
# What each key is narrowed to, by the place of a collection; null is no limit.
KINDS: dict[str, tuple[KeyRole, tuple[int, ...] | None]] = {
    "partner": (KeyRole.PARTNER, None),
    "staff": (KeyRole.STAFF, None),
    "partner of a collection": (KeyRole.PARTNER, (0,)),
    "partner of two collections": (KeyRole.PARTNER, (0, 1)),
    "staff of a collection": (KeyRole.STAFF, (1,)),
    "staff of no collection": (KeyRole.STAFF, ()),
}


class Histories(RuleBasedStateMachine):
    """One base and two processes that serve it, written to and asked in any order."""

    counts = Counts()

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        """Begin with some documents and calls, and a key of each kind."""
        self.chance = random.Random(seed)  # noqa: S311 -- nothing secret
        self.stack = ExitStack()
        self.clock = Clock()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="leaks-")))
        index = self.index()
        self.kb, other = (self._opened(folder, index) for _ in range(2))
        self._begin_base(folder / "files")
        self.watch = Watch(self.shelf.library, self.counts)
        self.watch.secret |= set(self.collections)
        self.service, self.other = (Service(kb, self.counts) for kb in (self.kb, other))
        for service in (self.service, self.other):
            self.stack.enter_context(service.running())
        self.anonymous = Caller("anonymous")
        self.callers = [self.anonymous, *(self._with_key(kind) for kind in KINDS)]
        self.staff = next(each for each in self.callers if each.is_whole_staff)
        self._begin_asking()
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
                for caller in self.callers:
                    self._ask_everything(caller)
                    self._check_numbers(caller)

    def _opened(self, folder: Path, index: Any) -> KnowledgeBase:
        kb = open_knowledge_base(
            Settings(home=folder / "home", workers=1, rate_anonymous=MANY, rate_key=MANY),
            clock=self.clock,
            encoder=ENCODER,
            index=index,
        )
        self.stack.callback(kb.close)
        return kb

    def _begin_base(self, folder: Path) -> None:
        markers = Markers(self.chance)
        self.collections = [markers.word() for _ in range(3)]
        self.shelf = Shelf(self.kb, Base(self.kb, folder), markers)
        for _ in range(6):
            self._add_file(text_content(markers, self.chance.choice(("en", "fr"))))
        work = markers.word()
        for language in ("en", "fr"):
            self._add_file(text_content(markers, language, work))
        self.shelf.ingest()
        self._take([f"CALL-{markers.word().upper()}-1" for _ in range(4)])

    def _begin_asking(self) -> None:
        interface = Interface(self.service.app)
        self.watch.for_staff = frozenset(
            each.name for each in interface.operations if each.reach == "staff"
        )
        assistant = Assistant(self._listed)
        self.everything = Everything(interface, assistant, self.shelf, self.watch.saved)
        self.numbers = Numbers(self.service, self.watch, self.staff)
        self.twins = Twins(self.service, self.watch, self.staff, self.everything)

    def _listed(self, method: str) -> dict[str, Any]:
        answered = self.service.send(called(method, {}), self.anonymous)
        result: dict[str, Any] = as_json(answered.response)["result"]
        return result

    # What is written

    @rule(seed=SEEDS)
    def change_files(self, seed: int) -> None:
        """New texts, texts that say something new, copies; others may see them than before."""
        self._go_on(seed)
        chance, files = self.chance, self.shelf.files
        for name in chance.sample(list(files), min(len(files), 3)):
            filed = files[name]
            if chance.random() < 0.6:
                stated = filed.content.stated
                work = str(stated.get("identifier", ""))
                content = text_content(self.shelf.markers, stated["language"], work)
                filed.content = self._named(name, content)
            filed.visibility = self._visibility()
            filed.collections = self._collections() or filed.collections
        if chance.random() < 0.5:
            self._add_file(text_content(self.shelf.markers, chance.choice(("en", "fr"))))
        if files and chance.random() < 0.5:
            self._add_file(chance.choice(list(files.values())).content)
        self.shelf.ingest()

    @rule(seed=SEEDS)
    def change_calls(self, seed: int) -> None:
        """Another deadline, text and amount, or others who may see it; or a call that is new."""
        self._go_on(seed)
        known = list(self.shelf.calls)
        names = self.chance.sample(known, min(len(known), 2))
        if self.chance.random() < 0.4:
            names.append(f"CALL-{self.shelf.markers.word().upper()}-1")
        self._take(names)

    @rule(seed=SEEDS)
    def remove(self, seed: int) -> None:
        """One document or call is removed for good."""
        self._go_on(seed)
        held = self.shelf.library.newest.current
        there = [each for each in held if not self.shelf.library.held[each].removed]
        if len(there) > 3:
            self.shelf.remove(self.chance.choice(sorted(there)))

    @precondition(lambda self: len(self.shelf.library.kept) > 2)
    @rule(seed=SEEDS)
    def roll_back(self, seed: int) -> None:
        """Go back a generation."""
        self._go_on(seed)
        self.shelf.roll_back()

    def _take(self, identifiers: list[str]) -> None:
        for identifier in identifiers:
            filed = self.shelf.calls.get(identifier)
            if filed is None or self.chance.random() < 0.6:
                content = self.shelf.note(call_content(self.shelf.markers, identifier))
            else:
                content = filed.content
            within = self._collections() or (filed.collections if filed else ())
            told = filed.document_id if filed else ""
            self.shelf.calls[identifier] = Filed(content, self._visibility(), within, told)
        self.shelf.take(identifiers)

    def _add_file(self, content: Content) -> None:
        name = f"{self.shelf.markers.word()}.md"
        filed = Filed(self._named(name, content), self._visibility(), self._collections())
        if any(name == each.content.stated.get("identifier") for each in self.shelf.files.values()):
            return
        self.shelf.files[name] = filed

    def _named(self, name: str, content: Content) -> Content:
        """A content with the marker that the name of its file is."""
        markers = content.markers | {name.partition(".")[0]}
        return self.shelf.note(replace(content, markers=markers))

    def _visibility(self) -> Visibility:
        return self.chance.choice(list(Visibility))

    def _collections(self) -> tuple[str, ...]:
        return tuple(self.chance.sample(self.collections, self.chance.randint(0, 2)))

    def _go_on(self, seed: int) -> None:
        self.chance.seed(seed)
        self.clock.now += timedelta(minutes=2)

    # Who asks

    def _with_key(self, kind: str) -> Caller:
        role, places = KINDS[kind]
        within = None if places is None else tuple(self.collections[place] for place in places)
        named = self.shelf.markers.word()
        self.watch.secret.add(named)
        _, text = self.kb.keys.create(NewKey(named, role, within), self.clock())
        headers = {"authorization": f"Bearer {text}"}
        own = frozenset((named, *(within or ())))
        return Caller(kind, role, Access(SEES[role], within), headers, own=own)

    # What is asked

    @rule(seed=SEEDS)
    def ask(self, seed: int) -> None:
        """Ask everything as somebody."""
        self._go_on(seed)
        self._ask_everything(self.chance.choice(self.callers))

    @rule(seed=SEEDS)
    def compare_numbers(self, seed: int) -> None:
        """Everything that lists or counts, as somebody."""
        self._go_on(seed)
        self._check_numbers(self.chance.choice(self.callers))

    @rule(seed=SEEDS)
    def compare_with_nothing(self, seed: int) -> None:
        """What is hidden from somebody, beside what never was."""
        self._go_on(seed)
        caller = self.chance.choice(self.callers)
        self.twins.names(caller, self.chance)
        self.twins.versions(caller, self.chance)
        self.twins.lists(caller, self.chance)
        self.twins.addresses(caller, self.chance, 6)

    def _check_numbers(self, caller: Caller) -> None:
        if not caller.refused:
            self.numbers.check(caller, (), self.everything.words(self.chance))

    def _ask_everything(self, caller: Caller) -> None:
        for ask in (*self.everything.asks(self.chance.randrange(2**32), {}), *_page_asks(caller)):
            asked = spoilt(ask, self.chance) if self.chance.random() < 0.15 else ask
            if ask.name == "DELETE /v1/searches/{secret}":
                asked = replace(ask, path="/v1/searches/oms_nothing")
            if ask.name == "POST /v1/documents" and caller.is_whole_staff:
                asked = replace(ask, body=b"")  # no run is to begin here
            self._look(asked, caller)

    def _look(self, ask: Ask, caller: Caller) -> Answered:
        service = self.service if self.chance.random() < 0.7 else self.other
        answered = service.send(ask, caller)
        self.watch.look(ask, caller, answered.response)
        return answered


def _page_asks(caller: Caller) -> Iterator[Ask]:
    """Pages and what else is no part of the OpenAPI document."""
    for path, methods in PAGES.items():
        at = path.replace("{token}", "nothing").replace("{path}", "docs.js")
        for method in methods:
            if path == "/mcp" or (path == "/logout" and "cookie" in caller.headers):
                continue
            yield Ask(f"{method} {path}", method, at, (), FORM, b"key=omk_x")


class Embedded(Histories):
    """The same with an index in files, which each process opens for itself."""

    def index(self) -> Any:
        """None that is shared."""
        return None


def test_nobody_is_told_of_what_they_may_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written, whoever asks, and however."""
    monkeypatch.setattr("ingest.run.Workers", ReadHere)
    for route in STRICT:
        monkeypatch.setitem(STRICT, route, MANY)
    options = settings(
        max_examples=RUNS or 6,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not RUNS,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Histories, settings=options)
    finally:
        print("\n".join(Histories.counts.lines()))
