"""The format of a backup: a plain tar that is taken only if it is byte for byte as it was written.

Members come in the order in which they were added, as they are or packed with gzip; a folder is one
only if it is empty. Behind them
``manifest.json`` names each with its size and SHA-256, and a seal, last and of fixed size, says
where the manifest begins and what its SHA-256 is. Reading starts from the seal, and then compares
every header, gap and member with what the manifest says must stand there. So no header of a
stranger is ever interpreted: a link, a device, a member too many or a flipped bit is a difference.

It is no signature: whoever can write the file can also seal it. The paths that a manifest names are
therefore checked too.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from tarfile import BLOCKSIZE, DIRTYPE, GNU_FORMAT, TarInfo
from typing import IO, TYPE_CHECKING, cast

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT = 1
CHUNK = 1 << 16  # what is read at once

_NOTHING = bytes(CHUNK)
_PAGE = 4096  # the least that a file has of a disk
_SEAL = "seal"
_SEALED = re.compile(rb"operation-milliard-kb backup (\d+)\n(\d+) (\d+) ([0-9a-f]{64})\n\0*")
_SEALED_SIZE = 256
_END = 2 * BLOCKSIZE  # a tar ends with two empty blocks
_TAIL = BLOCKSIZE + BLOCKSIZE + _END  # the seal's header, the seal in a block, the end
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 256 << 20  # a million members; more is no backup of ours
# The demo's base: 2.9 MB in 1.2 s; with zlib's usual 6, 2.0 MB in 2.1 s, while runs wait.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its path in the base, and the size and SHA-256 of what is stored.

    ``length`` is how long the file itself is, which ``packed`` makes shorter. The path of a folder
    ends with a slash.
    """

    path: str
    packed: bool
    size: NonNegativeInt
    sha256: str
    length: NonNegativeInt

    @property
    def name(self) -> str:
        """What the member is called in the tar."""
        return f"{self.path}.gz" if self.packed else self.path


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of the base: versions of ``kb`` and schema, generations newest first."""

    kb: str
    schema: int
    encoder: str | None
    created: str
    generations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of an archive but its contents. ``room`` is what these take on a disk, in bytes."""

    about: About
    room: NonNegativeInt
    members: tuple[Member, ...]


