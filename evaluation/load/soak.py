"""Minutes of load while documents are published and backups made: what fails, and what grows."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from evaluation.load import asks
from evaluation.load.clients import Plan, finish, start
from evaluation.load.served import Busy, command, copied, make_keys, served
from evaluation.load.throughput import passages_of, percentiles

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from evaluation.load.clients import Outcome, Sample
    from evaluation.load.served import Memory, Service

CLIENTS = 8
REFUSED = ("429", "503")
_PUBLISHED_EVERY = 10.0  # seconds, or as long as a run takes
_BACKED_UP_EVERY = 120.0
_MINUTE = 60.0
_TRIES = 5
_QUESTION = "Quel numéro porte l'édition courante du journal de suivi ?"
_EDITION = """\
# Journal de suivi des engagements

L'édition courante du journal de suivi porte le numéro SUIVI{number:05}.

Le journal de suivi des engagements paraît chaque fois que l'un d'eux change.
"""
_MARK = re.compile(r"SUIVI\d{5}")
_SWITCHES = re.compile(r"^kb_generation_switches_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Edition:
    """A document that was published anew, and what was found of it straight afterwards."""

    seconds: float
    exit_code: int
    searched: bool
    answered: bool
    outdated: bool


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made."""

    seconds: float
    exit_code: int
    size: int


@dataclass(slots=True)
class _Soak:
    """What is done to a base while its service is asked, and what is seen of it."""

    home: Path
    service: Service
    http: httpx.Client
    began: float = field(default_factory=time.monotonic)
    editions: list[Edition] = field(default_factory=list)
    memory: list[tuple[float, Memory]] = field(default_factory=list)
    backups: list[Future[Backup]] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def go_on(self, seconds: float) -> None:
        """Publish, back up and look at memory for so long."""
        with ThreadPoolExecutor(1) as thread:
            while self.elapsed < seconds:
                if self.elapsed >= len(self.memory) * _MINUTE:
                    self.look()
                if self.elapsed >= len(self.backups) * _BACKED_UP_EVERY:
                    self.backups.append(thread.submit(self._back_up))
                due = self.elapsed + _PUBLISHED_EVERY
                self.editions.append(self._publish())
                time.sleep(max(0.0, min(due, seconds) - self.elapsed))

    def look(self) -> None:
        """Note how much memory the service has."""
        self.memory.append((round(self.elapsed, 1), self.service.memory))

    def _publish(self) -> Edition:
        text = _EDITION.format(number=len(self.editions) + 1)
        file = self.home.parent / "journal.md"
        file.write_text(text, encoding="utf-8")
        began = self.elapsed
        done = command(self.home, "ingest", str(file))
        took = self.elapsed - began
        hits = self._ask("GET", "/v1/search", params={"query": _QUESTION}).get("hits", [])
        cited = self._ask("POST", "/v1/answers", json={"question": _QUESTION}).get("citations", [])
        wanted = set(_MARK.findall(text))
        found = {mark for hit in hits for mark in _MARK.findall(hit["text"])}
        quoted = {mark for each in cited for mark in _MARK.findall(each["quote"])}
        outdated = bool((found | quoted) - wanted)
        return Edition(round(took, 1), done.returncode, wanted <= found, wanted <= quoted, outdated)

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """Ask, again where the service is busy."""
        for _ in range(_TRIES):
            response = self.http.request(method, path, **content)
            if str(response.status_code) not in REFUSED:
                break
            time.sleep(float(response.headers["retry-after"]))
        said: dict[str, Any] = response.json()
        return said if response.is_success else {}

    def _back_up(self) -> Backup:
        file, began = self.home.parent / "backup", self.elapsed
        done = command(self.home, "backup", str(file), "--replace")
        size = file.stat().st_size if file.is_file() else 0
        return Backup(round(self.elapsed - began, 1), done.returncode, size)


def soak(home: Path, seconds: float) -> dict[str, Any]:
    """Have clients ask a copy of a base for so long; returns what happened."""
    with copied(home) as base:
        *keys, own = make_keys(base, CLIENTS + 1)
        headers = {"Authorization": f"Bearer {own}"}
        with (
            served(base) as service,
            httpx.Client(
                base_url=service.url, headers=headers, timeout=_MINUTE, trust_env=False
            ) as http,
        ):
            plan = Plan(service.url, tuple(keys), asks.mix(service.url, own), seconds)
            switched, busy = _switches(http), Busy.now(service)
            clients = start(plan)
            soaking = _Soak(base, service, http)
            soaking.go_on(seconds)
            outcome = finish(clients)
            soaking.look()
            return {
                "base": f"{passages_of(base):,} passages",
                "seconds": seconds,
                "clients": CLIENTS,
                "processors": busy.since(service, outcome.cpu_seconds),
                "switches": _switches(http) - switched,
                "complaints": service.complaints,
                **_as_json(soaking),
                **summary(outcome),
            }


def summary(outcome: Outcome) -> dict[str, Any]:
    """What clients were answered: by status, by kind and by minute; refusals apart from errors."""
    refused = Counter(str(each.status) for each in outcome.samples if str(each.status) in REFUSED)
    errors = Counter(
        f"{each.kind}: {each.problem}"
        for each in outcome.samples
        if each.problem and str(each.status) not in REFUSED
    )
    return {
        "requests": len(outcome.samples),
        "statuses": dict(sorted(Counter(str(each.status) for each in outcome.samples).items())),
        "refused": {status: refused[status] for status in REFUSED},
        "errors": dict(errors),
        "by_kind": _grouped("kind", [(each.kind, each) for each in outcome.samples]),
        "by_minute": _grouped(
            "minute", [(int(each.ended // _MINUTE) + 1, each) for each in outcome.samples]
        ),
    }


def _grouped(name: str, samples: list[tuple[Any, Sample]]) -> list[dict[str, Any]]:
    groups: dict[Any, list[Sample]] = defaultdict(list)
    for key, sample in samples:
        groups[key].append(sample)
    return [
        {
            name: key,
            "requests": len(group),
            **dict(zip(("p50_ms", "p95_ms", "p99_ms"), percentiles(group), strict=True)),
            "not_expected": sum(bool(sample.problem) for sample in group),
        }
        for key, group in sorted(groups.items())
    ]


def _as_json(soaking: _Soak) -> dict[str, Any]:
    editions = soaking.editions
    return {
        "published": sum(each.exit_code == 0 for each in editions),
        "not_published": sum(each.exit_code != 0 for each in editions),
        "publishing_seconds": [each.seconds for each in editions],
        "newest_found": sum(each.searched for each in editions),
        "newest_cited": sum(each.answered for each in editions),
        "outdated": sum(each.outdated for each in editions),
        "backups": [asdict(each.result()) for each in soaking.backups],
        "memory": [{"seconds": at, **asdict(memory)} for at, memory in soaking.memory],
    }


def _switches(http: httpx.Client) -> int:
    found = _SWITCHES.search(http.get("/metrics").raise_for_status().text)
    return int(float(found[1])) if found else 0
