"""How the service writes its log: as text or as JSON, without what people ask and who they are.

A line is about a request by its id and by the template of its address. Libraries put what they
were given into their messages and errors, and that may be a question: of their messages only the
constant part is written, of errors only their types and places.
"""

from __future__ import annotations

import logging
import re
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter

# The id of the request that is being answered, also in the threads that work for it.
current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
# What a line has beside its words, in this order. Nothing else is written of a record.
FIELDS: Final = ("milliseconds", "bytes", "door", "role", "problem", "request_id")
_JSON_FIELDS: Final = (
    *("time", "level", "logger", "message", "method", "route", "status"),
    *FIELDS,
    "error",
)

# Loggers whose messages are written with care for what they tell; uvicorn's are about itself.
_CAREFUL: Final = {"api", "kb", "uvicorn"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Discreet(logging.Filter):
    """Puts the request's id into a record, and takes out what a library was given."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; none is left out."""
        if not hasattr(record, "request_id"):
            record.request_id = current_request.get()
        if record.name.partition(".")[0] not in _CAREFUL:
            # A message without arguments may be made of them already.
            constant = str(record.msg).partition("\n")[0] if record.args else record.funcName
            record.msg = f"{record.name}, {record.filename}:{record.lineno}: {constant}"
            record.args = None
        return True


class TextLines(logging.Formatter):
    """A line for people: time, level, words, then fields with their names."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it the places of an error."""
        words = _CONTROL.sub(_harmless, record.getMessage().strip())
        line = f"{_time(record)} {record.levelname:<7} {words}"
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line += f" {name}={value}"
        if record.exc_info and record.exc_info[1]:
            line += f"\n{places(record.exc_info[1])}"
        return line


class JsonLines(JsonFormatter):
    """A JSON object for programs, with the same fields."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            timestamp="time",
        )

    def formatException(self, ei: Any) -> str:  # noqa: N802 -- the name that logging calls
        """Types and places alone."""
        return places(ei[1])

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """The fields that are known, where they hold something."""
        return {name: log_data[name] for name in _JSON_FIELDS if log_data.get(name) is not None}


def places(error: BaseException) -> str:
    """Where an error arose, and those that it came of: types and lines of code, no messages.

    A message may hold what was asked, or what a database was given.
    """
    told: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        kind = type(each)
        told += [
            f"{kind.__module__}.{kind.__qualname__}\n",
            *traceback.format_tb(each.__traceback__),
        ]
        waiting += [each.__cause__, None if each.__suppress_context__ else each.__context__]
        waiting += getattr(each, "exceptions", ())  # of a group
    return "".join(told).rstrip()


def log_config(form: str) -> dict[str, Any]:
    """What ``logging.config`` is told: all to standard error, in the form ``text`` or ``json``.

    uvicorn's line about each request is left out: ``api.observing`` writes a better one.
    """
    lines = "JsonLines" if form == "json" else "TextLines"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"discreet": {"()": "api.logs.Discreet"}},
        "formatters": {"lines": {"()": f"api.logs.{lines}"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
                "filters": ["discreet"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "api": {"level": "INFO"},
            "kb": {"level": "INFO"},
            "uvicorn": {"level": "INFO"},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _harmless(found: re.Match[str]) -> str:
    """A control character as its escape, a new line indented: no message begins a line."""
    if found[0] == "\n":
        return "\n    "
    return found[0].encode("unicode_escape").decode("ascii")
