"""A form with a file is read piece by piece: the file to disk, the fields within limits."""

from __future__ import annotations

import asyncio
import tracemalloc
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api.problems import ClientLeftError
from api.receiving import (
    MAX_FIELD,
    MAX_FIELDS,
    Fields,
    FileTooLargeError,
    Form,
    FormError,
    receive,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from starlette.types import Message

MEBIBYTE = 1024 * 1024
BOUNDARY = "kbkbkbkb"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, file_name: str | None = None) -> bytes:
    """One part of a form."""
    of = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{of}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part("file", b"Une note.", "note.txt")


def received(
    target: Path,
    pieces: Iterable[bytes],
    media_type: str = FORM,
    largest: int = MEBIBYTE,
    before_file: Callable[[Fields], None] = lambda _: None,
) -> Form:
    """What is received of a body that comes in pieces; after the last one the client leaves."""
    coming = iter(pieces)

    async def next_message() -> Message:
        piece = next(coming, None)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    headers = [(b"content-type", media_type.encode())]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    return asyncio.run(receive(Request(scope, next_message), target, largest, before_file))


def refused(target: Path, body: bytes, media_type: str = FORM) -> str:
    """Why a form is refused."""
    with pytest.raises(FormError) as caught:
        received(target, [body, b""], media_type)
    return str(caught.value)


@given(
    st.binary(min_size=1, max_size=3000),
    st.dictionaries(
        st.from_regex("[a-z]{1,9}", fullmatch=True).filter(lambda name: name != "file"),
        st.lists(st.text(max_size=50), min_size=1, max_size=3),
        max_size=5,
    ),
    st.integers(1, 4000),
)
def test_what_a_client_sends_is_what_is_received(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    fields: dict[str, list[str]],
    step: int,
) -> None:
    """Whatever the file holds and however the body is cut on its way."""
    target = tmp_path_factory.mktemp("received") / "file"
    sent = httpx.Request(
        "POST", "http://kb.example/", data=fields, files={"file": ("étude.pdf", content)}
    )
    body = sent.read()
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    form = received(target, [*pieces, b""], sent.headers["Content-Type"])
    assert target.read_bytes() == content
    assert form.size == len(content)
    assert form.file_name == "étude.pdf"
    assert form.fields == {name: tuple(values) for name, values in fields.items()}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (END, "file: Field required"),
        (part("title", b"Note") + END, "file: Field required"),
        (part("file", b"Une note.") + END, "file: must be a file"),
        (part("title", b"x", "x.txt") + END, "title: must be no file"),
        (FILE + FILE + END, "file: is given more than once"),
        (part("file", b"", "empty.txt") + END, "file: is empty"),
        (FILE + part("title", b"\xff") + END, "title: is not in UTF-8"),
        (FILE + part("title", b"x" * (MAX_FIELD + 1)) + END, "title: has more than"),
        (FILE + part("x", b"x") * MAX_FIELDS + END, "body: has more than"),
        (FILE, "body: ends before the form does"),
        (FILE[:-20], "body: ends before the form does"),
        (b"", "body: ends before the form does"),
        (b"{}", "body: is no multipart form"),
        (part("file", b"x", "x").replace(b"name=", b"X: y\r\n" * 50 + b"name="), "body: "),
    ],
)
def test_what_is_no_such_form_is_refused(tmp_path: Path, body: bytes, said: str) -> None:
    """The message names the field, or the body."""
    assert refused(tmp_path / "file", body).startswith(said)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "application/x-www-form-urlencoded",
        "",
    ],
)
def test_another_media_type_is_refused(tmp_path: Path, media_type: str) -> None:
    """Also a form without its boundary."""
    assert refused(tmp_path / "file", FILE + END, media_type).startswith("content-type: must be")


def test_a_boundary_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """As the parser has it."""
    assert refused(tmp_path / "file", END, FORM + "x" * 3000).startswith("body: ")


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    """One byte more than may be is too much; as many as may be are not."""
    body = part("file", b"x" * 1000, "x.txt") + END
    assert received(tmp_path / "file", [body, b""], largest=1000).size == 1000
    with pytest.raises(FileTooLargeError):
        received(tmp_path / "file", [body, b""], largest=999)


def test_a_client_that_leaves_is_no_fault_of_the_service(tmp_path: Path) -> None:
    """What had come is for the caller to delete."""
    with pytest.raises(ClientLeftError):
        received(tmp_path / "file", [FILE])


def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    """Of 64 MiB a few are in memory at any moment."""
    piece = b"x" * 65536
    head = part("file", b"", "large.bin").removesuffix(b"\r\n")
    tracemalloc.start()
    try:
        coming = chain([head], repeat(piece, 1024), [b"\r\n" + END, b""])
        form = received(tmp_path / "file", coming, largest=64 * MEBIBYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert form.size == 64 * MEBIBYTE
    assert peak < 8 * MEBIBYTE


def test_what_stands_before_the_file_is_looked_at_first(tmp_path: Path) -> None:
    """Fields behind it are not seen, and what is raised ends the reading: no file is written."""
    target = tmp_path / "file"
    seen: list[Fields] = []

    def refuse(fields: Fields) -> None:
        seen.append(fields)
        raise PermissionError

    body = part("title", b"Une note") + FILE + part("theme", b"phares") + END
    with pytest.raises(PermissionError):
        received(target, [body, b""], before_file=refuse)
    assert seen == [{"title": ("Une note",)}]
    assert target.read_bytes() == b""


def test_a_form_without_a_file_tells_what_else_it_held(tmp_path: Path) -> None:
    """So that it can be shown again with it."""
    with pytest.raises(FormError) as caught:
        received(tmp_path / "file", [part("title", b"Une note") + END, b""])
    assert caught.value.field == "file"
    assert caught.value.others == {"title": ("Une note",)}
