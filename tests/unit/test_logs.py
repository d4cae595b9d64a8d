"""What the log of the service holds, and what it never does."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from api.logs import Discreet, JsonLines, TextLines, current_request, log_config, places
from api.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "Combien Marie Dupont a-t-elle reçu ?"


def record(
    words: str = "GET /v1/search 200",
    *arguments: object,
    name: str = "api.requests",
    error: BaseException | None = None,
    **fields: object,
) -> logging.LogRecord:
    """A record as a logger makes it, after the filter."""
    raised = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, logging.INFO, __file__, 7, words, arguments, raised, "ask")
    made.__dict__.update(fields)
    made.created = 1_772_366_400.25  # 2026-03-01T12:00:00.250Z
    assert Discreet().filter(made), "none is left out"
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    """A record as its JSON line says it."""
    line = JsonLines().format(made)
    assert "\n" not in line
    told: dict[str, Any] = json.loads(line)
    return told


def both(made: logging.LogRecord) -> str:
    """A record in both forms."""
    return TextLines().format(made) + JsonLines().format(made)


def test_a_line_of_text_has_the_time_the_words_and_the_fields_that_are_known() -> None:
    """A line of text has the time, the words and the fields that are known."""
    made = record(milliseconds=12.5, role="staff", door=None, request_id="abc")
    assert TextLines().format(made) == (
        "2026-03-01T12:00:00.250Z INFO    GET /v1/search 200"
        " milliseconds=12.5 role=staff request_id=abc"
    )


def test_a_line_of_json_has_the_same_for_programs() -> None:
    """A line of JSON has the same for programs."""
    made = record(milliseconds=12.5, role="staff", door=None, route="/v1/search", status=200)
    assert as_json(made) == {
        "time": "2026-03-01T12:00:00.250000+00:00",
        "level": "INFO",
        "logger": "api.requests",
        "message": "GET /v1/search 200",
        "route": "/v1/search",
        "status": 200,
        "milliseconds": 12.5,
        "role": "staff",
    }


def test_fields_that_nobody_thought_of_are_not_written() -> None:
    """A library may hang what it was given on its records."""
    assert QUESTION not in both(record(prompt=QUESTION))


def test_every_line_of_a_request_names_it() -> None:
    """Whatever is logged while a request is answered carries its id."""
    token = current_request.set("request-1")
    try:
        assert "request_id=request-1" in TextLines().format(record("The store is locked."))
        assert as_json(record("The store is locked."))["request_id"] == "request-1"
    finally:
        current_request.reset(token)
    assert "request_id" not in as_json(record("Application startup complete."))


def _fail(error: BaseException) -> None:
    raise error


def _nested() -> None:
    try:
        _fail(ValueError(QUESTION))
    except ValueError as error:
        raise RuntimeError(f"The step failed: {QUESTION}") from error


def _unrelated() -> None:
    try:
        _nested()
    except RuntimeError:
        raise KeyError(QUESTION) from None


def _group() -> None:
    raise ExceptionGroup(QUESTION, [_raised(_unrelated), OSError(QUESTION)])


def _statement() -> None:
    engine = create_engine("sqlite://", hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(text("SELECT nothing FROM nowhere WHERE q = :q"), {"q": QUESTION})


def _raised(what: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 -- of any kind
        what()
    raised.value.add_note(QUESTION)
    return raised.value


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        (_nested, ["builtins.RuntimeError", "builtins.ValueError"]),
        (_unrelated, ["builtins.KeyError"]),
        (_group, ["builtins.ExceptionGroup", "builtins.KeyError", "builtins.OSError"]),
        (_statement, ["sqlalchemy.exc.OperationalError", "sqlite3.OperationalError"]),
    ],
)
def test_an_error_is_told_by_its_types_and_places(
    what: Callable[[], None], kinds: list[str]
) -> None:
    """Messages and notes may hold what was asked; where it arose is in the code."""
    error = _raised(what)
    told = both(record("Exception in ASGI application\n", name="uvicorn.error", error=error))
    assert QUESTION not in told
    assert "Dupont" not in told
    assert "test_logs.py" in told
    for kind in kinds:
        assert kind in places(error)


def test_an_error_is_told_with_what_it_came_of() -> None:
    """The chain is followed, also in a ring."""
    error = _raised(_nested)
    assert places(error).index("RuntimeError") < places(error).index("ValueError")
    assert error.__cause__ is not None
    error.__cause__.__cause__ = error
    assert places(error).count("builtins.RuntimeError") == 1


def test_what_a_library_says_of_what_it_was_given_is_left_out() -> None:
    """Only the constant part of its words, or the place where it said them."""
    with_arguments = record("Can't embed %s\nfor %s", QUESTION, 3, name="vendor.models")
    assert QUESTION not in both(with_arguments)
    assert "vendor.models, test_logs.py:7: Can't embed %s" in both(with_arguments)
    made_already = record(f"Can't embed {QUESTION}", name="vendor.models")
    assert QUESTION not in both(made_already)
    assert "vendor.models, test_logs.py:7: ask" in both(made_already)


def test_a_message_can_not_look_like_a_line_of_its_own() -> None:
    """Whoever asks for /a%0A2026… writes no line into the log."""
    forged = "/a\n2026-03-01T12:00:00.250Z INFO    forged\r\x1b[31m\u2028"
    lines = TextLines().format(record("%s: refused", forged)).split("\n")
    assert lines[1].startswith("    2026")
    assert "\\r\\x1b[31m\\u2028" in lines[1]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/feeds/oms_Secret-1/calls.ics", "/v1/feeds/…/calls.ics"),
        ("/kb/v1/feeds//oms_Secret-1/calls.atom", "/kb/v1/feeds/…/calls.atom"),
        ("/v1/searches/oms_Secret-1", "/v1/searches/…"),
        ("/v1/searches/confirm/Secret-1", "/v1/searches/confirm/…"),
        ("/v1/unsubscribe/Secret-1", "/v1/unsubscribe/…"),
        ("/briefs/Secret-1", "/briefs/…"),
        ("/kb/briefs/Secret-1/export", "/kb/briefs/…/export"),
        ("/briefs/add", "/briefs/add"),
        ("/v1/searches", "/v1/searches"),
        ("/v1/calls/HORIZON-1", "/v1/calls/HORIZON-1"),
    ],
)
def test_the_log_does_not_hold_secrets(path: str, written: str) -> None:
    """Whoever reads logs is not to read feeds, delete searches or erase addresses."""
    assert without_secrets(path) == written


@pytest.mark.parametrize("form", ["text", "json"])
def test_everything_goes_to_standard_error_in_one_form(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours, uvicorn's and the warnings of libraries; not uvicorn's line about each request."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig(log_config(form))
        root.handlers[0].setStream(sys.stderr)  # type: ignore[attr-defined]
        logging.getLogger("api.readiness").info("Ready again.")
        logging.getLogger("uvicorn.error").info("Shutting down")
        logging.getLogger("uvicorn.access").info("GET /v1/search?query=%s", QUESTION)
        logging.getLogger("vendor").warning("Slow")
        logging.getLogger("vendor").info("Quick")
    finally:
        root.handlers, root.level = before, level
        for name in log_config(form)["loggers"]:
            logging.getLogger(name).setLevel(logging.NOTSET)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    for line, words in zip(lines, ("Ready again.", "Shutting down", "vendor"), strict=True):
        assert words in line
    assert all(line.startswith("{") == (form == "json") for line in lines)


def test_a_database_error_hides_what_it_was_given() -> None:
    """What remains, where a message is written after all, has no parameters."""
    error = _raised(_statement)
    assert isinstance(error, OperationalError)
    assert QUESTION not in str(error)