class ArchiveWriter:
    """Writes an archive into an empty file; ``tell`` hears how many bytes of files are in."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell
        self._members: list[Member] = []
        self._room = 0

    def add(self, path: str, content: IO[bytes], *, packed: bool) -> None:
        """Add a file under its path in the base, or a folder without contents."""
        start = self._file.tell()
        blank = Member(path, packed, 0, "", 0)
        self._file.write(_header(blank.name, 0))
        packer = zlib.compressobj(_LEVEL, wbits=31) if packed else None
        digest, size, length = hashlib.sha256(), 0, 0
        for chunk in _chunks(content):
            length += len(chunk)
            self._room += sum(len(part) for part, empty in holes(chunk) if not empty)
            size += self._put(packer.compress(chunk) if packer else chunk, digest.update)
            self._tell(len(chunk))
        if packer:
            size += self._put(packer.flush(), digest.update)
        self._file.write(bytes(_gap(size)))
        end = self._file.tell()
        self._file.seek(start)
        self._file.write(_header(blank.name, size))
        self._file.seek(end)
        self._members.append(Member(path, packed, size, digest.hexdigest(), length))

    def seal(self, about: About) -> None:
        """End the archive."""
        manifest = Manifest(about, self._room, tuple(self._members))
        data = json.dumps(asdict(manifest), indent=0).encode()
        start = self._file.tell()
        self._file.write(_header(_MANIFEST, len(data)) + data + bytes(_gap(len(data))))
        self._file.write(_tail(start, data))

    def _put(self, data: bytes, note: Callable[[bytes], None]) -> int:
        note(data)
        return self._file.write(data)


class Stored:
    """The stored bytes of one member, to be read to their end."""

    def __init__(self, file: IO[bytes], size: int, tell: Callable[[int], None]) -> None:
        self._file = file
        self._left = size
        self._digest = hashlib.sha256()
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes; none at the end."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self._digest.update(data)
        self._tell(len(data))
        return data

    def sha256(self) -> str:
        """Read what is left and return the SHA-256 of all."""
        while self.read(CHUNK):
            pass
        return self._digest.hexdigest()


class Archive:
    """An archive whose manifest is whole; what it holds is compared as it is read."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file
        self._end, self.manifest = self._read_manifest()

    def members(self, tell: Callable[[int], None]) -> Iterator[tuple[Member, Stored]]:
        """Every member in order with its stored bytes; ``tell`` hears how many were read.

        Raises:
            StoreError: The archive is not what was written.
        """
        self._file.seek(0)
        for member in self.manifest.members:
            self._expect(_header(member.name, member.size))
            stored = Stored(self._file, member.size, tell)
            yield member, stored
            if stored.sha256() != member.sha256:
                raise self._differs(f"the contents of {member.path}")
            self._expect(bytes(_gap(member.size)))
        if self._file.tell() != self._end:
            raise self._differs("what stands before its manifest")

    def chunks(self, member: Member, stored: Stored) -> Iterator[bytes]:
        """The contents of a member, in parts of ``CHUNK`` bytes.

        Raises:
            StoreError: It can't be unpacked to the length that is stated.
        """
        length = 0
        file = cast("IO[bytes]", stored)  # all that is asked of it is to be read
        try:
            for chunk in _chunks(gzip.GzipFile(fileobj=file) if member.packed else file):
                length += len(chunk)
                if length > member.length:
                    break
                yield chunk
        except (gzip.BadGzipFile, EOFError, zlib.error):
            length = -1
        if length != member.length:
            raise self._differs(f"the contents of {member.path}")

    def _read_manifest(self) -> tuple[int, Manifest]:
        """Follow the seal to the manifest; returns where it begins, and it."""
        size = self._file.seek(0, 2)
        self._file.seek(max(0, size - _TAIL))
        tail = self._file.read()
        found = _SEALED.fullmatch(tail[BLOCKSIZE : 2 * BLOCKSIZE])
        if found is None:
            raise StoreError(
                f"{self._path} is no backup of kb that is whole: it was cut off or changed, or "
                "another program wrote it. Nothing was restored; take another backup."
            )
        number, start, length = (int(part) for part in found.groups()[:3])
        if number > FORMAT:
            raise StoreError(
                f"{self._path} has format {number}, this version of kb reads {FORMAT}: a newer one "
                "wrote it. Nothing was restored; restore it with that version."
            )
        if length > _LARGEST_MANIFEST or start > size:
            raise self._differs("its seal")
        self._file.seek(start)
        self._expect(_header(_MANIFEST, length))
        data = self._file.read(length)
        self._expect(bytes(_gap(length)) + _tail(start, data))
        if self._file.tell() != size:
            raise self._differs("its end")
        return start, self._understood(data)

    def _understood(self, data: bytes) -> Manifest:
        try:
            manifest = TypeAdapter(Manifest).validate_json(data)
        except ValidationError:
            raise self._differs("its manifest") from None
        paths = [member.path for member in manifest.members]
        if len(set(paths)) < len(paths) or not all(map(_stays_inside, paths)):
            raise self._differs("a path in its manifest")
        return manifest

    def _expect(self, data: bytes) -> None:
        if self._file.read(len(data)) != data:
            raise self._differs("what stands between its members")

    def _differs(self, what: str) -> StoreError:
        return StoreError(
            f"{self._path} is damaged or was changed: {what} is not what kb wrote there. "
            "Nothing was restored; take another backup."
        )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive as far as its manifest.

    Raises:
        UsageError: There is no such file.
        StoreError: It is no archive of ours, or not as it was written.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file. Name a backup that `kb backup` has made.")
    with path.open("rb") as file:
        yield Archive(path, file)


def holes(chunk: bytes) -> Iterator[tuple[bytes, bool]]:
    """Parts of a chunk, each with whether it is nothing but zeros, which need not be written."""
    if chunk == _NOTHING[: len(chunk)]:
        yield chunk, True
        return
    for start in range(0, len(chunk), _PAGE):
        part = chunk[start : start + _PAGE]
        yield part, part == _NOTHING[: len(part)]


def _stays_inside(path: str) -> bool:
    parts = path.removesuffix("/").split("/")
    return not {"", ".", ".."} & set(parts) and "\0" not in path


def _chunks(content: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := content.read(CHUNK):
        yield chunk


def _header(name: str, size: int) -> bytes:
    """A member's header: a file or folder of nobody's, from no time."""
    info = TarInfo(name)
    info.size, info.mode = size, 0o600
    if name.endswith("/"):
        info.type, info.mode = DIRTYPE, 0o700
    return info.tobuf(GNU_FORMAT, "utf-8", "surrogateescape")


def _gap(size: int) -> int:
    """Empty bytes between a member and the next block."""
    return -size % BLOCKSIZE


def _tail(start: int, manifest: bytes) -> bytes:
    """Everything behind the manifest: the seal and the end of the tar."""
    digest = hashlib.sha256(manifest).hexdigest()
    said = f"operation-milliard-kb backup {FORMAT}\n{start} {len(manifest)} {digest}\n"
    seal = said.encode().ljust(_SEALED_SIZE, b"\0")
    return _header(_SEAL, len(seal)) + seal + bytes(_gap(len(seal)) + _END)
