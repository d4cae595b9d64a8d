"""Requests a second and how long they take, of the service and of a plain one beside it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.load import asks, peer
from evaluation.load.clients import Plan, finish, start
from evaluation.load.served import PYTHON, Busy, copied, make_keys, running, served

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evaluation.load.clients import Sample
    from evaluation.load.served import Service

# Seconds that are asked and not counted: what is read first is read, and those of many clients that
# wait longest (KB_QUEUE_SECONDS) have been told so.
WARMING = 10.0
SEARCH, PEER = "search", "SQLite FTS5"


@dataclass(frozen=True, slots=True)
class Row:
    """What so many clients got of one kind of request.

    Only answers that were as expected count into the rate and the milliseconds. ``processors`` says
    how many of the machine's were at work on average: for the service, for the clients, and for
    whatever else ran (also the start of the clients' process).
    """

    base: str
    what: str
    clients: int
    requests_a_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    statuses: dict[str, int]
    problems: dict[str, int]
    processors: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def measure(
    home: Path, clients: Sequence[int], seconds: float, warming: float = WARMING
) -> Iterator[Row]:
    """Measure a copy of a base at each number of clients, then the plain service over the same.

    ``warming`` is how many seconds are asked before, and not counted.
    """
    with copied(home) as base:
        name = f"{passages_of(base):,} passages"
        keys = make_keys(base, max(clients))
        with served(base) as service:
            what = {
                SEARCH: asks.searches(),
                "answers": asks.answers(),
                "mix": asks.mix(service.url, keys[0]),
            }
            for kind, asked in what.items():
                for count in clients:
                    plan = Plan(service.url, keys[:count], asked, warming + seconds)
                    yield _row(name, kind, service, plan, warming)
        file = base.parent / "peer.db"
        peer.build(base / "record.db", file)
        command = [PYTHON, "-m", "evaluation.load.peer", str(file)]
        with running(command, base.parent / "peer.log", base) as service:
            for count in clients:
                plan = Plan(service.url, (None,) * count, asks.searches(), warming + seconds)
                yield _row(name, PEER, service, plan, warming)


def percentiles(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Milliseconds of the answers that were as expected: p50, p95, p99; zeros where none was."""
    took = [sample.seconds * 1000 for sample in samples if not sample.problem]
    if not took:
        return 0.0, 0.0, 0.0
    p50, p95, p99 = (round(float(value), 1) for value in np.percentile(took, (50, 95, 99)))
    return p50, p95, p99


def passages_of(home: Path) -> int:
    """How many passages can be found in the current generation of a base."""
    query = """
      select count(*) from passages join members using (version_key)
      where current and generation = (select max(id) from generations where state = 'published')"""
    address = f"{(home / 'record.db').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        found: int = connection.execute(query).fetchone()[0]
    return found


def _row(base: str, what: str, service: Service, plan: Plan, warming: float) -> Row:
    before = Busy.now(service)
    outcome = finish(start(plan))
    shares = before.since(service, outcome.cpu_seconds)
    counted = [each for each in outcome.samples if warming <= each.ended <= plan.seconds]
    expected = sum(not each.problem for each in counted)
    return Row(
        base,
        what,
        len(plan.keys),
        round(expected / (plan.seconds - warming), 1),
        *percentiles(counted),
        statuses=dict(sorted(Counter(str(each.status) for each in counted).items())),
        problems=dict(Counter(each.problem for each in counted if each.problem)),
        processors=shares,
    )
