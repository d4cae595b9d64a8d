"""``kb pull eu-portal``: lists the portal, and fetches the details of what is new or changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.pulls.fetch import MISSING, UNCHANGED, read_json
from ingest.calls.pulls.kept import KeptAnswer, checksum
from ingest.calls.pulls.listing import Listing
from ingest.calls.pulls.portal_api import CLOSED, FORTHCOMING, OPEN, Window
from ingest.calls.sources.eu_portal import SOURCE, Row, read_rows, record_of_topic, rows_of
from ingest.calls.sources.eu_terms import GRANT
from ingest.calls.sources.programmes import PROGRAMMES
from kb.calls.status import SAID_CLOSED
from kb.errors import SourceError, UnreadableError
from kb.model import Call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from ingest.calls.pulls.kept import KeptAnswers, KeptPages
    from ingest.calls.pulls.portal_api import PortalApi
    from ingest.progress import Progress
    from kb.record.calls import KnownCall

# The files of details are in English, whatever language is listed.
DETAILS_LANGUAGE = "en"
# Details are asked for when a call's row changes, and now and then: conditions change without it.
_REFRESHED = timedelta(days=7)
# A source that fails this often in a row is down; the pull ends and goes on at the next.
_FAILURES = 5
# Calls that are not listed any more are asked for one by one; more are left for the next pull.
MOST_MISSING = 500
# What calls are named by that have no file of details: they are not listed, or they are gone.
_CASCADE = "eu-cascade:"
_NOT_LISTED = "not listed"
# Times at which the index took a row in; they change when nothing else does.
_OF_THE_INDEX = re.compile(r"es(?:[A-Z]{2})?_")
# What the portal counts anew at every search.
_OF_THE_SEARCH = frozenset({"weight", "apiVersion"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is pulled. ``programmes`` are codes; none means all. ``since`` adds closed calls."""

    programmes: tuple[str, ...] = ()
    since: date | None = None
    language: str = DETAILS_LANGUAGE
    details: bool = True

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows to list."""
        windows = [Window(statuses=(FORTHCOMING, OPEN), programmes=self.programmes)]
        if self.since is not None:
            closed = Window(statuses=(CLOSED,), programmes=self.programmes, since=self.since)
            windows.append(closed)
        return tuple(windows)

    def as_json(self) -> dict[str, Any]:
        """What tells one pull from another."""
        return {
            "programmes": sorted(self.programmes),
            "since": None if self.since is None else self.since.isoformat(),
            "language": self.language,
        }


@dataclass(slots=True)
class EuPortalPull:
    """One pull of the portal: ``fetch`` asks, ``records`` gives what was found."""

    api: PortalApi
    pages: KeptPages
    answers: KeptAnswers
    asked: Asked
    now: datetime
    progress: Progress
    warnings: list[str] = field(default_factory=list)
    _found: list[CallRecord | Flaw] = field(default_factory=list)
    _failed: int = 0

    def fetch(self, known: Sequence[KnownCall]) -> None:
        """Ask for everything; what was had before an interruption is not asked for again.

        Raises:
            SourceError: The portal can't be asked, or answers in a shape that is not known.
        """
        listing = Listing(self.api, self.pages, self.asked.language, self.progress)
        for window in self.asked.windows:
            listing.run(window, self._programmes, self.now.year)
        self.warnings += listing.warnings
        listed = self._listed()
        if self.asked.details and self.asked.language == DETAILS_LANGUAGE:
            self._fetch_details(listed)
        if listing.complete:
            self._ask_for(self._unlisted(known, listed))
        elif known:
            self.warnings.append("The list is not whole, so calls missing in it mean nothing yet.")

    def records(self) -> Iterator[CallRecord | Flaw]:
        """Yield what was found: calls listed, calls missing, and what can't be read."""
        for rows in self.pages.batches():
            for found in read_rows({"results": rows}, self.now):
                if isinstance(found, CallRecord):
                    yield from self._with_details(found)
                else:
                    yield found
        yield from self._found

    def _programmes(self) -> Sequence[str]:
        """The codes of all programmes: those that the portal names, else those that are known."""
        known = list(PROGRAMMES)
        try:
            facets = self.api.facets(self.asked.windows[0], self.asked.language)
            return tuple(dict.fromkeys([*programme_codes(facets), *known]))
        except SourceError as error:
            self.warnings.append(f"The portal's own list of programmes can't be had: {error}")
            return known

    def _listed(self) -> dict[str, Row]:
        """A row of each call that is listed, by the call's key."""
        return {
            row.identifier.casefold(): row
            for rows in self.pages.batches()
            for row in rows_of({"results": rows})
            if isinstance(row, Row)
        }

    def _fetch_details(self, listed: Mapping[str, Row]) -> None:
        wanted = [
            (row.identifier, mark)
            for key, row in listed.items()
            if row.metadata.first("type") == GRANT  # the others have no file of details
            and not self._is_fresh(row.identifier, mark := _mark(self.pages.rows_of(key)))
        ]
        self.progress.begin("details", len(wanted))
        for identifier, mark in wanted:
            self._details(identifier, mark)
            self.progress.advance(1, identifier)

    def _is_fresh(self, identifier: str, mark: str) -> bool:
        kept = self.answers.find(self.api.details_url(identifier))
        return kept is not None and kept.mark == mark and self.now - kept.asked < _REFRESHED

    def _details(self, identifier: str, mark: str) -> KeptAnswer | None:
        """Ask for a topic's details and keep them; nothing where that failed this time."""
        url = self.api.details_url(identifier)
        kept = self.answers.find(url)
        try:
            answer = self.api.details(identifier, kept.conditions if kept else None)
        except SourceError as error:
            self._failed += 1
            if self._failed >= _FAILURES:
                raise SourceError(
                    f"{error} Details failed {_FAILURES} times in a row; --no-details takes in "
                    "what the list says without them."
                ) from None
            self._found.append(Flaw(identifier, str(error)))
            return None
        self._failed = 0
        if answer.status == UNCHANGED and kept is not None:
            new = replace(kept, mark=mark, asked=self.now)
        else:
            content = b"" if answer.status == MISSING else answer.content
            new = KeptAnswer(mark, answer.status, answer.etag, answer.modified, content, self.now)
        self.answers.keep(url, new)
        return new

    def _with_details(self, record: CallRecord) -> Iterator[CallRecord | Flaw]:
        """A call's row with its details, as far as they are kept and can be read."""
        url = self.api.details_url(record.call.identifier)
        kept = self.answers.find(url) if record.language == DETAILS_LANGUAGE else None
        if kept is None or not kept.content:
            yield record
            return
        details = self._read_details(record.call.identifier, kept)
        if isinstance(details, Flaw):
            yield details
        yield record if isinstance(details, Flaw) else together(record, details)

    def _read_details(self, identifier: str, kept: KeptAnswer) -> CallRecord | Flaw:
        url = self.api.details_url(identifier)
        try:
            details = record_of_topic(read_json(kept.content, url), DETAILS_LANGUAGE, self.now)
        except UnreadableError as error:
            return Flaw(url, str(error))
        if details.key != identifier.casefold():
            return Flaw(url, f"holds the details of another topic, {details.call.identifier}")
        return details

    def _unlisted(self, known: Sequence[KnownCall], listed: Collection[str]) -> Sequence[KnownCall]:
        """The calls that the list should hold and doesn't: nobody has said yet that they closed."""
        missing = [
            call
            for call in known
            if call.identifier.casefold() not in listed
            and self.asked.language in call.languages
            and call.said != SAID_CLOSED
            and (not self.asked.programmes or call.programme_id in self.asked.programmes)
        ]
        if len(missing) > MOST_MISSING:
            self.warnings.append(
                f"{len(missing)} calls are not listed any more; {MOST_MISSING} of them are asked "
                "for now, the others at the next pull."
            )
        return self._longest_ago(missing)[:MOST_MISSING]

    def _longest_ago(self, calls: Sequence[KnownCall]) -> list[KnownCall]:
        """Calls never asked for first, then the others: so that each has its turn."""
        asked, never = self.answers.asked(), datetime.min.replace(tzinfo=UTC)
        return sorted(
            calls, key=lambda call: asked.get(self.api.details_url(call.identifier), never)
        )

    def _ask_for(self, missing: Sequence[KnownCall]) -> None:
        self.progress.begin("missing", len(missing))
        for call in missing:
            is_topic = not call.identifier.startswith(_CASCADE)
            kept = self._details(call.identifier, _NOT_LISTED) if is_topic else None
            if kept is not None and kept.content:
                found = self._read_details(call.identifier, kept)
                self._found.append(found)
            elif kept is not None or not is_topic:
                self._found += [self._gone(call, language) for language in call.languages]
            self.progress.advance(1, call.identifier)

    def _gone(self, known: KnownCall, language: str) -> CallRecord:
        call = Call(known.identifier, known.title, programme_id=known.programme_id, url=known.url)
        return CallRecord(SOURCE, self.now, language, call, (), gone=True)


