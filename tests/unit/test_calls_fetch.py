from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from local_source import LocalSource, Reply, in_json
from web_server import INSIDE, WebServer

from ingest.calls.pulls.addresses import Allowed
from ingest.calls.pulls.eu_bulk import _begins
from ingest.calls.pulls.fetch import UNCHANGED, Ask, Fetcher, Pace, user_agent
from kb.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)


@dataclass
class Time:
    """Time that passes only when someone sleeps."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.passed += seconds

    def pace(self, pause: float = 0.0, attempts: int = 4) -> Pace:
        """A pace that goes by this time."""
        return Pace(
            pause=pause,
            attempts=attempts,
            sleep=self.sleep,
            monotonic=lambda: self.passed,
            now=lambda: NOW + timedelta(seconds=self.passed),
        )


@pytest.fixture
def time() -> Time:
    """Time of the test's own."""
    return Time()


@pytest.fixture
def source() -> Iterator[LocalSource]:
    """A server that answers ``{"found": true}`` under ``/calls``."""
    with LocalSource() as server:
        server.routes["/calls"] = lambda _: in_json({"found": True})
        yield server


def fetched(source: LocalSource, time: Time, **ask: int) -> object:
    """What a fetcher of this source gets from ``/calls``."""
    with Fetcher([source.url], pace=time.pace()) as fetcher:
        return fetcher.answer(Ask(f"{source.url}/calls", **ask)).json()  # type: ignore[arg-type]


def test_the_product_says_who_it_is_and_whom_to_write_to(source: LocalSource, time: Time) -> None:
    """Every request names the product, its version and the contact that is set."""
    with Fetcher([source.url], contact="kb@asso.example", pace=time.pace()) as fetcher:
        fetcher.answer(Ask(f"{source.url}/calls"))
    (request,) = source.requests
    said = request.headers["User-Agent"]
    assert said.startswith("operation-milliard-kb/")
    assert said.endswith(" (+kb@asso.example)")
    assert "\n" not in user_agent("kb@asso.example\r\nX-Evil: 1")


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (429, {"Retry-After": format_datetime(NOW + timedelta(seconds=30))}, 30.0),
        (503, {"Retry-After": "86400"}, 300.0),
    ],
)
def test_a_source_that_asks_for_patience_gets_it(
    source: LocalSource, time: Time, status: int, headers: dict[str, str], wait: float
) -> None:
    """``Retry-After`` in seconds or as a date is waited for, up to a limit."""
    source.fault("/calls", Reply(status, b"slow down", headers))
    assert fetched(source, time) == {"found": True}
    assert time.slept == [pytest.approx(wait, abs=1)]


@pytest.mark.parametrize("status", [202, 500, 502, 503, 504])
def test_what_may_pass_is_asked_for_again(source: LocalSource, time: Time, status: int) -> None:
    """An answer that is not ready, or a server in trouble, is asked again after ever longer."""
    source.fault("/calls", Reply(status), Reply(status))
    assert fetched(source, time) == {"found": True}
    assert len(source.requests) == 3
    assert len(time.slept) == 2
    assert 1 <= time.slept[0] <= 2 <= time.slept[1] <= 3


def test_an_answer_that_breaks_off_is_asked_for_again(source: LocalSource, time: Time) -> None:
    """A connection that is cut in the middle of the body gives no half answer."""
    source.fault("/calls", Reply(200, b'{"found": false}', cut=5))
    assert fetched(source, time) == {"found": True}
    assert len(source.requests) == 2


def test_a_source_that_stays_down_is_given_up(source: LocalSource, time: Time) -> None:
    """After the last attempt the message names the address, the answer and the way out."""
    source.fault("/calls", *[Reply(503)] * 4)
    with pytest.raises(SourceError, match=r"/calls answered 503 Service Unavailable, 4 times over"):
        fetched(source, time)
    assert len(source.requests) == 4


def test_nobody_at_home_is_a_source_error(time: Time) -> None:
    """An address where nothing listens is tried again, then told in one sentence."""
    url = "http://127.0.0.1:9"
    with (
        Fetcher([url], pace=time.pace(attempts=2)) as fetcher,
        pytest.raises(
            SourceError, match=r"http://127.0.0.1:9/calls can't be reached: .*2 times over"
        ),
    ):
        fetcher.answer(Ask(f"{url}/calls"))
    assert len(time.slept) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410])
