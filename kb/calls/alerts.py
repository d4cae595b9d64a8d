"""Digests by e-mail: what is new in the calls that saved searches find, told once."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kb.calls.letters import Entry, Links, digest
from kb.calls.mail import (
    MailDoubtfulError,
    MailRefusedError,
    MailUnavailableError,
    compose,
)
from kb.calls.matching import REMINDER, Matches
from kb.calls.news import STATUS, NewsKind
from kb.calls.searches import (
    UNCONFIRMED_DAYS,
    ask_address,
    new_token,
    unsubscribe_address,
    unsubscribe_headers,
)
from kb.calls.status import SAID_OPEN, status_at
from kb.errors import UsageError
from kb.model import CallStatus
from kb.record.digests import Parcel
from kb.record.searches import CONFIRMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from email.message import EmailMessage

    from kb.calls.mail import Mailer
    from kb.calls.matching import Shelf
    from kb.calls.news import CallNews
    from kb.model import Call
    from kb.record.digests import Claim, DigestsRecord
    from kb.record.searches import SavedSearch, SearchesRecord

# A change of anything else (title, texts, keywords) is no reason to write to people.
TOLD_FIELDS = frozenset(
    {
        "deadlines",
        "deadline_model",
        "opens",
        "rolling",
        "budget",
        "grant_min",
        "grant_max",
        "expected_grants",
        "applicants",
        "countries",
    }
)
_ENDINGS = {NewsKind.CLOSED, NewsKind.GONE}


@dataclass(frozen=True, slots=True)
class Desk:
    """What digests are made from."""

    searches: SearchesRecord
    digests: DigestsRecord
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Post:
    """What digests are sent with, and the address that their links begin with."""

    mailer: Mailer
    public_url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the digest of one search.

    ``state`` is ``sent``, ``refused`` (the next run sends it), ``doubtful`` (it may not have
    arrived and is not sent again), ``planned`` (in a dry run), or ``failed`` before it was made.
    """

    search_id: int
    search: str
    state: str
    subject: str = ""
    calls: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlertsReport:
    """What a run did: digests, searches with nothing to tell, addresses erased and asked.

    ``trouble`` holds what went wrong with questions to addresses or with the mail server.
    """

    digests: tuple[Outcome, ...] = ()
    quiet: int = 0
    erased: int = 0
    asked: int = 0
    trouble: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where everything was sent; 1 where somebody should look."""
        fine = all(outcome.state in {"sent", "planned"} for outcome in self.digests)
        return 0 if fine and not self.trouble else 1

    def as_json(self) -> dict[str, Any]:
        """The report for scripts; it holds no address."""
        return {**asdict(self), "exit_code": self.exit_code}


def run_alerts(desk: Desk, now: datetime, post: Post | None) -> AlertsReport:
    """Erase old addresses, ask new ones, and send each search its digest.

    The caller holds the lock of this run. Without ``post`` nothing is sent and nothing changed.
    """
    unconfirmed = now - UNCONFIRMED_DAYS
    asked, trouble = 0, list[str]()
    if post is None:
        erased = desk.searches.count_old(unconfirmed)
    else:
        erased = desk.searches.forget_old(unconfirmed, now)
        asked, trouble = _ask_addresses(desk, post, now)
    outcomes = _interrupted(desk, keep=post is None)
    matches = Matches(desk.shelf, now)
    quiet = 0
    for search in desk.searches.listed(now):
        if search.mail != CONFIRMED:
            continue
        try:
            outcome = _tell(desk, matches, search, post)
        except MailUnavailableError as error:
            trouble.append(str(error))
            break
        if outcome is None:
            quiet += 1
        else:
            outcomes.append(outcome)
    return AlertsReport(tuple(outcomes), quiet, erased, asked, tuple(trouble))


def _ask_addresses(desk: Desk, post: Post, now: datetime) -> tuple[int, list[str]]:
    """Ask the addresses that were given and not asked, such as while the server was away."""
    asked, trouble = 0, []
    for search in desk.searches.waiting(now):
        try:
            asked += ask_address(desk.searches, post.mailer, search.id, post.public_url, now)
        except (MailRefusedError, MailDoubtfulError) as error:
            trouble.append(f"The question to the address of search {search.id}: {error}")
            if isinstance(error, MailUnavailableError):
                break
    return asked, trouble


def _interrupted(desk: Desk, *, keep: bool) -> list[Outcome]:
    """Report the digests that a run was sending when it was cut off: they are not sent again."""
    names = {search.id: search.name for search in desk.searches.listed()}
    found = []
    for digest_id, search_id in desk.digests.interrupted().items():
        if not keep:
            desk.digests.doubt(digest_id)
        reason = "A run was cut off while it sent this digest."
        found.append(Outcome(search_id, names.get(search_id, ""), "doubtful", reason=reason))
    return found


def _tell(desk: Desk, matches: Matches, search: SavedSearch, post: Post | None) -> Outcome | None:
    """Send a search its digest; null where there is nothing to tell."""
    try:
        news = matches.news(search)
        entries = _entries(matches, search, news, desk.digests.told(search.id))
    except UsageError as error:  # a query that this version does not know
        return Outcome(search.id, search.name, "failed", reason=str(error))
    until = max([search.told_until, *(each.id for each in news if each.id is not None)])
    if not entries:
        if post is not None and until != search.told_until:
            desk.digests.deal_with(search.id, until)
        return None
    if post is None:
        letter = digest(search.name, search.language, entries, Links("", ""))
        return Outcome(search.id, search.name, "planned", letter.subject, len(entries))
    keys = {key: entry.document_id for entry in entries for key in _keys(entry)}
    parcel = Parcel(search.id, keys, until, _message_id(post, search, keys), new_token())
    claim = desk.digests.claim(parcel, matches.now)
    if claim is None:
        return None
    unsubscribe = unsubscribe_address(post.public_url, parcel.token)
    links = Links(post.public_url, unsubscribe)
    letter = digest(search.name, search.language, entries, links)
    message = compose(
        letter,
        sender=post.mailer.sender,
        recipient=claim.address,
        at=matches.now,
        headers={**unsubscribe_headers(unsubscribe), "Message-ID": parcel.message_id},
    )
    outcome = Outcome(search.id, search.name, "sent", letter.subject, len(entries))
    return _send(desk, post, (parcel, claim), message, outcome)


def _send(
    desk: Desk, post: Post, taken: tuple[Parcel, Claim], message: EmailMessage, outcome: Outcome
) -> Outcome:
    """Send what was claimed, and note what became of it.

    Whatever ends the run in here leaves the claim: the next run says that the digest may not have
    arrived.
    """
    parcel, claim = taken
    try:
        post.mailer.send(message, claim.address)
    except MailRefusedError as error:
        desk.digests.release(claim, parcel)
        if isinstance(error, MailUnavailableError):
            raise
        return replace(outcome, state="refused", reason=str(error))
    except MailDoubtfulError as error:
        desk.digests.doubt(claim.digest_id)
        return replace(outcome, state="doubtful", reason=str(error))
    desk.digests.sent(claim, parcel)
    return outcome


def _entries(
    matches: Matches, search: SavedSearch, news: Sequence[CallNews], told: Mapping[str, str]
) -> list[Entry]:
    """What is to be told of each call, the nearest deadline first."""
    matching = matches.found(search, near=not news)
    known = set(told.values())
    by_call: dict[str, list[CallNews]] = {}
    for each in news:
        seen = each.document_id in matching or (each.kind in _ENDINGS and each.document_id in known)
        if seen and _news_key(each) not in told and _worth_telling(each):
            by_call.setdefault(each.document_id, []).append(each)
    calls = {**matches.others(search, by_call.keys() - matching.keys()), **matching}
    made = (
        _entry(document_id, call, by_call.get(document_id, ()), told, matches.now)
        for document_id, call in calls.items()
    )
    closed_too = CallStatus.CLOSED in search.query.get("status", ())
    entries = [entry for entry in made if _is_due(entry, closed_too=closed_too)]
    return sorted(entries, key=_by_deadline)


def _worth_telling(news: CallNews) -> bool:
    if news.kind is not NewsKind.CHANGED:
        return True
    # That a source says a call has opened is told; that it has closed is news of its own.
    return news.field in TOLD_FIELDS or (news.field == STATUS and news.after == SAID_OPEN)


def _entry(
    document_id: str,
    call: Call,
    news: Sequence[CallNews],
    told: Mapping[str, str],
    now: datetime,
) -> Entry:
    status = status_at(call, now)
    entry = Entry(document_id, call, status, tuple(news))
    coming = status.next_deadline
    running = status.status in {CallStatus.OPEN, CallStatus.CLOSING_SOON}
    if coming is None or not running or coming - now > REMINDER:
        return entry
    reminded = replace(entry, reminder=coming)
    return entry if _reminder_key(reminded) in told else reminded


def _is_due(entry: Entry, *, closed_too: bool) -> bool:
    """Whether an entry is to be told: of a call that is over only that it is, unless asked for."""
    if entry.reminder is not None:
        return True
    if entry.status.status is CallStatus.CLOSED and not closed_too:
        return any(news.kind in _ENDINGS for news in entry.news)
    return bool(entry.news)


def _by_deadline(entry: Entry) -> tuple[float, str]:
    coming = entry.status.next_deadline
    return (coming.timestamp() if coming else math.inf, entry.document_id)


def _keys(entry: Entry) -> list[str]:
    """The things that an entry tells, each of which a search is told once."""
    keys = [_news_key(news) for news in entry.news]
    return keys if entry.reminder is None else [*keys, _reminder_key(entry)]


def _news_key(news: CallNews) -> str:
    return f"news:{news.digest or news.id}"


def _reminder_key(entry: Entry) -> str:
    moment = "" if entry.reminder is None else entry.reminder.astimezone(UTC).isoformat()
    return f"deadline:{entry.document_id}:{moment}"


def _message_id(post: Post, search: SavedSearch, keys: Iterable[str]) -> str:
    """The same for the same digest, so that mail programs show a mail that came twice once."""
    said = "\n".join([post.public_url, search.created.isoformat(), *sorted(keys)])
    mark = hashlib.sha256(said.encode()).hexdigest()[:32]
    return f"<digest-{search.id}-{mark}@{post.mailer.sender.rpartition('@')[2]}>"
