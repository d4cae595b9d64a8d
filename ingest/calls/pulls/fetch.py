"""Asking public sources: identified, unhurried, bounded, and again where that can help."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
import tenacity

from ingest.bodies import PACKED, unpacked
from ingest.calls.pulls.addresses import Allowed, origin_of
from ingest.guard import UnresolvedError, resolved, shown
from ingest.report import shown as printable
from kb.clock import Clock, system_clock
from kb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from ingest.guard import Resolve

_T = TypeVar("_T")

NAME = "operation-milliard-kb"
OK, UNCHANGED, MISSING = 200, 304, 404
# What an answer may weigh; a page of 100 rows of the EU portal has about 2 MB.
LARGEST_ANSWER = 64 * 1024 * 1024
# Answers that may be others a little later. 202 says that the answer is still being made.
_AGAIN = frozenset({202, 429, 500, 502, 503, 504})
_SAME_METHOD = frozenset({307, 308})
_MOST_REDIRECTS = 5
_SAID_LENGTH = 200
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_LATER = "Try again later; what was fetched so far is kept and not asked for again."

Files = Mapping[str, tuple[str, bytes, str]]


@dataclass(frozen=True, slots=True)
class Pace:
    """The patience of a fetcher, in seconds, and the clocks that it goes by.

    ``pause`` lies between two requests to one host. Waits between attempts double from ``first``
    to ``longest``; ``longest_asked`` is how long a source may ask us to wait. ``whole`` is how
    long one answer may take to arrive.
    """

    pause: float = 1.0
    attempts: int = 5
    first: float = 1.0
    longest: float = 60.0
    longest_asked: float = 300.0
    whole: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Clock = system_clock


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. ``also`` holds the statuses beside 200 that the caller understands."""

    url: str
    method: str = "GET"
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Files | None = None
    also: frozenset[int] = frozenset()
    largest: int = LARGEST_ANSWER


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered: its status, its content, and what a later request may quote."""

    url: str
    status: int
    content: bytes
    etag: str | None = None
    modified: str | None = None

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            SourceError: It is none; the message shows how it begins.
        """
        return read_json(self.content, self.url)


