"""``kb serve`` before and around the service itself."""

from __future__ import annotations

import logging
import socket

import pytest

from api.cli import WithoutQuery, _listen, _url
from kb.errors import StoreError


def test_port_0_takes_a_free_one_and_the_url_names_it() -> None:
    """Port 0 takes a free one and the url names it."""
    with _listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        assert _url("127.0.0.1", listener) == f"http://127.0.0.1:{port}"
        assert _url("::1", listener) == f"http://[::1]:{port}"


def test_the_listener_states_its_protocol_so_that_answers_leave_at_once() -> None:
    """The listener states its protocol so that answers leave at once."""
    with _listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    """A port in use is an error that names it."""
    with _listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StoreError, match=f"port {port}: Address already in use") as raised:
            _listen("127.0.0.1", port)
    assert raised.value.exit_code == 3


def test_an_unknown_host_is_an_error_that_names_it() -> None:
    """An unknown host is an error that names it."""
    with pytest.raises(StoreError, match=r"nowhere\.invalid"):
        _listen("nowhere.invalid", 0)


def test_the_log_of_a_request_does_not_hold_what_was_asked() -> None:
    """The log of a request does not hold what was asked."""
    arguments = ("127.0.0.1:5", "GET", "/v1/search?query=secret", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", 20, "", 0, "%s %s %s %s %d", arguments, None)
    assert WithoutQuery().filter(record)
    assert record.getMessage() == "127.0.0.1:5 GET /v1/search 1.1 200"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/feeds/oms_Secret-1/calls.ics", "/v1/feeds/…/calls.ics"),
        ("/kb/v1/feeds//oms_Secret-1/calls.atom?x=1", "/kb/v1/feeds/…/calls.atom"),
        ("/v1/searches/oms_Secret-1", "/v1/searches/…"),
        ("/v1/searches/confirm/Secret-1", "/v1/searches/confirm/…"),
        ("/v1/unsubscribe/Secret-1?List-Unsubscribe=One-Click", "/v1/unsubscribe/…"),
        ("/v1/searches", "/v1/searches"),
        ("/v1/calls/HORIZON-1", "/v1/calls/HORIZON-1"),
    ],
)
def test_the_log_of_a_request_does_not_hold_secrets(path: str, written: str) -> None:
    """Whoever reads logs is not to read feeds, delete searches or erase addresses."""
    arguments = ("127.0.0.1:5", "GET", path, "1.1", 200)
    record = logging.LogRecord("uvicorn.access", 20, "", 0, "%s %s %s %s %d", arguments, None)
    assert WithoutQuery().filter(record)
    assert record.getMessage() == f"127.0.0.1:5 GET {written} 1.1 200"
