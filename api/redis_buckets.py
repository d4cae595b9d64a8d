"""Token buckets in Redis, which several processes share."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.buckets import microseconds_a_token, told
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.buckets import MemoryBuckets, Taken

# Seconds to connect, and to have an answer.
_SECONDS: Final = 1.0
_CONNECTIONS: Final = 16
# So long it is left alone after it failed: requests do not wait for it one by one.
_PAUSE: Final = 5.0
_LOG_PAUSE: Final = 60.0

_log = logging.getLogger(__name__)

# KEYS: the bucket. ARGV: microseconds a token, burst, cost, 1 to take what is not there. Returns
# what is missing of the cost, and how long the bucket now takes to be full, in microseconds. By the
# clock of Redis: those of the processes differ.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local token, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local before = math.max(0, tonumber(redis.call('GET', KEYS[1]) or now) - now)
local missing = before + (math.min(cost, math.max(1, burst - 1)) - burst) * token
local after = before
if missing <= 0 then
    after = before + cost * token
elseif ARGV[4] == '1' then
    after = math.max(before, math.min(before + cost * token, 2 * burst * token))
end
if after > before then
    local full_at = string.format('%.0f', now + after)
    redis.call('SET', KEYS[1], full_at, 'PX', math.ceil(after / 1000))
end
return {missing, after}
"""


class RedisBuckets:
    """Buckets that several processes share; a key holds no address and ends with its debt.

    While Redis is away the buckets of the process are used. Refusing everybody would make an
    outage of a counter one of the service; letting everybody through would leave it open just
    when something is wrong. This way a client may at worst ask as often of each process.
    """

    def __init__(
        self, redis: Redis, spare: MemoryBuckets, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._script = redis.register_script(_TAKE)
        self._spare = spare
        self._clock = clock
        self._away_until = self._silent_until = float("-inf")

    async def take(
        self, client: str, rate_per_minute: int, burst: int, cost: int, *, owing: bool = False
    ) -> Taken:
        """Take tokens; see ``Buckets``."""
        if self._clock() >= self._away_until:
            token = microseconds_a_token(rate_per_minute)
            try:
                missing, after = await self._script(
                    keys=[_key(client)], args=[token, burst, cost, int(owing)]
                )
            except RedisError as error:
                self._note_away(error)
            else:
                return told(token, burst, missing, after)
        return await self._spare.take(client, rate_per_minute, burst, cost, owing=owing)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _note_away(self, error: Exception) -> None:
        now = self._clock()
        self._away_until = now + _PAUSE
        if now >= self._silent_until:
            self._silent_until = now + _LOG_PAUSE
            _log.warning(
                "Redis (KB_REDIS_URL) can't be used; this process counts requests alone until it "
                "can: %s",
                error,
            )


def connect(
    url: str, spare: MemoryBuckets, clock: Callable[[], float] = time.monotonic
) -> RedisBuckets:
    """The buckets of a Redis server; nothing is asked of it yet.

    Raises:
        UsageError: The URL can't be understood.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            socket_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise UsageError(f"KB_REDIS_URL can't be used: {error}") from None
    return RedisBuckets(Redis.from_pool(pool), spare, clock)


def _key(client: str) -> str:
    return f"kb:rate:{hashlib.sha256(client.encode()).hexdigest()[:32]}"