def test_a_refusal_is_final(source: LocalSource, time: Time, status: int) -> None:
    """What the source refuses is asked for once; the message quotes it without its markup."""
    source.fault("/calls", Reply(status, b"<h1>No</h1> ladders today"))
    with pytest.raises(SourceError, match=rf"answered {status} .*“No ladders today”"):
        fetched(source, time)
    assert len(source.requests) == 1


def test_a_host_rests_between_two_requests(source: LocalSource, time: Time) -> None:
    """The pause between requests to one host counts from the last of them."""
    with Fetcher([source.url], pace=time.pace(pause=1.0)) as fetcher:
        fetcher.answer(Ask(f"{source.url}/calls"))
        time.passed += 0.25
        fetcher.answer(Ask(f"{source.url}/calls"))
        time.passed += 5
        fetcher.answer(Ask(f"{source.url}/calls"))
    assert time.slept == [0.75]


def test_an_answer_has_a_size_limit(source: LocalSource, time: Time) -> None:
    """More than was agreed is not taken, and not asked for again."""
    source.routes["/calls"] = lambda _: Reply(200, b"[" + b"1," * 200_000 + b"1]")
    with pytest.raises(SourceError, match="more than 0 MB"):
        fetched(source, time, largest=1000)
    assert len(source.requests) == 1


def test_a_page_for_people_is_no_answer(source: LocalSource, time: Time) -> None:
    """Where JSON should be, the message shows how what came instead begins."""
    source.routes["/calls"] = lambda _: Reply(200, b"<html><p>Closed for maintenance</p></html>")
    with pytest.raises(SourceError, match="did not answer in JSON but “Closed for maintenance”"):
        fetched(source, time)


def test_redirects_stay_on_the_host(source: LocalSource, time: Time) -> None:
    """A redirect to another path of the same host is followed."""
    source.routes["/old"] = lambda _: Reply(302, headers={"Location": "/calls?page=2"})
    with Fetcher([source.url], pace=time.pace()) as fetcher:
        answer = fetcher.answer(Ask(f"{source.url}/old"))
    assert answer.url == f"{source.url}/calls?page=2"


@pytest.mark.parametrize(
    "target", ["http://10.0.0.7/calls", "http://169.254.169.254/latest/meta-data", "//[::1]/calls"]
)
def test_redirects_to_elsewhere_are_refused(source: LocalSource, time: Time, target: str) -> None:
    """A redirect to another host, above all inside the network, is not followed."""
    source.routes["/old"] = lambda _: Reply(302, headers={"Location": target})
    with (
        Fetcher([source.url], pace=time.pace()) as fetcher,
        pytest.raises(SourceError, match="which is not its own address: not followed"),
    ):
        fetcher.answer(Ask(f"{source.url}/old"))
    assert len(source.requests) == 1


def test_redirects_in_circles_end(source: LocalSource, time: Time) -> None:
    """A source that leads to itself is left."""
    source.routes["/old"] = lambda _: Reply(302, headers={"Location": "/old"})
    with (
        Fetcher([source.url], pace=time.pace()) as fetcher,
        pytest.raises(SourceError, match="in circles"),
    ):
        fetcher.answer(Ask(f"{source.url}/old"))


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "169.254.1.1", "::1", "fd00::1"])
def test_a_public_name_that_leads_inside_is_refused(time: Time, address: str) -> None:
    """A name that resolves to an address of this network is not asked."""
    bases = ["https://portal.example"]
    with (
        Fetcher(bases, pace=time.pace(), resolve=lambda _: [address]) as fetcher,
        pytest.raises(SourceError, match="no public one: not asked"),
    ):
        fetcher.answer(Ask("https://portal.example/calls"))


def test_another_host_than_the_source_is_never_asked(source: LocalSource, time: Time) -> None:
    """An address that an answer gave can't lead to another host either."""
    with (
        Fetcher([source.url], pace=time.pace()) as fetcher,
        pytest.raises(SourceError, match="not its own address"),
    ):
        fetcher.answer(Ask("https://portal.example/calls"))


