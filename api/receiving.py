"""A form with a file as it comes in: the file goes to disk piece by piece, fields are short.

FastAPI would read the whole body before it looks who is asking, into the system's temporary folder,
which may be memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from api.problems import ClientLeftError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from starlette.requests import Request

MAX_FIELDS: Final = 60
MAX_FIELD: Final = 4000  # bytes
FILE_FIELD: Final = "file"

_WRITTEN_AT_ONCE = 1024 * 1024


# Each field as often as it was given.
Fields = Mapping[str, tuple[str, ...]]
_NO_FIELDS: Final[Fields] = MappingProxyType({})


class FormError(Exception):
    """A form that can't be used: which field, why, and what the others held."""

    def __init__(self, field: str, message: str, others: Fields = _NO_FIELDS) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message, self.others = field, message, others


class FileTooLargeError(Exception):
    """The file is larger than it may be."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a form held: the name that its file is said to have, its size, and the other fields."""

    file_name: str
    size: int
    fields: Fields


async def receive(
    request: Request,
    target: Path,
    largest: int,
    before_file: Callable[[Fields], None] = lambda _: None,
) -> Form:
    """Read a form whose field ``file`` holds one file, and write that file to ``target``.

    ``before_file`` looks at the fields that stand before the file as soon as that begins; what it
    raises ends the reading.

    Raises:
        FormError: It is no such form; ``target`` holds what had come by then.
        FileTooLargeError: The file has more than ``largest`` bytes; so it is then too.
        ClientLeftError: The client left in the middle.
        OSError: The file can't be written.
    """
    parts = _Parts(largest, before_file)
    with target.open("wb") as file:
        try:
            parser = _parser(request, parts)
            async for piece in request.stream():
                parser.write(piece)
                if len(parts.written) >= _WRITTEN_AT_ONCE:
                    await run_in_threadpool(_write, parts, file)
        except FormParserError:
            raise FormError("body", "is no multipart form that can be read") from None
        except ClientDisconnect:
            raise ClientLeftError from None
        await run_in_threadpool(_write, parts, file)
    return parts.form()


def _parser(request: Request, parts: _Parts) -> MultipartParser:
    return MultipartParser(
        _boundary(request),
        {
            "on_part_begin": parts.begin,
            "on_header_field": parts.header_name,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_headers_finished": parts.headers_end,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_end": parts.finish,
        },
    )


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise FormError("content-type", "must be multipart/form-data, with its boundary")
    return boundary


def _write(parts: _Parts, file: BinaryIO) -> None:
    file.write(parts.written)
    parts.written = bytearray()


class _Parts:
    """What the parser tells of, part by part; ``written`` is the file's next piece."""

    def __init__(self, largest: int, before_file: Callable[[Fields], None]) -> None:
        self.written = bytearray()
        self._largest = largest
        self._before_file = before_file
        self._header, self._value = b"", b""
        self._disposition = b""
        self._name = ""
        self._is_file = False
        self._content = bytearray()
        self._fields: dict[str, list[str]] = {}
        self._count = 0
        self._size = 0
        self._file_name: str | None = None
        self._whole = False

    def form(self) -> Form:
        """All of it, once it is whole."""
        if not self._whole:
            raise FormError("body", "ends before the form does")
        fields = self._given()
        if self._file_name is None:
            raise FormError(FILE_FIELD, "Field required", fields)
        if not self._size:
            raise FormError(FILE_FIELD, "is empty", fields)
        return Form(self._file_name, self._size, fields)

    def begin(self) -> None:
        self._count += 1
        if self._count > MAX_FIELDS:
            raise FormError("body", f"has more than {MAX_FIELDS} fields")
        self._disposition, self._content = b"", bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""), "body")
        named = options.get(b"filename")
        self._is_file = named is not None
        if self._is_file != (self._name == FILE_FIELD):
            must = "must be a file" if self._name == FILE_FIELD else "must be no file"
            raise FormError(self._name or "body", must)
        if named is not None:
            if self._file_name is not None:
                raise FormError(FILE_FIELD, "is given more than once; upload one file at a time")
            self._file_name = named.decode(errors="replace")
            self._before_file(self._given())

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._size += end - start
            if self._size > self._largest:
                raise FileTooLargeError
            self.written += data[start:end]
        else:
            if len(self._content) + end - start > MAX_FIELD:
                raise FormError(self._name, f"has more than {MAX_FIELD} bytes")
            self._content += data[start:end]

    def end(self) -> None:
        if not self._is_file:
            self._fields.setdefault(self._name, []).append(_text(self._content, self._name))

    def finish(self) -> None:
        self._whole = True

    def _given(self) -> Fields:
        return {name: tuple(values) for name, values in self._fields.items()}


def _text(content: bytes | bytearray, field: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise FormError(field, "is not in UTF-8") from None
