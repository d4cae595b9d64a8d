"""Saved answers as streams: unpacked while read, JSON values one after another, within limits."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from kb.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = 64 * 1024  # bytes: what a format is recognised by
# The bulk file of the EU portal has 130 MB; what unpacks to more than this is no saved answer.
LARGEST = 2 * 1024**3
# Characters: the longest single record met has 61,000, a page of the search API 2,000,000.
LARGEST_VALUE = 64 * 1024**2
_CHUNK = 256 * 1024
_GZIP = b"\x1f\x8b"
_SPACE = " \t\r\n\ufeff,"


def opened(path: Path, name: str) -> io.BufferedReader:
    """Open a file, unpacked if it is gzip, whatever its name, after its byte order mark.

    Raises:
        UnreadableError: The file can't be opened, or is damaged; so does reading it, and reading
            past 2 GiB.
    """
    try:
        file = path.open("rb")
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
    except OSError as error:
        raise UnreadableError(f"{name} can't be opened: {error.strerror}.") from error
    raw = gzip.GzipFile(fileobj=file) if packed else file
    stream: io.BufferedReader = io.BufferedReader(_Limited(raw, file, name), _CHUNK)
    try:
        if stream.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
    except UnreadableError:
        stream.close()
        raise
    return stream


def head_of(path: Path, name: str) -> bytes:
    """Return the first 64 KiB, unpacked; what can be read of a damaged file, else nothing."""
    parts: list[bytes] = []
    try:
        with opened(path, name) as stream:
            while sum(map(len, parts)) < HEAD and (part := stream.read1(4096)):
                parts.append(part)
    except (UnreadableError, OSError):
        pass
    return b"".join(parts)[:HEAD]


def json_values(stream: BinaryIO, name: str) -> Iterator[Any]:
    """Yield the JSON values that stand one after another, and those of arrays that hold them.

    Values are parted by nothing (the portal's public export), by newlines (JSONL) or commas. A
    byte order mark is skipped wherever one stands. Memory holds one value and 256 KiB.

    Raises:
        UnreadableError: The text is cut or broken; what stood before has been given.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    parser = json.JSONDecoder()
    pending, given, wanted, inside = "", 0, 0, False
    while True:
        chunk = stream.read(max(_CHUNK, wanted))
        pending += decode(chunk, final=not chunk)
        while pending := pending.lstrip(_SPACE):
            if pending[0] == ("]" if inside else "["):
                pending, inside = pending[1:], not inside
                continue
            try:
                value, end = parser.raw_decode(pending)
            except RecursionError as error:
                raise _cut(name, given) from error
            except ValueError as error:
                if not chunk or len(pending) > LARGEST_VALUE:
                    raise _cut(name, given) from error
                wanted = len(pending)  # so that a long value is tried few times
                break
            if end == len(pending) and chunk and not isinstance(value, dict):
                break  # a number may go on in the next chunk
            pending, wanted, given = pending[end:], 0, given + 1
            yield value
        if not chunk:
            break
    if inside:
        raise _cut(name, given)


def _cut(name: str, given: int) -> UnreadableError:
    message = f"{name} is cut or broken JSON after {given} values: save the answer again."
    return UnreadableError(message)


class _Limited(io.RawIOBase):
    """Reads at most 2 GiB, and names the file where it can't be unpacked."""

    def __init__(self, raw: Any, file: BinaryIO, name: str) -> None:
        self._raw, self._file, self._name = raw, file, name
        self._left = LARGEST

    def readable(self) -> bool:
        """Say that it can be read, as ``BufferedReader`` asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; 0 at the end.

        Raises:
            UnreadableError: The file is damaged, or larger than the limit.
        """
        try:
            data: bytes = (
                self._raw.read1(len(buffer))
                if self._raw is not self._file
                else (self._raw.read(len(buffer)))
            )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableError(f"{self._name} is a damaged gzip file: {error}.") from error
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableError(f"{self._name} unpacks to more than {LARGEST // 1024**3} GiB.")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()
