"""How many requests are worked on at once, and whose turn is next."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from asgi_client import Client, caller, run, settle, skip
from hypothesis import given
from hypothesis import strategies as st

from api.turns import BusyError, Place, Queue, Turns

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

CALLERS = ("key:1", "key:2", "address:192.0.2.1")
FOREVER = 3600.0


# --- who is next, without any request ------------------------------------------------------------


def _called(places: list[Place]) -> list[bool | None]:
    """Of each place: at work, turned out, or waiting."""
    return [place.called.result() if place.called.done() else None for place in places]


def test_callers_take_turns() -> None:
    """Whoever sends sixty requests makes nobody else wait behind them."""

    async def steps() -> None:
        queue = Queue(at_once=1, waiting=64)
        many = [queue.enter("key:1") for _ in range(60)]
        few = [queue.enter("key:2"), queue.enter("key:2")]
        order = []
        for _ in range(5):
            at_work = next(place for place in (*many, *few) if queue.is_at_work(place))
            order.append(at_work.caller)
            queue.leave(at_work)
        assert order == ["key:1", "key:1", "key:2", "key:1", "key:2"]

    run(steps())


def test_a_full_queue_takes_from_who_has_most() -> None:
    """A caller alone may fill the queue; another who comes then is not kept out of it."""

    async def steps() -> None:
        queue = Queue(at_once=1, waiting=4)
        many = [queue.enter("key:1") for _ in range(5)]
        with pytest.raises(BusyError):
            queue.enter("key:1")
        first, second = queue.enter("key:2"), queue.enter("key:2")
        assert _called(many) == [True, None, None, False, False]
        with pytest.raises(BusyError):
            queue.enter("key:2")
        third = queue.enter("key:3")
        assert queue.waiting == 4
        assert None in _called([first, second])
        assert _called([third]) == [None]

    run(steps())


def test_without_room_to_wait_there_are_turns_alone() -> None:
    """A queue of none refuses what can't be worked on at once."""

    async def steps() -> None:
        queue = Queue(at_once=2, waiting=0)
        places = [queue.enter("key:1"), queue.enter("key:2")]
        with pytest.raises(BusyError):
            queue.enter("key:3")
        queue.leave(places[0])
        assert _called([queue.enter("key:3")]) == [True]

    run(steps())


@dataclass
class Model:
    """A queue beside what is known of each place, to compare after each step."""

    at_once: int
    room: int
    queue: Queue
    inside: list[Place] = field(default_factory=list)
    # How often others were called while a caller's first in line was waiting.
    passed_by: dict[str, Counter[str]] = field(default_factory=dict)

    def enter(self, caller: str) -> None:
        """One comes in, if there is room."""
        try:
            self.inside.append(self.queue.enter(caller))
        except BusyError:
            assert self.queue.at_work == self.at_once
            assert self.queue.waiting == self.room

    def leave(self, number: int) -> None:
        """One goes, from work or from waiting."""
        if not self.inside:
            return
        place = self.inside.pop(number % len(self.inside))
        before = self._at_work()
        first: dict[str, Place] = {}
        for each in self.inside:
            if not each.called.done():
                first.setdefault(each.caller, each)
        self.queue.leave(place)
        self.queue.leave(place)  # to leave twice is nothing
        for called in self._at_work() - before:
            assert first[called.caller] is called, "of one caller, the one that came first"
            self._note_call(called.caller)

    def _at_work(self) -> set[Place]:
        return {place for place in self.inside if self.queue.is_at_work(place)}

    def _note_call(self, caller: str) -> None:
        self.passed_by.pop(caller, None)
        for other in {place.caller for place in self.inside if not place.called.done()}:
            if other != caller:
                self.passed_by.setdefault(other, Counter())[caller] += 1

    def check(self) -> None:
        """What holds whatever has happened."""
        self.inside = [each for each in self.inside if _called([each]) != [False]]
        waiting = [place for place in self.inside if not place.called.done()]
        assert self.queue.waiting == len(waiting) <= self.room
        assert self.queue.at_work == len(self._at_work()) <= self.at_once
        assert not waiting or self.queue.at_work == self.at_once, "nobody waits for nothing"
        callers = {place.caller for place in waiting}
        self.passed_by = {k: v for k, v in self.passed_by.items() if k in callers}
        for passed in self.passed_by.values():
            assert max(passed.values()) <= 1, "nobody is called twice while another waits"


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from(CALLERS)),
        st.tuples(st.just("leave"), st.integers(0, 50)),
    ),
    max_size=120,
)


