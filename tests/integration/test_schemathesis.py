"""The service keeps what its OpenAPI document promises, whoever asks, by all checks of Schemathesis.

``KB_SCHEMATHESIS_EXAMPLES`` says how many examples each operation is asked with (default 25).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from calls_making import brussels, made, record, take
from mcp_base import OPEN_CALL, open_base, write_files
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.python import asgi

from api.app import create_app
from api.rates import STRICT
from kb.keys import KeyRole, NewKey
from kb.model import Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Base
    from schemathesis.engine.recorder import CheckFailureInfo, ScenarioRecorder

EXAMPLES = int(os.environ.get("KB_SCHEMATHESIS_EXAMPLES", "25"))
SECONDS = 720
MANY = 10**6


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Base]:
    """Documents and calls of every visibility; as many requests a minute as anybody makes."""
    base = open_base(tmp_path, rate_anonymous=MANY, rate_key=MANY)
    write_files(base)
    assert base.ingest().exit_code == 0
    call = made("LADDER-2026-01", deadlines=(brussels("2026-04-01"),), programme="Village Fund")
    take(base.kb, [record(call, OPEN_CALL)])
    take(base.kb, [made("HIDDEN-2026-01", title="Lighthouses")], Visibility.INTERNAL)
    yield base
    base.kb.close()


@pytest.mark.parametrize("role", [None, KeyRole.PARTNER, KeyRole.STAFF])
def test_everything_is_as_the_document_says(
    evidence: Base,
    role: KeyRole | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Examples, limits, random values and sequences of operations break no check."""
    for route in STRICT:
        monkeypatch.setitem(STRICT, route, MANY)
    # Uploads wait: to read one takes a process of its own.
    monkeypatch.setattr("api.ingesting.UploadRunner._step", lambda _runner: None)
    headers = {}
    if role is not None:
        _, key = evidence.kb.keys.create(NewKey(role.value, role), evidence.kb.clock())
        headers["Authorization"] = f"Bearer {key}"
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "headers": headers,
            "max-time": SECONDS,
            "continue-on-failure": True,
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
        }
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(evidence.kb), config=config)
    seen = Seen()
    try:
        for event in from_schema(schema).execute():
            seen.note(event)
    finally:
        asgi.shutdown_lifespans()
    with capsys.disabled():
        who = role or "anonymous"
        sys.stdout.write(f"\n{who}: {seen.cases} cases, {seen.checks.total()} checks\n")
    assert not seen.failures, "\n\n".join(seen.failures.values())
    assert seen.cases > EXAMPLES


class Seen:
    """What the engine told: cases, checks, and each failure once."""

    def __init__(self) -> None:
        self.cases = 0
        self.checks: Counter[str] = Counter()
        self.failures: dict[str, str] = {}

    def note(self, event: Any) -> None:
        """Note an event."""
        if isinstance(event, FatalError | NonFatalError):
            told = str(getattr(event, "exception", None) or getattr(event, "value", event))
            self.failures.setdefault(told, told)
        if isinstance(event, ScenarioFinished):
            self._scenario(event.recorder)

    def _scenario(self, recorder: ScenarioRecorder) -> None:
        self.cases += len(recorder.cases)
        for case_id, checks in recorder.checks.items():
            label = recorder.cases[case_id].value.operation.label
            for check in checks:
                self.checks[check.name] += 1
                if check.failure_info is not None:
                    self._failed(f"{check.name}: {label}", check.failure_info)

    def _failed(self, what: str, info: CheckFailureInfo) -> None:
        told = f"{what}\n{info.failure.title}: {info.failure.message}\n{info.code_sample[:2000]}"
        self.failures.setdefault(f"{what} {info.failure.title}", told)
