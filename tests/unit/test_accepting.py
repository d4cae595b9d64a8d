"""Which media type a caller gets by what it accepts."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.accepting import wants_events

EVENTS, JSON = "text/event-stream", "application/json"


def _request(*accept: str) -> Request:
    headers = [(b"accept", each.encode()) for each in accept]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "accept",
    [
        EVENTS,
        "TEXT/Event-Stream",
        f"{EVENTS};charset=utf-8",
        f"{EVENTS}, */*;q=0.1",
        f"{JSON};q=0.5, {EVENTS}",
        f"{JSON}, {EVENTS}",
        "text/*",
        f"*/*, {JSON};q=0",
        f"application/*;q=0.2, {EVENTS};q=0.3",
    ],
)
def test_a_stream_is_for_who_names_it_and_wants_nothing_more(accept: str) -> None:
    """By media ranges and their qualities; the closer range counts."""
    assert wants_events(_request(accept))


@pytest.mark.parametrize(
    "accept",
    [
        JSON,
        "*/*",
        "application/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        f"{EVENTS};q=0.9, {JSON}",
        f"{EVENTS};q=0, */*",
        f"{EVENTS} ; q = 0.5 , {JSON} ; q = 0.501",
        "text/*;q=0.1, */*;q=0.2",
    ],
)
def test_everybody_else_who_can_read_it_gets_json(accept: str) -> None:
    """Also who takes anything."""
    assert not wants_events(_request(accept))


def test_what_several_headers_say_counts_together() -> None:
    """They are one list; without any, anything is accepted."""
    assert wants_events(_request("text/html", EVENTS))
    assert not wants_events(_request())


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", f"{EVENTS};q=0.000, image/*", ","])
def test_who_accepts_neither_is_told_what_there_is(accept: str) -> None:
    """406, which names both."""
    with pytest.raises(HTTPException, match=JSON) as raised:
        wants_events(_request(accept))
    assert raised.value.status_code == 406