@given(_STEPS, st.integers(1, 3), st.integers(0, 6))
def test_turns_are_kept_given_in_order_and_never_lost(
    steps: list[tuple[str, Any]], at_once: int, room: int
) -> None:
    """Whatever comes, leaves and is turned out, in whatever order."""

    async def take_steps() -> None:
        model = Model(at_once, room, Queue(at_once, room))
        for name, argument in steps:
            getattr(model, name)(argument)
            model.check()
        while model.inside:
            model.leave(0)
            model.check()
        assert (model.queue.at_work, model.queue.waiting) == (0, 0)

    run(take_steps())


# --- requests ------------------------------------------------------------------------------------


class Work:
    """An application whose requests are at work until the test finishes them."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.most = 0
        self.heard: list[Message] = []
        self._finish: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work."""
        name = scope["path"]
        self.at_work.append(name)
        self.most = max(self.most, len(self.at_work))
        try:
            self.heard.append(await receive())
            await self._finish.setdefault(name, asyncio.Event()).wait()
        finally:
            self.at_work.remove(name)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    def finish(self, *names: str) -> None:
        """Have requests end as soon as they are at work."""
        for name in names:
            self._finish.setdefault(name, asyncio.Event()).set()


def test_no_more_than_the_limit_are_worked_on() -> None:
    """The others wait and are answered as turns come back."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=2, waiting=10, seconds=FOREVER)
        clients = [Client(app, f"/{number}").say() for number in range(5)]
        await settle()
        assert work.at_work == ["/0", "/1"]
        work.finish("/1")
        await settle()
        assert work.at_work == ["/0", "/2"]
        work.finish(*(f"/{number}" for number in range(5)))
        await asyncio.gather(*(client.task for client in clients))
        assert [client.status for client in clients] == [200] * 5
        assert work.most == 2

    run(steps())


def test_a_full_queue_answers_at_once_and_says_when_to_come_back() -> None:
    """503 with ``Retry-After``, a problem of its own type."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=1, seconds=FOREVER)
        clients = [Client(app, f"/{number}").say() for number in range(3)]
        await clients[2].task
        assert clients[2].status == 503
        assert int(clients[2].headers["retry-after"]) >= 1
        assert b'"/problems/busy"' in clients[2].body
        work.finish("/0", "/1")
        await asyncio.gather(*(client.task for client in clients))
        assert [client.status for client in clients] == [200, 200, 503]

    run(steps())


def test_who_must_make_room_is_told_so() -> None:
    """The last one of the caller who has most is refused when another caller comes."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=2, seconds=FOREVER)
        many = [Client(app, f"/{number}").say() for number in range(3)]
        await settle()
        other = Client(app, "/other", caller("key:2")).say()
        await many[2].task
        assert many[2].status == 503
        work.finish("/0", "/1", "/other")
        await asyncio.gather(many[0].task, many[1].task, other.task)
        assert other.status == 200

    run(steps())


def test_nobody_waits_longer_than_is_set() -> None:
    """Then the request is refused, and its place is free."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=1, seconds=10)
        working = Client(app, "/0").say()
        waiting = Client(app, "/1").say()
        await skip(9)
        assert waiting.sent == []
        await skip(2)
        await waiting.task
        assert waiting.status == 503
        next_one = Client(app, "/2").say()
        await settle()
        work.finish("/0", "/2")
        await asyncio.gather(working.task, next_one.task)
        assert next_one.status == 200
        assert [message["type"] for message in work.heard] == ["http.request"] * 2

    run(steps())


def test_a_client_that_leaves_while_waiting_leaves_the_queue() -> None:
    """It is not worked for, and whoever comes after has its place."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=1, seconds=FOREVER)
        working, gone = Client(app, "/0").say(), Client(app, "/gone").say()
        await settle()
        gone.leave()
        await gone.task
        assert gone.sent == []
        after = Client(app, "/2").say()
        work.finish("/0", "/2", "/gone")
        await asyncio.gather(working.task, after.task)
        assert after.status == 200
        assert len(work.heard) == 2

    run(steps())


@pytest.mark.parametrize("before", [True, False], ids=["before waiting", "while waiting"])
def test_no_piece_of_a_body_is_lost_while_waiting(*, before: bool) -> None:
    """The application hears all that was said, in order, and then that the client left."""

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            await hold.wait()
        else:
            while True:
                heard.append(await receive())
                if heard[-1]["type"] == "http.disconnect":
                    break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def steps() -> None:
        app = Turns(read, at_once=1, waiting=1, seconds=FOREVER)
        first = Client(app, "/first")
        await settle()
        second = Client(app, "/second", method="POST")
        if not before:
            await settle()
        second.say(b"one", more=True)
        await settle()
        second.say(b"two", more=True)
        hold.set()
        await settle()
        second.say(b"three")
        second.leave()
        await asyncio.gather(first.task, second.task)

    hold = asyncio.Event()
    heard: list[Message] = []
    run(steps())
    assert [message.get("body") for message in heard] == [b"one", b"two", b"three", None]


def test_a_turn_lasts_until_the_response_is_sent() -> None:
    """Also where it is streamed; what is done after it is no part of it."""

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        if scope["path"] == "/0":
            await more.wait()
        await send({"type": "http.response.body", "body": b"rest"})
        await after.wait()

    async def steps() -> None:
        app = Turns(stream, at_once=1, waiting=1, seconds=FOREVER)
        first, second = Client(app, "/0"), Client(app, "/1")
        await settle()
        assert (first.body, second.body) == (b"some", b"")
        more.set()
        await settle()
        assert (first.body, second.body) == (b"somerest", b"somerest")
        after.set()
        await asyncio.gather(first.task, second.task)

    more, after = asyncio.Event(), asyncio.Event()
    run(steps())


def test_a_client_that_does_not_take_its_response_keeps_no_turn() -> None:
    """Four slow downloads would else hold up everybody."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=1, seconds=FOREVER)
        slow = Client(app, "/slow").say()
        slow.reading.clear()
        work.finish("/slow", "/next")
        await settle()
        next_one = Client(app, "/next").say()
        await settle()
        assert next_one.sent == []
        await skip(2)
        await next_one.task
        assert next_one.status == 200
        assert slow.sent == []
        slow.reading.set()
        await slow.task
        assert slow.body == b"/slow"

    run(steps())


