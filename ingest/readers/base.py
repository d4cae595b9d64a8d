"""What a reader is: it takes a file's bytes and gives pages of clean text with their structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Parsed


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: where it is, its first 64 KiB, and a password for an encrypted one.

    ``name`` is the file's own name, kept apart because ``path`` may be a private copy.
    """

    path: Path
    name: str
    head: bytes
    password: str | None = None

    @property
    def suffix(self) -> str:
        """The file's extension, in lower case with its dot."""
        return ("." + self.name.rpartition(".")[2].lower()) if "." in self.name else ""


class Reader(Protocol):
    """Reads one format. Called in a worker process with limits of time and memory.

    ``preference`` orders the renditions of one version: the lowest is indexed.
    """

    name: str
    preference: int

    def accepts(self, source: Source) -> bool:
        """Tell from the head (first), the suffix (then) whether this reader knows the format."""
        ...

    def read(self, source: Source) -> Parsed:
        """Read the file.

        Returns pages whose ``text`` is what is stored, shown and quoted: NFC, no control
        characters but newline, blocks separated by a newline or a blank line.

        Raises:
            UnreadableError: The file is broken, encrypted or empty; the message says which, and
                the way out.
        """
        ...
