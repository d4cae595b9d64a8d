"""Token buckets: how much each client may still ask, in this process or in Redis for several.

A bucket holds ``burst`` tokens and gains ``rate_per_minute`` of them a minute. Of each bucket one
number is kept, the moment when it will be full again (GCRA, ITU-T I.371): a bucket that is full is
one that nobody has to remember.

Why no library: ``limits`` 5.8 counts windows and has no bucket. ``pyrate-limiter`` 4.5 has this
algorithm over both stores, but says neither what remains nor when a bucket is full again, goes by
the clock of each process in Redis too, keeps one object a client without a bound, and refuses for
good what costs more than a bucket holds.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_SECOND: Final = 1_000_000  # whole microseconds, so that no token is lost to rounding
_MINUTE: Final = 60 * _SECOND
# An address is about 200 bytes here: at most some 20 MB, whoever asks.
_MOST_CLIENTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What a bucket said.

    ``remaining`` is how many tokens are left; ``retry_after`` the seconds until there would be
    enough for what was asked, 0 where there were; ``full_after`` the seconds until it is full.
    """

    allowed: bool
    remaining: int
    retry_after: float
    full_after: float


class Buckets(Protocol):
    """Everybody's token buckets."""

    async def take(
        self, client: str, rate_per_minute: int, burst: int, cost: int, *, owing: bool = False
    ) -> Taken:
        """Take ``cost`` tokens from a client's bucket, or none where there are too few.

        What costs all that a bucket holds, or more, needs one that lacks no more than a token (a
        batch has paid one as a request before it is known how large it is), and leaves it in debt:
        large batches are possible, and paid for before anything else is.

        ``owing`` takes tokens even where there are too few, for what has happened already, up to a
        debt of ``burst``: others at the same address are not to pay for it for hours.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryBuckets:
    """Buckets of this process; full ones are forgotten, and beyond a number the least used."""

    def __init__(
        self, most_clients: int = _MOST_CLIENTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most_clients
        self._clock = clock
        self._full_at: OrderedDict[str, int] = OrderedDict()  # the one used last at the end

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._full_at)

    async def take(
        self, client: str, rate_per_minute: int, burst: int, cost: int, *, owing: bool = False
    ) -> Taken:
        """Take tokens; see ``Buckets``."""
        now = int(self._clock() * _SECOND)
        token = microseconds_a_token(rate_per_minute)
        before = max(0, self._full_at.get(client, now) - now)
        missing = before + (min(cost, max(1, burst - 1)) - burst) * token
        after = before
        if missing <= 0:
            after = before + cost * token
        elif owing:
            after = max(before, min(before + cost * token, 2 * burst * token))
        if after > before:
            self._full_at[client] = now + after
            self._full_at.move_to_end(client)
            self._forget(now)
        return told(token, burst, missing, after)

    async def close(self) -> None:
        """Nothing is held open."""

    def _forget(self, now: int) -> None:
        while self._full_at:
            client, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) <= self._most:
                return
            del self._full_at[client]


def make_buckets(redis_url: str, clock: Callable[[], float] = time.monotonic) -> Buckets:
    """The buckets of a Redis server; without a URL those of this process.

    Raises:
        UsageError: The URL can't be understood, or the package for it is not installed.
    """
    if not redis_url:
        return MemoryBuckets(clock=clock)
    try:
        from api.redis_buckets import connect  # noqa: PLC0415 -- the package is an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            f"KB_REDIS_URL is set, but {error.name} is not installed. Install what it needs: "
            "pip install 'operation-milliard-kb[redis]'"
        ) from None
    return connect(redis_url, MemoryBuckets(clock=clock), clock)


def microseconds_a_token(rate_per_minute: int) -> int:
    """Microseconds until a bucket gains a token, rounded up: never more than the rate."""
    return -(-_MINUTE // rate_per_minute)


def told(token: int, burst: int, missing: int, full_after: int) -> Taken:
    """What is told, from microseconds."""
    return Taken(
        allowed=missing <= 0,
        remaining=max(0, burst * token - full_after) // token,
        retry_after=max(0, missing) / _SECOND,
        full_after=full_after / _SECOND,
    )
