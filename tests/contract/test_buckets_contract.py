"""What every kind of token bucket promises: those in memory, and those in a real Redis."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, TypeVar

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoRedisError

from api.buckets import Buckets, MemoryBuckets, Taken, make_buckets
from kb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

# Slow enough for no token to come back while a test runs.
SLOW = 1
NOBODY = "redis://127.0.0.1:1"


class Server:
    """A redis-server of the test's own, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self._folder, "save": ""}
        words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        with Redis.from_url(self.url) as client:
            for _ in range(200):
                try:
                    client.ping()
                except NoRedisError:
                    time.sleep(0.05)
                else:
                    return
        pytest.fail("redis-server did not answer in 10 s")

    def stop(self) -> None:
        """End it; its keys are gone."""
        self._process.terminate()
        self._process.wait(timeout=10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running redis-server."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian's package redis-server has it)")
    running = Server(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """What KB_REDIS_URL says, for each of the kinds; the buckets are empty of clients."""
    if request.param == "memory":
        return ""
    running: Server = request.getfixturevalue("server")
    with Redis.from_url(running.url) as client:
        client.flushall()
    return running.url


def using(url: str, ask: Callable[[Buckets], Awaitable[T]]) -> T:
    """Ask buckets of a kind, and close them."""

    async def run() -> T:
        buckets = make_buckets(url)
        try:
            return await ask(buckets)
        finally:
            await buckets.close()

    return asyncio.run(run())


def test_a_bucket_holds_its_burst_and_no_more(url: str) -> None:
    """What is left goes down by what is taken, and the one after the last is refused."""

    async def ask(buckets: Buckets) -> list[Taken]:
        return [await buckets.take("key:1", SLOW, 3, 1) for _ in range(5)]

    told = using(url, ask)
    assert [each.allowed for each in told] == [True, True, True, False, False]
    assert [each.remaining for each in told] == [2, 1, 0, 0, 0]


def test_who_is_refused_is_told_when_there_will_be_enough(url: str) -> None:
    """At a token a minute an empty bucket has one in a minute and is full in three."""

    async def ask(buckets: Buckets) -> tuple[Taken, Taken, Taken]:
        await buckets.take("key:1", SLOW, 3, 1)
        first = await buckets.take("key:1", SLOW, 3, 2)
        one = await buckets.take("key:1", SLOW, 3, 1)
        return first, one, await buckets.take("key:1", SLOW, 3, 2)

    first, one, two = using(url, ask)
    assert (first.allowed, first.retry_after) == (True, 0)
    assert 120 < first.full_after <= 180
    assert 0 < one.retry_after <= 60
    assert 60 < two.retry_after <= 120


def test_after_that_time_there_is_enough(url: str) -> None:
    """Whoever waits as long as told is not refused again."""

    async def ask(buckets: Buckets) -> list[Taken]:
        told = [await buckets.take("key:1", 300, 1, 1) for _ in range(2)]
        await asyncio.sleep(told[-1].retry_after + 0.001)
        return [*told, await buckets.take("key:1", 300, 1, 1)]

    assert [each.allowed for each in using(url, ask)] == [True, False, True]


def test_what_is_refused_costs_nothing(url: str) -> None:
    """A request that is too dear leaves the tokens for a cheaper one."""

    async def ask(buckets: Buckets) -> list[bool]:
        costs = (2, 2, 1)
        return [(await buckets.take("key:1", SLOW, 3, cost)).allowed for cost in costs]

    assert using(url, ask) == [True, False, True]


def test_clients_have_buckets_of_their_own(url: str) -> None:
    """That one is empty says nothing of another."""

    async def ask(buckets: Buckets) -> list[bool]:
        clients = ("key:1", "key:1", "address:2001:db8::/64")
        return [(await buckets.take(client, SLOW, 1, 1)).allowed for client in clients]

    assert using(url, ask) == [True, False, True]


def test_what_costs_more_than_a_bucket_holds_needs_one_almost_full_and_leaves_a_debt(
    url: str,
) -> None:
    """A large batch is allowed, and paid for in full before anything else is."""

    async def ask(buckets: Buckets) -> list[Taken]:
        await buckets.take("key:1", SLOW, 3, 1)
        await buckets.take("key:2", SLOW, 3, 2)
        return [await buckets.take(client, SLOW, 3, 10) for client in ("key:1", "key:1", "key:2")]

    dear, again, too_empty = using(url, ask)
    assert (dear.allowed, dear.remaining) == (True, 0)
    assert not again.allowed
    assert 9 * 60 < again.retry_after <= 10 * 60
    assert not too_empty.allowed
    assert 0 < too_empty.retry_after <= 60


def test_what_has_happened_is_paid_for_later_up_to_a_bucket_of_debt(url: str) -> None:
    """Owing is told as refused, counts all the same, and locks nobody out for hours."""

    async def ask(buckets: Buckets) -> list[Taken]:
        owing = [await buckets.take("key:1", SLOW, 4, 3, owing=True) for _ in range(9)]
        return [*owing, await buckets.take("key:1", SLOW, 4, 1)]

    *owing, last = using(url, ask)
    assert [each.allowed for each in owing] == [True, *([False] * 8)]
    assert not last.allowed
    assert 4 * 60 < last.retry_after <= 5 * 60


def test_requests_at_the_same_time_share_what_there_is(url: str) -> None:
    """However many ask at once, no token is given twice."""

    async def ask(buckets: Buckets) -> list[Taken]:
        return await asyncio.gather(*(buckets.take("key:1", SLOW, 7, 1) for _ in range(40)))

    told = using(url, ask)
    assert sum(each.allowed for each in told) == 7
    assert sorted(each.remaining for each in told if each.allowed) == list(range(7))


def test_processes_share_the_buckets_of_a_redis(server: Server) -> None:
    """What one takes another no longer has."""

    async def take(buckets: Buckets) -> bool:
        return (await buckets.take("key:shared", SLOW, 1, 1)).allowed

    assert [using(server.url, take) for _ in range(2)] == [True, False]


def test_a_redis_holds_no_address_and_forgets_buckets_that_are_full(server: Server) -> None:
    """A key says nothing of its client, and ends when its bucket is full again."""
    with Redis.from_url(server.url) as client:
        client.flushall()
        using(server.url, lambda buckets: buckets.take("address:203.0.113.7", 1, 3, 2))
        (key,) = client.keys()
        assert key.startswith(b"kb:rate:")
        assert b"203.0.113.7" not in key
        assert 60_000 < client.pttl(key) <= 120_000
        using(server.url, lambda buckets: buckets.take("address:203.0.113.8", 6000, 10, 1))
        time.sleep(0.05)
        assert client.keys() == [key]


def test_without_redis_a_process_counts_alone_and_says_so_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage of the counter neither refuses everybody nor lets everybody through."""
    now = 0.0

    async def ask() -> list[bool]:
        buckets = make_buckets(NOBODY, clock=lambda: now)

        async def allowed_at(seconds: float) -> bool:
            nonlocal now
            now = seconds
            return (await buckets.take("key:1", SLOW, 3, 1)).allowed

        told = [await allowed_at(seconds) for seconds in (0, 1, 7, 14, 50)]
        assert len(caplog.records) == 1
        await allowed_at(61)
        assert len(caplog.records) == 2
        await buckets.close()
        return told

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask()) == [True, True, True, False, False]
    assert "KB_REDIS_URL" in caplog.text


def test_a_redis_that_says_nothing_is_not_waited_for() -> None:
    """It accepts connections and hangs: after a second the process counts alone."""

    async def ask(buckets: Buckets) -> Taken:
        return await asyncio.wait_for(buckets.take("key:1", SLOW, 3, 1), timeout=60)

    with socket.create_server(("127.0.0.1", 0)) as mute:
        told = using(f"redis://127.0.0.1:{mute.getsockname()[1]}", ask)
    assert (told.allowed, told.remaining) == (True, 2)


def test_a_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    """It is left alone for seconds after it failed; then it counts."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian's package redis-server has it)")
    server = Server(tmp_path)
    now = 0.0

    async def ask() -> list[int]:
        nonlocal now
        buckets = make_buckets(server.url, clock=lambda: now)

        async def left() -> int:
            return (await buckets.take("key:1", SLOW, 9, 1)).remaining

        try:
            counted = [await left(), await left()]
            await asyncio.to_thread(server.stop)
            counted.append(await left())
            await asyncio.to_thread(server.start)
            counted.append(await left())
            now += 6
            return [*counted, await left()]
        finally:
            await buckets.close()

    try:
        # Redis; then the process' own; then Redis again, which was started empty.
        assert asyncio.run(ask()) == [8, 7, 8, 7, 8]
    finally:
        server.stop()


def test_a_url_that_is_none_is_refused_by_name() -> None:
    """Whoever runs the service learns which setting is wrong."""
    with pytest.raises(UsageError, match="KB_REDIS_URL"):
        make_buckets("http://127.0.0.1")


def test_memory_forgets_full_buckets_and_beyond_a_number_the_least_used() -> None:
    """However many clients ask, the number of buckets is bounded."""
    now = 0.0
    buckets = MemoryBuckets(most_clients=100, clock=lambda: now)

    async def ask() -> None:
        nonlocal now
        for number in range(1000):
            await buckets.take(f"address:{number}", 60, 30, 1)
            await buckets.take("key:1", 1, 1000, 1)
        assert len(buckets) == 100
        assert (await buckets.take("key:1", 1, 1000, 1)).remaining == 0, "it was used throughout"
        now += 2
        await buckets.take("address:last", 60, 30, 1)
        assert len(buckets) == 2, "the others are full again"

    asyncio.run(ask())
