"""Pulls of public sources: what is asked for, and what came of it, whatever the source."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ingest.calls.pulls.aides_territoires import AidesTerritoires
from ingest.calls.pulls.eu_bulk import NAME as BULK_NAME
from ingest.calls.pulls.eu_bulk import SOURCE as BULK
from ingest.calls.pulls.eu_bulk import BulkFile
from ingest.calls.pulls.eu_portal import Asked, EuPortalPull
from ingest.calls.pulls.fetch import Fetcher, Pace
from ingest.calls.pulls.ile_de_france import IleDeFrance
from ingest.calls.pulls.kept import KeptAnswers, KeptListed, PullFolder
from ingest.calls.pulls.lists import ListPull
from ingest.calls.pulls.portal_api import PortalApi
from ingest.calls.run import CallsReport, take_calls
from ingest.calls.saved import read_saved
from ingest.calls.sources import aides_territoires, ile_de_france
from ingest.calls.sources.eu_portal import SOURCE as EU_PORTAL
from ingest.progress import Progress
from kb.lock import writer_lock
from kb.model import Metadata
from kb.record.calls import CallRecords
from kb.shapes import news_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.calls.base import CallRecord, Flaw
    from ingest.calls.pulls.kept import KeptPage, KeptPages
    from kb.bootstrap import KnowledgeBase
    from kb.calls.news import CallNews
    from kb.settings import Settings

# How long a download of the bulk file may take, in seconds.
_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of a pull may say, whatever the source.

    ``stated`` is said of every call. ``fresh`` begins anew what an interrupted pull has kept.
    ``pace`` is that of the settings unless it is stated.
    """

    stated: Metadata = field(default_factory=Metadata)
    fresh: bool = False
    progress: Progress = field(default_factory=Progress)
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of a pull. ``report`` is nothing where the source has not changed at all."""

    source: str
    report: CallsReport | None
    news: tuple[CallNews, ...] = ()
    warnings: tuple[str, ...] = ()
    went_on: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 1 when some records could not be read (the others are in)."""
        return 0 if self.report is None else self.report.exit_code

    def as_json(self) -> dict[str, Any]:
        """The outcome for scripts."""
        return {
            "source": self.source,
            "went_on": self.went_on,
            "warnings": list(self.warnings),
            **(CallsReport() if self.report is None else self.report).as_json(),
            "changes": [news_json(news, "en") for news in self.news],
        }


def pull_eu_portal(kb: KnowledgeBase, asked: Asked, options: Options) -> Pulled:
    """Pull the EU portal's list, with the details of what is new or changed.

    Raises:
        SourceError: The portal can't be asked, or answers in a shape that is not known.
        StoreError: Another pull is under way, or the store can't be used.
    """
    settings, now = kb.settings, kb.clock()
    with _pulling(settings) as folder, fetcher_of(settings, options, EU_PORTAL) as fetcher:
        api = PortalApi(fetcher, settings.eu_portal_api, settings.eu_portal_data)
        kept = PullFolder(folder, EU_PORTAL, asked.as_json(), now, fresh=options.fresh)
        with kept.pages() as pages, KeptAnswers(folder) as answers:
            pull = EuPortalPull(api, pages, answers, asked, now, options.progress)
            generation = kb.record.current_id()
            known = (
                [] if generation is None else CallRecords(kb.engine).known(generation, EU_PORTAL)
            )
            pull.fetch(known)
            pulled = _take(kb, pull.records(), EU_PORTAL, options)
        kept.done()
    return replace(pulled, warnings=tuple(pull.warnings), went_on=kept.goes_on)


def pull_bulk(kb: KnowledgeBase, programmes: tuple[str, ...], options: Options) -> Pulled:
    """Pull the portal's file of all topics, unless it is the one that was pulled last.

    Raises:
        SourceError: It can't be had.
        StoreError: As above.
    """
    settings = kb.settings
    pace = options.pace or Pace(pause=settings.source_pause)
    patient = replace(options, pace=replace(pace, whole=_LONG))
    with _pulling(settings) as folder, fetcher_of(settings, patient, BULK) as fetcher:
        file = BulkFile(fetcher, settings.eu_portal_data, folder, options.progress)
        if not file.fetch(fresh=options.fresh):
            return Pulled(BULK, None)
        found = read_saved(BULK, file.path, BULK_NAME, kb.clock())
        pulled = _take(kb, _of_programmes(found, programmes), BULK, options)
        file.done()
    return pulled