# The dates of a call change together, and the list is made anew whenever they do.
_DATES = ("opens", "deadlines", "deadline_model", "rolling")
_MONEY = ("budget", "budget_shared")


def together(row: CallRecord, details: CallRecord) -> CallRecord:
    """One record of a row and of its details: the details say more, the row what they leave out.

    Dates and status are the row's, if it has any. The texts are those of whichever has more.
    """
    mine, theirs = row.call, details.call
    values = {
        name: getattr(theirs, name) or getattr(mine, name)
        for name in Call.__slots__
        if name not in {"identifier", "facts", "sources", *_DATES, *_MONEY}
    }
    dated = mine if mine.deadlines or mine.rolling else theirs
    values.update({name: getattr(dated, name) for name in _DATES})
    values["opens"] = mine.opens or theirs.opens
    paid = theirs if theirs.budget else mine
    values.update({name: getattr(paid, name) for name in _MONEY})
    longer = max(details, row, key=lambda each: sum(len(page.text) for page in each.pages))
    return replace(
        row,
        call=replace(mine, **values),
        pages=longer.pages,
        status=row.status or details.status,
    )


def programme_codes(facets: Mapping[str, Any]) -> list[str]:
    """The codes of the programmes in an answer about facets; none where it has another shape."""
    found = facets.get("facets")
    for facet in found if isinstance(found, list) else ():
        if isinstance(facet, dict) and facet.get("name") == "frameworkProgramme":
            values = facet.get("values")
            rows = [value for value in values if isinstance(value, dict)] if values else []
            return [str(row["rawValue"]) for row in rows if row.get("rawValue")]
    return []


def _mark(rows: Sequence[dict[str, Any]]) -> str:
    """What changes when the portal changes a call's rows."""
    return checksum(
        [
            {
                **{name: value for name, value in row.items() if name not in _OF_THE_SEARCH},
                "metadata": {
                    name: value
                    for name, value in row["metadata"].items()
                    if not _OF_THE_INDEX.match(name)
                },
            }
            for row in rows
        ]
    )