@pytest.mark.parametrize("base", ["http://portal.example/api", "ftp://portal.example", "portal"])
def test_a_source_is_asked_over_tls(base: str) -> None:
    """A public address without TLS, or no address at all, is a mistake in the settings."""
    with pytest.raises(UsageError, match="https://"):
        Fetcher([base])


def test_an_answer_is_asked_for_only_if_it_changed(source: LocalSource, time: Time) -> None:
    """An answer names its version; quoting it gets a short 304."""

    def versioned(request: object) -> Reply:
        told = getattr(request, "headers", {}).get("If-None-Match")
        return Reply(304) if told == '"1"' else in_json([1], ETag='"1"')

    source.routes["/calls"] = versioned
    with Fetcher([source.url], pace=time.pace()) as fetcher:
        first = fetcher.answer(Ask(f"{source.url}/calls"))
        headers = {"If-None-Match": first.etag or ""}
        also = frozenset({UNCHANGED})
        second = fetcher.answer(Ask(f"{source.url}/calls", headers=headers, also=also))
    assert (first.status, first.etag, first.content) == (200, '"1"', b"[1]")
    assert (second.status, second.content) == (304, b"")


def test_messages_hold_no_secrets(source: LocalSource, time: Time) -> None:
    """Neither the query of an address nor a secret that an answer repeats is told."""
    source.fault("/calls", Reply(403, b"token lent-ladder is not valid"))
    with (
        Fetcher([source.url], pace=time.pace(), secrets=["lent-ladder"]) as fetcher,
        pytest.raises(SourceError) as caught,
    ):
        fetcher.answer(Ask(f"{source.url}/calls", params={"key": "lent-ladder"}))
    assert "lent-ladder" not in str(caught.value)
    assert "token … is not valid" in str(caught.value)


@pytest.mark.parametrize("said", ["²", "1²", "9" * 5000])
def test_a_wait_in_other_digits_is_no_error(source: LocalSource, time: Time, said: str) -> None:
    """What can't be read as a number of seconds is as if nothing was said."""
    source.fault("/calls", Reply(503, b"", {"Retry-After": said}))
    assert fetched(source, time) == {"found": True}
    assert 1 <= time.slept[0] <= 2


@pytest.mark.parametrize("said", ["bytes ²-5/9", "bytes -5/9", "", "bytes */9"])
def test_a_part_that_begins_nowhere_is_none(said: str) -> None:
    """``Content-Range`` in other digits is read as none."""
    assert (
        _begins(httpx.Response(206, headers=[(b"Content-Range", said.encode("latin-1"))])) is None
    )


def test_a_name_that_is_not_known_is_not_asked(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be known a little later; where there is a proxy that knows names, it is asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    url = "https://portal.example/calls"
    with (
        Fetcher([url], pace=time.pace(attempts=2), resolve=lambda _: []) as fetcher,
        pytest.raises(SourceError, match=r"no address of portal.example is known, 2 times over"),
    ):
        fetcher.answer(Ask(url))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    Allowed([url], lambda _: []).check(httpx.URL(url))


def test_a_source_is_asked_by_the_proxy_of_the_environment(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is told its name, also one that is not known here; others are asked directly."""
    url = "https://portal.example/calls"
    with WebServer(INSIDE) as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "other.example")
        with (
            Fetcher([url], pace=time.pace(attempts=1), resolve=lambda _: []) as fetcher,
            pytest.raises(SourceError, match="can't be reached: 404"),
        ):
            fetcher.answer(Ask(url))
        with (
            Fetcher(
                ["https://other.example"], pace=time.pace(), resolve=lambda _: ["10.0.0.7"]
            ) as fetcher,
            pytest.raises(SourceError, match="no public one: not asked"),
        ):
            fetcher.answer(Ask("https://other.example/calls"))
    assert [asked.path for asked in proxy.asked] == ["portal.example:443"]


def test_a_public_name_that_leads_inside_is_not_told_to_the_proxy(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known here of a name is looked at before the proxy is asked."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    url = "https://portal.example/calls"
    with (
        Fetcher([url], pace=time.pace(), resolve=lambda _: ["10.0.0.7"]) as fetcher,
        pytest.raises(SourceError, match="no public one: not asked"),
    ):
        fetcher.answer(Ask(url))
