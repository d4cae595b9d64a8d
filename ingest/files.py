"""Finding the files to ingest and keeping a copy of each as it was."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.metadata import SIDECAR
from kb.errors import UnreadableError
from kb.maintenance import INCOMING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Formats that carry the most structure are read first, so that another format of the same version
# finds it already there (docs/decisions/0005); EUR-Lex XHTML is served as .html and as .xml.
_FIRST = ((".html", ".xhtml", ".htm", ".xml"), (".fmx4", ".fmx"), (".docx",), (".md",), (".pdf",))
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A path to ingest, or the reason why it can't be. ``named`` if it was given itself."""

    path: Path
    named: bool
    problem: str | None = None


def find(paths: Iterable[Path]) -> list[Found]:
    """List the files at and under paths, each once, in the order in which they are read."""
    found: dict[str, Found] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 -- resolve() would follow links
        for item in _walk(absolute):
            found.setdefault(str(item.path), item)
    return sorted(found.values(), key=lambda item: (_rank(item.path), str(item.path)))


def digest(path: Path, max_mb: int) -> str:
    """SHA-256 of a file.

    Raises:
        UnreadableError: It can't be opened, or is too large.
    """
    found = hashlib.sha256()
    for chunk in _chunks(path, max_mb):
        found.update(chunk)
    return found.hexdigest()


def keep(path: Path, originals: Path, max_mb: int) -> tuple[str, str]:
    """Copy a file among the originals under its hash; returns (SHA-256, path among originals).

    The copy is what is read: the file may change or vanish meanwhile.

    Raises:
        UnreadableError: It can't be opened, or is too large.
    """
    originals.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=originals, prefix=INCOMING, delete=False) as copy:
        incoming = Path(copy.name)
        try:
            for chunk in _chunks(path, max_mb):
                found.update(chunk)
                copy.write(chunk)
        except UnreadableError:
            incoming.unlink()
            raise
    sha256 = found.hexdigest()
    kept = f"{sha256[:2]}/{sha256}"
    target = originals / kept
    target.parent.mkdir(exist_ok=True)
    incoming.rename(target)
    return sha256, kept


def _chunks(path: Path, max_mb: int) -> Iterator[bytes]:
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > max_mb * _CHUNK:
                    raise UnreadableError(
                        f"is larger than {max_mb} MB; KB_MAX_FILE_MB sets the limit"
                    )
                yield chunk
    except OSError as error:
        raise UnreadableError(f"can't be opened: {error.strerror}") from None


def _walk(path: Path) -> Iterator[Found]:
    if path.is_dir():
        problems: list[OSError] = []
        for folder, folders, names in os.walk(path, onerror=problems.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                item = Path(folder) / name
                if name == "metadata.yml":
                    yield Found(item, named=False, problem=f"is not read: name it {SIDECAR}")
                elif name != SIDECAR and not name.startswith((".", "~$")):
                    yield _regular(item, named=False)
        for problem in problems:
            reason = f"can't be opened: {problem.strerror}"
            yield Found(Path(problem.filename), named=True, problem=reason)
    else:
        yield _regular(path, named=True)


def _regular(path: Path, *, named: bool) -> Found:
    try:
        if path.is_file():
            return Found(path, named)
        reason = "is not a regular file" if path.exists() else "does not exist"
        if path.is_symlink() and not path.exists():
            reason = "is a link that leads nowhere"
    except OSError as error:
        reason = f"can't be opened: {error.strerror}"
    return Found(path, named, reason)


def _rank(path: Path) -> int:
    """The format's place in the order of reading; Formex lies in folders named ``en.fmx4``."""
    suffix = path.suffix.lower()
    if path.parent.suffix.lower() in {".fmx4", ".fmx"}:
        suffix = path.parent.suffix.lower()
    return next((rank for rank, group in enumerate(_FIRST) if suffix in group), len(_FIRST))
