"""Opens Office files (zip archives) without letting a small file fill the memory."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from ingest.readers.encoding import MEBIBYTE, load
from kb.errors import UnreadableError

if TYPE_CHECKING:
    from ingest.readers.base import Source

LARGEST_FILE = 100 * MEBIBYTE
LARGEST_CONTENT = 200 * MEBIBYTE
LARGEST_RATIO = 200
# A short XML part of a clean file packs far better than 200 to 1; under this size it is harmless.
_RATIO_FROM = 10 * MEBIBYTE
_MOST_MEMBERS = 10_000
_CHUNK = 64 * 1024
_ENCRYPTED = 0x1


def open_office_file(source: Source) -> io.BytesIO:
    """Return a copy of the archive whose members are as long as they say they are.

    The sizes an archive declares can lie, and the libraries trust them: each member is unpacked
    here in bounded steps and stored unpacked, so nothing is left to swell.

    Raises:
        UnreadableError: The archive is broken, encrypted, or unpacks to more than 200 MiB or more
            than 200 times its size.
    """
    data = load(source, LARGEST_FILE)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_declared(archive, source)
            return _copy(archive, source)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        message = f"{source.name} is a damaged Office file ({error})."
        raise UnreadableError(f"{message} Open it, save it anew and try again.") from error


def _check_declared(archive: zipfile.ZipFile, source: Source) -> None:
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise UnreadableError(f"{source.name} holds {len(members)} parts; {_MOST_MEMBERS} is most.")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise UnreadableError(f"{source.name} is encrypted. Save it without a password.")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > LARGEST_CONTENT or (unpacked > _RATIO_FROM and unpacked > LARGEST_RATIO * packed):
        raise _swells(source)


def _copy(archive: zipfile.ZipFile, source: Source) -> io.BytesIO:
    target = io.BytesIO()
    total = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for member in archive.infolist():
            parts = []
            with archive.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    total += len(chunk)
                    if total > LARGEST_CONTENT:
                        raise _swells(source)
                    parts.append(chunk)
            copy.writestr(member.filename, b"".join(parts))
    target.seek(0)
    return target


def _swells(source: Source) -> UnreadableError:
    return UnreadableError(
        f"{source.name} unpacks to more than {LARGEST_CONTENT // MEBIBYTE} MiB or more than "
        f"{LARGEST_RATIO} times its size, as no honest document does; it was not opened."
    )
