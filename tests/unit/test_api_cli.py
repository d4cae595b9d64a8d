"""``kb serve`` before and around the service itself."""

from __future__ import annotations

import socket

import pytest

from api.cli import _listen, _url
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
