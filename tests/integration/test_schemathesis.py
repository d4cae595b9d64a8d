"""The service keeps what its OpenAPI document says: all checks of Schemathesis, whoever asks.

``KB_SCHEMATHESIS_EXAMPLES`` says how many random examples each operation is asked with (default
5), beside its examples, every limit that its schema states, and sequences of operations.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from calls_making import brussels, made, record, take
from mcp_base import OPEN_CALL, open_base, write_files
from schemathesis.checks import CHECKS
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
    from fastapi import FastAPI
    from schemathesis.engine.recorder import CheckFailureInfo, ScenarioRecorder

EXAMPLES = int(os.environ.get("KB_SCHEMATHESIS_EXAMPLES", "5"))
MANY = 10**6
TOO_LONG = 414
# What makes a request that has the shape of the schema one that can't be understood: rules that
# JSON Schema has no words for. Each is the beginning of a problem's ``detail``.
RULES = (
    "fields: ",  # names members of the response
    "as_of is ",  # lies in the years for which calls are known
    "(status|applicant|country|deadline|budget)[a-z_]* is ",  # words, and lists with commas
    "query: ",  # of a saved search: as the parameters of /v1/calls
    "Calls can't be narrowed by |.* is (True|False), which says nothing",  # the same
    "email: ",  # there is no mail server here
    "name: ",  # not of blanks alone
    "cursor is ",  # one that was given
    # Neither query nor q; until before since.
    "These fields can't be used: ((queries\\.[0-9]+\\.)?(until|query)(, )?)+\\.",
    "until must not lie before since",
    "profile: ",
)


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


@pytest.mark.slow
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
    seen = Seen()
    try:
        for event in from_schema(described(create_app(evidence.kb), headers)).execute():
            seen.note(event)
    finally:
        asgi.shutdown_lifespans()
    with capsys.disabled():
        who = role or "anonymous"
        sys.stdout.write(f"\n{who}: {seen.cases} cases, {seen.checks.total()} checks\n")
    assert not seen.failures, "\n\n".join(seen.failures.values())
    # Without a key nobody's can be left out.
    assert set(CHECKS.get_all_names()) - set(seen.checks) <= {"ignored_auth"}


def described(app: FastAPI, headers: dict[str, str]) -> Any:
    """The document of an application with what is to be asked, and what is no failure."""
    document = json.loads(json.dumps(app.openapi()))
    # Schemathesis 4.32 takes `prefixItems` of a response for a schema that is none.
    del document["components"]["schemas"]["Page"]["properties"]["boxes"]["items"]["prefixItems"]
    generation = {"max-examples": EXAMPLES, "deterministic": True, "database": "none"}
    config = {
        "seed": 1,
        "headers": headers,
        "continue-on-failure": True,
        "generation": generation,
    }
    schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(config))
    schema.app = app

    @schema.hook
    def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
        del _context
        return not is_meant(failure, case, response)

    return schema


def is_meant(failure: Any, case: Any, response: Any) -> bool:
    """Whether what a check takes for a failure is as it is meant to be, and can't be described."""
    if response.status_code == TOO_LONG:
        return True  # an address is looked at as a whole before its parts are
    match failure.title:
        case "Schema-valid request rejected":
            detail = response.json().get("detail", "")
            return any(re.match(rule, detail) for rule in RULES)
        case "Unexpected response to a request without authentication":
            # What is for staff is not there for others. The response is that of the first request.
            return "got `404 Not Found`" in failure.message
        case "Response violates schema":
            return "fields" in (case.query or {})  # who names members gets these alone
    return False


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