def pull_aides_territoires(kb: KnowledgeBase, options: Options) -> Pulled:
    """Pull the aids for associations of Aides-territoires.

    Raises:
        UsageError: No token is set.
        SourceError: The service can't be asked, or answers in a shape that is not known.
        StoreError: As above.
    """
    settings = kb.settings
    with fetcher_of(settings, options, aides_territoires.SOURCE) as fetcher:
        token = settings.aides_territoires_token.get_secret_value()
        client = AidesTerritoires(fetcher, settings.aides_territoires_api, token)
        listed = _Listed(client.first(), client.keep, aides_territoires.record_of)
        return _pull_list(kb, aides_territoires.SOURCE, listed, options)


def pull_ile_de_france(kb: KnowledgeBase, options: Options) -> Pulled:
    """Pull the calls of the region Île-de-France.

    Raises:
        SourceError: The service can't be asked, or answers in a shape that is not known.
        StoreError: As above.
    """
    with fetcher_of(kb.settings, options, ile_de_france.SOURCE) as fetcher:
        client = IleDeFrance(fetcher, kb.settings.ile_de_france_api)
        listed = _Listed(client.at(0), client.keep, ile_de_france.record_of)
        return _pull_list(kb, ile_de_france.SOURCE, listed, options)


def fetcher_of(settings: Settings, options: Options, source: str) -> Fetcher:
    """A fetcher that asks a source at the addresses that are set for it.

    Raises:
        UsageError: One of them is no address, or not safe.
    """
    return Fetcher(
        _bases(settings)[source],
        contact=settings.contact,
        pace=options.pace or Pace(pause=settings.source_pause),
        secrets=[settings.aides_territoires_token.get_secret_value()],
    )


def _bases(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {
        EU_PORTAL: (settings.eu_portal_api, settings.eu_portal_data),
        BULK: (settings.eu_portal_data,),
        aides_territoires.SOURCE: (settings.aides_territoires_api,),
        ile_de_france.SOURCE: (settings.ile_de_france_api,),
    }


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list: where it begins, how a page of it is fetched and kept, how a row of it is read."""

    first: str
    keep: Callable[[str, KeptPages], KeptPage]
    record_of: Callable[[object, str, datetime], Iterator[CallRecord | Flaw]]


def _pull_list(kb: KnowledgeBase, source: str, listed: _Listed, options: Options) -> Pulled:
    with _pulling(kb.settings) as folder:
        kept = PullFolder(folder, source, listed.first, kb.clock(), fresh=options.fresh)
        with kept.pages() as pages, KeptListed(folder) as before:
            pull = ListPull(
                source=source,
                first=listed.first,
                page_at=lambda address: listed.keep(address, pages),
                record_of=listed.record_of,
                pages=pages,
                listed=before,
                now=kb.clock(),
                progress=options.progress,
            )
            pull.fetch()
            pulled = _take(kb, pull.records(), source, options)
            pull.done()
        kept.done()
    return replace(pulled, warnings=tuple(pull.warnings), went_on=kept.goes_on)


def _take(
    kb: KnowledgeBase, records: Iterable[CallRecord | Flaw], source: str, options: Options
) -> Pulled:
    """Take what was found in, and tell what is news about it."""
    where, heard = _bases(kb.settings)[source][0], CallRecords(kb.engine)
    latest = heard.newest_news()
    report = take_calls(kb, records, stated=options.stated, where=where, progress=options.progress)
    if report.generation is None:
        return Pulled(source, report)
    return Pulled(source, report, tuple(heard.news(report.generation, None, after_id=latest)))


def _of_programmes(
    found: Iterable[CallRecord | Flaw], programmes: tuple[str, ...]
) -> Iterator[CallRecord | Flaw]:
    for each in found:
        call = getattr(each, "call", None)
        if not programmes or call is None or call.programme_id in programmes:
            yield each


@contextmanager
def _pulling(settings: Settings) -> Iterator[Path]:
    """The folder that pulls keep things in, for one pull at a time."""
    with writer_lock(settings.pull_lock):
        yield settings.pulls