@pytest.mark.parametrize(
    ("method", "path", "exempt"),
    [
        ("GET", "/healthz", True),
        ("GET", "/readyz", True),
        ("GET", "/metrics", True),
        ("GET", "/static/docs.js", True),
        ("POST", "/v1/documents", True),
        ("POST", "/mcp", False),
        ("GET", "/mcp", False),
        ("GET", "/v1/documents", False),
    ],
)
def test_probes_files_and_what_is_named_take_no_turn(
    method: str, path: str, *, exempt: bool
) -> None:
    """They are answered while everybody else waits."""

    async def steps() -> None:
        work = Work()
        exempted = frozenset({("POST", "/v1/documents")})
        app = Turns(work, at_once=1, waiting=0, seconds=FOREVER, exempt=exempted)
        working = Client(app, "/work").say()
        await settle()
        other = Client(app, path, method=method).say()
        work.finish("/work", path)
        await asyncio.gather(working.task, other.task)
        assert other.status == (200 if exempt else 503)

    run(steps())


def test_an_error_of_the_server_is_not_taken_for_a_full_queue() -> None:
    """What fails while a request waits is raised, and its place is free."""

    async def broken() -> Message:
        raise OSError("the connection is gone")

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=1, waiting=1, seconds=FOREVER)
        working = Client(app, "/0").say()
        await settle()
        state = {"caller": caller()}
        scope = {"type": "http", "method": "GET", "path": "/1", "state": state}
        with pytest.raises(OSError, match="is gone"):
            await app(scope, broken, working._take)  # noqa: SLF001 -- anything that takes messages
        after = Client(app, "/2").say()
        work.finish("/0", "/2")
        await asyncio.gather(working.task, after.task)
        assert after.status == 200

    run(steps())


@dataclass(frozen=True)
class Step:
    """One thing that happens: to which request, and whether others are let go on after it."""

    what: str
    number: int
    caller: str
    settle: bool


_EVENTS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["arrive", "arrive", "finish", "cancel", "leave"]),
        st.integers(0, 30),
        st.sampled_from(CALLERS),
        st.booleans(),
    ),
    max_size=60,
)


@given(_EVENTS, st.integers(1, 3), st.integers(0, 5))
def test_all_turns_return_whoever_arrives_leaves_is_cancelled_or_done(
    events: list[Step], at_once: int, room: int
) -> None:
    """Never are more at work than may be, nobody hangs, and at the end all turns are there."""

    async def steps() -> None:
        work = Work()
        app = Turns(work, at_once=at_once, waiting=room, seconds=FOREVER)
        clients: deque[Client] = deque()
        for event in events:
            if event.what == "arrive":
                clients.append(Client(app, f"/{len(clients)}", caller(event.caller)).say())
            elif clients:
                number = event.number % len(clients)
                match event.what:
                    case "finish":
                        work.finish(f"/{number}")
                    case "cancel":
                        clients[number].task.cancel()
                    case "leave":
                        clients[number].leave()
            if event.settle:
                await settle()
            assert len(work.at_work) <= at_once
        work.finish(*(f"/{number}" for number in range(len(clients))))
        await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
        assert work.most <= at_once
        last = [Client(app, f"/last-{number}").say() for number in range(at_once)]
        await settle()
        assert len(work.at_work) == at_once, "every turn is there again"
        work.finish(*(f"/last-{number}" for number in range(at_once)))
        await asyncio.gather(*(client.task for client in last))

    run(steps())
