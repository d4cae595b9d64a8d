"""Keys: what they look like, the roles that they give, and what each role may see."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kb.errors import UsageError
from kb.model import FULL_ACCESS, PUBLIC_ACCESS, Access, Visibility

if TYPE_CHECKING:
    from datetime import datetime

PREFIX = "omk_"
MAX_NAME = 200
MAX_RATE = 100_000
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
# How many digits of base 62 hold 32 bytes, and how many a CRC32.
_RANDOM_DIGITS, _CHECK_DIGITS = 43, 6
# For secret scanners too: what this pattern finds and whose checksum is right is a key.
_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")
# Controls, invisible format characters (which can turn a line around), halves of characters, line
# and paragraph separators: a name is shown on a line of its own.
_NOT_IN_NAMES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class KeyRole(StrEnum):
    """What a key makes of its holder; who has none is anonymous."""

    PARTNER = "partner"
    STAFF = "staff"


class Door(StrEnum):
    """The way by which a question came in."""

    HTTP = "http"
    SESSION = "session"
    FEED = "feed"
    MCP = "mcp"
    CLI = "cli"


def access_of(role: KeyRole | None, collections: tuple[str, ...] | None = None) -> Access:
    """What a role may see; ``collections`` narrows it to those, null does not."""
    match role:
        case KeyRole.STAFF:
            visibilities = FULL_ACCESS.visibilities
        case KeyRole.PARTNER:
            visibilities = (Visibility.PUBLIC, Visibility.COALITION)
        case None:
            visibilities = PUBLIC_ACCESS.visibilities
    return Access(visibilities, collections)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be: its fields are those of ``kb.record.keys.Key``.

    Raises:
        UsageError: Name, collections or rate can't be used.
    """

    name: str
    role: KeyRole
    collections: tuple[str, ...] | None = None
    expires: datetime | None = None
    rate: int | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be a key."""
        _check_name("name", self.name)
        if self.name.startswith(PREFIX):
            raise UsageError("name: this is a key. Call it something that is no secret.")
        for collection in self.collections or ():
            _check_name("collection", collection)
        if self.rate is not None and not 1 <= self.rate <= MAX_RATE:
            raise UsageError(f"rate: a key has 1 to {MAX_RATE} requests a minute.")


def new_key() -> str:
    """A new key: the prefix, 32 random bytes and the CRC32 of both, in digits of base 62."""
    number = int.from_bytes(secrets.token_bytes(_RANDOM_BYTES))
    said = PREFIX + _base62(number, _RANDOM_DIGITS)
    return said + _checksum(said)


def is_well_formed(text: str) -> bool:
    """Whether this can be a key: its checksum is right. A slip of the pen shows without a look-up.

    Every change of one character is found, and every swap of two neighbours: a CRC32 finds all
    errors within 32 bits in a row.
    """
    if _KEY.fullmatch(text) is None:
        return False
    return text[-_CHECK_DIGITS:] == _checksum(text[:-_CHECK_DIGITS])


def _checksum(said: str) -> str:
    return _base62(zlib.crc32(said.encode()), _CHECK_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _check_name(field: str, name: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME:
        raise UsageError(
            f"{field}: give it 1 to {MAX_NAME} characters, without spaces around them."
        )
    if any(unicodedata.category(character) in _NOT_IN_NAMES for character in name):
        raise UsageError(f"{field}: leave out control characters and invisible ones.")