def read_json(content: bytes, url: str) -> Any:
    """Read an answer as JSON.

    Raises:
        SourceError: It is none; the message shows how it begins.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise SourceError(
            f"{shown(url)} did not answer in JSON but “{_excerpt(content)}”. Look at it in a "
            "browser: the source may be closed for maintenance, or may have moved."
        ) from None


class _AgainError(Exception):
    """An attempt that failed in a way that may pass; ``wait`` is what the source asked for."""

    def __init__(self, url: str, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.url, self.said, self.wait = url, said, wait


class Fetcher:
    """Asks one source, at the addresses that it was given and nowhere else."""

    def __init__(
        self,
        bases: Sequence[str],
        *,
        contact: str = "",
        pace: Pace | None = None,
        secrets: Sequence[str] = (),
        resolve: Resolve = resolved,
    ) -> None:
        self.pace = pace or Pace()
        self._allowed = Allowed(bases, resolve)
        self._secrets = [secret for secret in secrets if secret]
        self._asked: dict[str, float] = {}
        self._client = self._allowed.client(
            {
                "User-Agent": user_agent(contact),
                "Accept": "application/json",
                "Accept-Encoding": PACKED,
            },
            _TIMEOUT,
        )

    def __enter__(self) -> Self:
        """Return the fetcher."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close its connections."""
        self._client.close()

    def hide(self, secret: str) -> None:
        """Keep a secret that was learnt under way out of every message."""
        self._secrets.append(secret)

    def answer(self, ask: Ask) -> Answer:
        """Ask for something that fits into memory.

        Raises:
            SourceError: It can't be had; the message names the address, what it answered, and the
                way out.
        """

        def take(response: httpx.Response) -> Answer:
            content = b"".join(self.chunks(response, ask.largest))
            headers = response.headers
            url, status = str(response.url), response.status_code
            return Answer(url, status, content, headers.get("ETag"), headers.get("Last-Modified"))

        return self.exchange(lambda: ask, take)

    def exchange(self, ask: Callable[[], Ask], take: Callable[[httpx.Response], _T]) -> _T:
        """Ask, and take the answer as it streams in; both are done again at every attempt.

        Raises:
            SourceError: As above.
        """
        pace = self.pace
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(pace.attempts),
            wait=self._wait,
            sleep=pace.sleep,
            reraise=True,
        )
        try:
            return attempts(lambda: self._once(ask, take))
        except _AgainError as error:
            raise SourceError(
                f"{shown(error.url)} {error.said}, {pace.attempts} times over. {_LATER}"
            ) from None

    def chunks(
        self, response: httpx.Response, largest: int, *, raw: bool = False
    ) -> Iterator[bytes]:
        """The content of an answer as it comes, as long as it keeps its size and time.

        Raises:
            SourceError: It is larger than it may be.
        """
        pace, url, size = self.pace, str(response.url), 0
        began = pace.monotonic()
        for piece in response.iter_raw() if raw else unpacked(response):
            size += len(piece)
            if size > largest:
                raise SourceError(
                    f"{shown(url)} answers with more than {largest // 1024**2} MB: not taken. "
                    "The source may have changed: compare it with --check."
                )
            if pace.monotonic() - began > pace.whole:
                raise _AgainError(url, f"took more than {pace.whole:.0f} s to answer")
            yield piece

    def _once(self, ask: Callable[[], Ask], take: Callable[[httpx.Response], _T]) -> _T:
        request = ask()
        url = httpx.URL(request.url)
        if request.params:
            url = url.copy_merge_params(dict(request.params))
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                self._allowed.check(url)
                self._pause(url.host)
                with self._client.stream(
                    request.method, url, headers=dict(request.headers), files=request.files
                ) as response:
                    if not response.has_redirect_location:
                        self._judge(request, response)
                        return take(response)
                    url = self._next(request, response)
            except (httpx.RequestError, UnresolvedError) as error:
                said = str(error) or type(error).__name__
                raise _AgainError(str(url), f"can't be reached: {printable(said)}") from None
        raise SourceError(f"{shown(request.url)} leads in circles: {_MOST_REDIRECTS} redirects.")

    def _judge(self, request: Ask, response: httpx.Response) -> None:
        """Tell answers to take from those to ask for again and those that are final."""
        status, url = response.status_code, str(response.url)
        if status in _AGAIN:
            asked = _asked_wait(response.headers.get("Retry-After"), self.pace.now())
            raise _AgainError(url, f"answered {_named(status)}", asked)
        if status == OK or status in request.also:
            return
        said = _excerpt(b"".join(self.chunks(response, LARGEST_ANSWER)))
        for secret in self._secrets:
            said = said.replace(secret, "…")
        raise SourceError(
            f"{shown(url)} answered {_named(status)}{f': “{said}”' if said else ''}. "
            f"{_WAYS_OUT.get(status, 'The source may have changed: compare it with --check.')}"
        )

    def _next(self, request: Ask, response: httpx.Response) -> httpx.URL:
        """Where a redirect leads, within the same host."""
        here = response.url
        try:
            there = here.join(response.headers["Location"])
        except httpx.InvalidURL:
            raise SourceError(f"{shown(here)} leads to an address that can't be read.") from None
        if request.method != "GET" and response.status_code not in _SAME_METHOD:
            raise SourceError(
                f"{shown(here)} moved to {shown(there)}, where the same can't be asked. Set the "
                "source's new address (see `kb status`)."
            )
        if origin_of(there) != origin_of(here):
            raise SourceError(
                f"{shown(here)} leads to {shown(there)}, which is not its own address: not "
                "followed. If the source has moved, set its new address (see `kb status`)."
            )
        return there

    def _pause(self, host: str) -> None:
        """Let the host rest between two requests."""
        pace = self.pace
        before = self._asked.get(host)
        if before is not None and (left := before + pace.pause - pace.monotonic()) > 0:
            pace.sleep(left)
        self._asked[host] = pace.monotonic()

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """How long to wait: what the source asks for, else ever longer, with a part of chance."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _AgainError) and error.wait is not None:
            return min(error.wait, self.pace.longest_asked)
        growing = tenacity.wait_exponential_jitter(self.pace.first, self.pace.longest)
        return float(growing(state))


_WAYS_OUT = {
    401: "Check the token that is set for it.",
    403: "Check the token that is set for it, or whether it lets this machine in.",
    404: "The source may have moved: set its new address (see `kb status`).",
    405: "The source may have changed: compare it with --check.",
}


def user_agent(contact: str) -> str:
    """Who asks, as sources are told: the product, its version, and whom to write to."""
    try:
        number = version(NAME)
    except PackageNotFoundError:  # run from a folder without installing
        number = "0"
    address = re.sub(r"[^\x21-\x7e]", "", contact)
    return f"{NAME}/{number}" + (f" (+{address})" if address else "")


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _asked_wait(said: str | None, now: datetime) -> float | None:
    """The seconds of a ``Retry-After``, which may be a number or a date."""
    if not said:
        return None
    if (seconds := whole_number(said.strip())) is not None:
        return float(seconds)
    try:
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def whole_number(said: str) -> int | None:
    """A number in plain digits, as headers state them; nothing where it is written otherwise."""
    return int(said) if re.fullmatch("[0-9]{1,18}", said) else None


def _excerpt(content: bytes) -> str:
    text = content[: 4 * _SAID_LENGTH].decode("utf-8", "replace")
    plain = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return printable(plain[:_SAID_LENGTH] + ("…" if len(plain) > _SAID_LENGTH else ""))
