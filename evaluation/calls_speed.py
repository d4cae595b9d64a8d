"""How fast calls are found, beside a plain SQLite query, printed with machine and commit.

    python -m evaluation.calls_speed [--calls N ...] [--home HOME] [--times N]

Searches run in process through the product's finder, with total and facets as every page has them.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from evaluation.bases import Chosen, product_encoder
from evaluation.calls_generated import NOW, generate
from evaluation.documents import existing_base
from evaluation.machine import commit, machine
from kb.bootstrap import open_knowledge_base
from kb.calls.query import CallQuery
from kb.model import FULL_ACCESS, Applicant, CallStatus
from kb.record.calls import call_of
from kb.record.schema import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.bootstrap import KnowledgeBase

_LIMIT = 20
_OPEN = (CallStatus.OPEN, CallStatus.FORTHCOMING)
_FILTERS = CallQuery(status=_OPEN, applicant=(Applicant.ASSOCIATION,), country=("FR",))
_QUESTION = "gardens that neighbours look after together"
_FRENCH = "des jardins que les voisins entretiennent ensemble"
SEARCHES = {
    "open and forthcoming": CallQuery(status=_OPEN),
    "open and forthcoming, for associations in France": _FILTERS,
    "the same, from 50,000 euros, one programme": CallQuery(
        status=_OPEN,
        applicant=(Applicant.ASSOCIATION,),
        country=("FR",),
        programme=("LIFE", "Fund 07"),
        budget_min=50_000,
    ),
    "a question": CallQuery(query=_QUESTION),
    "a question, open, for associations in France": CallQuery(
        query=_QUESTION, status=_OPEN, applicant=(Applicant.ASSOCIATION,), country=("FR",)
    ),
    "a French question, the same filters": CallQuery(
        query=_FRENCH, status=_OPEN, applicant=(Applicant.ASSOCIATION,), country=("FR",)
    ),
}
# What `_FILTERS` asks, over a table of the calls as JSON.
_WHERE = """
 where deadline > :now and deadline is not null
 and (json_array_length(call, '$.applicants') = 0
      or exists (select 1 from json_each(calls.call, '$.applicants') each
                 where each.value in ('association', 'ngo', 'any')))
 and (json_array_length(call, '$.countries') = 0
      or exists (select 1 from json_each(calls.call, '$.countries') each
                 where each.value in ('FR', 'EU', 'ANY')))"""
_PAGE = f"select key, call from calls {_WHERE} order by deadline limit {_LIMIT}"  # noqa: S608 -- constants
_COUNT = f"select count(*) from calls {_WHERE}"  # noqa: S608 -- as above
_LISTS = ("applicants", "countries", "action_types", "themes")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, nargs="*", default=[629, 20_000])
    parser.add_argument("--home", type=Path, help="A base of real calls, measured first.")
    parser.add_argument("--times", type=int, default=30, help="Runs of each search.")
    options = parser.parse_args()
    print(f"{machine()}, commit {commit()}\n")
    print("| base | search | p50 | p95 |\n|---|---|---|---|")
    if options.home:
        with existing_base(options.home, Chosen()) as kb:
            _time_base("real calls", kb, options.times)
    for count in options.calls:
        _time_generated(count, options.times)


def _time_generated(count: int, times: int) -> None:
    name = f"{count:,} calls"
    with tempfile.TemporaryDirectory() as home:
        settings = Chosen().settings(Path(home))
        kb = open_knowledge_base(settings, encoder=product_encoder(Chosen()))
        started = time.perf_counter()
        generate(kb, count)
        print(f"| {name} | written in | {time.perf_counter() - started:.0f} s | |")
        _time_base(name, kb, times)
        kb.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | memory at most | {peak:.0f} MB | |", flush=True)


def _time_base(name: str, kb: KnowledgeBase, times: int) -> None:
    for label, asked in SEARCHES.items():

        def find(asked: CallQuery = asked) -> object:
            return kb.finder.find(asked, FULL_ACCESS, NOW, limit=_LIMIT)

        _row(name, label, find, times)
    with closing(_peer(kb)) as peer:
        now = {"now": NOW.timestamp()}
        _row(name, "SQLite: the second search, page and total", lambda: _page(peer, now), times)
        _row(name, "SQLite: the same with five facets", lambda: _faceted(peer, now), times)


def _peer(kb: KnowledgeBase) -> sqlite3.Connection:
    """A table of calls as JSON, with an index on the deadline: what needs no search engine."""
    connection = sqlite3.connect(":memory:")
    connection.execute("create table calls (key text primary key, deadline real, call text)")
    connection.execute("create index calls_by_deadline on calls (deadline)")
    with kb.engine.connect() as record:
        for key, text in record.execute(select(calls.c.key, calls.c.call)):
            deadlines = call_of(text).deadlines
            last = deadlines[-1].timestamp() if deadlines else None
            connection.execute("insert into calls values (?, ?, ?)", (key, last, text))
    return connection


def _page(peer: sqlite3.Connection, now: dict[str, float]) -> object:
    found = [json.loads(call) for _, call in peer.execute(_PAGE, now)]
    return found, peer.execute(_COUNT, now).fetchone()


def _faceted(peer: sqlite3.Connection, now: dict[str, float]) -> object:
    facets: dict[str, Any] = {}
    for field in _LISTS:
        counted = f"select named.value, count(*) from calls, json_each(call, '$.{field}') named"  # noqa: S608 -- constants
        facets[field] = peer.execute(f"{counted} {_WHERE} group by 1", now).fetchall()
    programme = "select json_extract(call, '$.programme'), count(*) from calls"
    facets["programme"] = peer.execute(f"{programme} {_WHERE} group by 1", now).fetchall()
    return _page(peer, now), facets


def _row(name: str, label: str, run: Callable[[], object], times: int) -> None:
    run()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append((time.perf_counter() - started) * 1000)
    p50, p95 = statistics.median(taken), sorted(taken)[int(len(taken) * 0.95)]
    print(f"| {name} | {label} | {p50:.1f} ms | {p95:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
