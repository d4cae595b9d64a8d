"""What the service counts of itself, for Prometheus.

Counted since the process started; with several processes (``kb serve --workers``) each writes to
files of a folder that they share, and whichever is asked adds them up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from kb.errors import StoreError
from kb.model import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kb.bootstrap import KnowledgeBase

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
# The folder that processes share; Prometheus' client reads this variable when it is imported.
SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STATM: Final = Path("/proc/self/statm")  # where there is none, memory is not told


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is counted; ``metrics`` has the ones of this process."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    in_flight: Gauge
    problems: Counter
    waiting: Gauge
    answers: Counter
    dropped: Counter
    switches: Counter
    memory: Gauge


@cache
def metrics() -> Metrics:
    """The metrics of this process, the same at every call."""
    # When each series began is as many lines again. (The library has no type for this.)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    return Metrics(
        registry=registry,
        requests=Counter(
            "kb_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=registry,
        ),
        seconds=Histogram(
            "kb_request_seconds",
            "Seconds from a request's head to the end of its response.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        ),
        in_flight=_gauge(registry, "kb_requests_in_flight", "Requests that are being answered."),
        problems=Counter(
            "kb_problems",
            "Requests that were answered with a problem, by the last part of its type.",
            ("type",),
            registry=registry,
        ),
        waiting=_gauge(registry, "kb_queue_waiting", "Requests that wait for their turn."),
        answers=Counter(
            "kb_answers", "Answers to questions, by their status.", ("status",), registry=registry
        ),
        dropped=Counter(
            "kb_connections_dropped",
            "Connections that were closed because their client was too slow.",
            ("why",),
            registry=registry,
        ),
        switches=Counter(
            "kb_generation_switches",
            "How often a process went over to another generation of the index.",
            registry=registry,
        ),
        memory=Gauge(
            "kb_memory_bytes",
            "Memory that a process has in use.",
            multiprocess_mode="liveall",
            registry=registry,
        ),
    )


def exposition(kb: KnowledgeBase) -> bytes:
    """Everything in Prometheus' text format: what was counted, and what the base holds now."""
    measure_memory()
    counted = metrics().registry
    if os.environ.get(SHARED_FOLDER):
        counted = CollectorRegistry()
        # The library has no type for this one.
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    held = CollectorRegistry()
    held.register(_Held(kb))
    return generate_latest(counted) + generate_latest(held)


def measure_memory() -> None:
    """Note how much memory this process has in use."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return
    metrics().memory.set(pages * os.sysconf("SC_PAGE_SIZE"))


def _gauge(registry: CollectorRegistry, name: str, words: str) -> Gauge:
    """A gauge that is the sum of what the processes that live say."""
    return Gauge(name, words, multiprocess_mode="livesum", registry=registry)


class _Held(Collector):
    """The current generation and what it holds, the same in every process.

    Nothing is told of it before anything is ingested, and while the base can't be read: what was
    counted is wanted most then.
    """

    def __init__(self, kb: KnowledgeBase) -> None:
        self._kb = kb

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Ask the record and the index."""
        try:
            current = self._kb.record.current_id()
            if current is None:
                return ()
            documents = self._kb.record.count_documents(current, FULL_ACCESS)
            with self._kb.generations.current() as view:
                passages = view.index.count()
        except (StoreError, SQLAlchemyError):
            return ()
        return (
            GaugeMetricFamily("kb_generation", "Number of the current generation.", current),
            GaugeMetricFamily("kb_documents", "Documents of the current generation.", documents),
            GaugeMetricFamily("kb_passages", "Passages of the generation in use.", passages),
        )
