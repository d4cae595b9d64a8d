"""How many requests are worked on at once: the others wait, and callers take turns.

A search keeps a processor busy, so more of them at once than processors make each slower and none
sooner. Each caller's requests wait in a queue of their own, and the next turn goes to the caller
whose last is longest ago: who sends sixty requests makes nobody else wait behind them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from api.metrics import metrics
from api.problems import problem_response
from api.rates import is_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.access import Caller

# A response that its client has not taken after so many seconds is not work any more: it waits for
# the client, and others may have the turn. Else four slow downloads would hold up everybody.
SLOW_SECONDS: Final = 1.0
_RETRY_AFTER: Final = 5


class BusyError(Exception):
    """There is no room to wait, or it went to a caller who had less of it."""


class Place:
    """A request's place: waiting, at work, or left."""

    def __init__(self, caller: str) -> None:
        self.caller = caller
        # True: it is this one's turn. False: it must leave.
        self.called: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Queue:
    """Who is at work, and who waits.

    When nobody else may wait, whoever has fewer waiting takes the place of the last one of the
    caller who has most: a caller alone may fill the queue, and never keeps another out of it.

    Nothing here waits, so that nothing can be interrupted half-way: whoever came in leaves, at
    whatever moment, and a turn that was given is passed on.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._room = waiting
        self._at_work: set[Place] = set()
        self._waiting: OrderedDict[str, deque[Place]] = OrderedDict()  # the next to be called first

    @property
    def at_work(self) -> int:
        """How many are at work."""
        return len(self._at_work)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def is_at_work(self, place: Place) -> bool:
        """Whether a place has its turn."""
        return place in self._at_work

    def enter(self, caller: str) -> Place:
        """Come in, to work at once if there is a turn.

        Raises:
            BusyError: There is neither a turn nor room to wait.
        """
        place = Place(caller)
        if len(self._at_work) < self._at_once:
            self._call(place)
            return place
        if self.waiting >= self._room:
            self._make_room(caller)
        self._waiting.setdefault(caller, deque()).append(place)
        return place

    def leave(self, place: Place) -> None:
        """Go, from work or from waiting; nothing happens to who has left."""
        if place in self._at_work:
            self._at_work.remove(place)
            self._call_next()
        elif place in self._waiting.get(place.caller, ()):
            self._waiting[place.caller].remove(place)
            self._drop_if_empty(place.caller)

    def _call(self, place: Place) -> None:
        self._at_work.add(place)
        place.called.set_result(True)

    def _call_next(self) -> None:
        if not self._waiting:
            return
        caller, queue = next(iter(self._waiting.items()))
        self._call(queue.popleft())
        self._waiting.move_to_end(caller)
        self._drop_if_empty(caller)

    def _make_room(self, caller: str) -> None:
        most = max(self._waiting, key=lambda each: len(self._waiting[each]), default=caller)
        queue = self._waiting.get(most, deque())
        if len(queue) <= len(self._waiting.get(caller, ())) + 1:
            raise BusyError
        queue.pop().called.set_result(False)

    def _drop_if_empty(self, caller: str) -> None:
        if not self._waiting[caller]:
            del self._waiting[caller]


class Turns:
    """Has requests wait for their turn, and refuses with 503 those that would wait too long.

    A turn ends with the response, also one that is streamed, before what is done after it; where
    ``Deadline`` has answered instead of work that goes on, it ends with the work. A client that
    leaves while waiting leaves the queue.

    Args:
        app: What is asked.
        at_once: Requests that are worked on at once.
        waiting: Requests that may wait, of all callers.
        seconds: How long one may wait.
        exempt: Methods and paths of requests that take no turn, beside probes and files.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        at_once: int,
        waiting: int,
        seconds: float,
        exempt: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self._app = app
        self._queue = Queue(at_once, waiting)
        self._seconds = seconds
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or self._is_exempt(scope):
            await self._app(scope, receive, send)
            return
        caller: Caller = scope["state"]["caller"]
        ears = _Ears(receive)
        try:
            with self._place(caller.client) as place:
                if await self._turn_came(place, ears):
                    sending = self._releasing(place, scope["state"], send)
                    await self._app(scope, ears.receive, sending)
        except BusyError:
            await _busy(scope)(scope, receive, send)

    def _is_exempt(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return is_free(path) or path == "/metrics" or (scope["method"], path) in self._exempt

    @contextmanager
    def _place(self, caller: str) -> Iterator[Place]:
        place = self._queue.enter(caller)
        try:
            yield place
        finally:
            self._queue.leave(place)

    async def _turn_came(self, place: Place, ears: _Ears) -> bool:
        """Wait for the turn; false if the client has left.

        Raises:
            BusyError: It did not come in time, or the place was needed for another.
        """
        if not place.called.done():
            metrics().waiting.inc()
            listening = asyncio.create_task(ears.until_left())
            try:
                either: tuple[asyncio.Future[Any], ...] = (place.called, listening)
                await asyncio.wait(
                    either, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                metrics().waiting.dec()
                listening.cancel()
                await asyncio.wait({listening})
            if not listening.cancelled():
                listening.result()  # raises what the server did, if anything
        if ears.left:
            return False
        if not place.called.done() or not place.called.result():
            raise BusyError
        return True

    def _releasing(self, place: Place, state: dict[str, Any], send: Send) -> Send:
        """Send, and give the turn back at the end, or when the client takes no more."""
        loop = asyncio.get_running_loop()

        async def send_or_release(message: Message) -> None:
            release = loop.call_later(SLOW_SECONDS, self._queue.leave, place)
            try:
                await send(message)
            finally:
                release.cancel()
            sent = message["type"] == "http.response.body" and not message.get("more_body", False)
            if sent and not state.get("overdue"):
                self._queue.leave(place)

        return send_or_release


class _Ears:
    """Hears whether the client has left, and keeps what else it hears for the application.

    Not more than one piece of a body is read ahead. To stop listening loses nothing: servers, and
    ``BodyLimit``, make a message only after they have waited for it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._heard: deque[Message] = deque()
        self.left = False

    async def until_left(self) -> None:
        """Listen until the client leaves, or for ever while its body is under way."""
        while not self.left:
            message = await self._receive()
            self._heard.append(message)
            self.left = message["type"] == "http.disconnect"
            if message.get("more_body", False):
                await asyncio.get_running_loop().create_future()

    async def receive(self) -> Message:
        """What the application hears."""
        return self._heard.popleft() if self._heard else await self._receive()


def _busy(scope: Scope) -> ASGIApp:
    return problem_response(
        scope,
        503,
        "The service has as much to do as it can; try again in a few seconds.",
        slug="busy",
        title="Busy",
        headers={"Retry-After": str(_RETRY_AFTER)},
    )
