"""The body of an answer, unpacked in small steps: a small answer can't fill the memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a request states as ``Accept-Encoding``: nothing else is unpacked.
PACKED: Final = "gzip"

_STEP = 64 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body of a response as it streams in, in pieces of at most some 64 KiB.

    httpx unpacks each piece whole, as many times over as the answer says (``gzip, gzip``): 64 KiB
    become 64 MiB, or 64 GiB. Here a caller who counts can stop after any piece.

    Raises:
        httpx.DecodingError: It is packed in another way than asked for, or damaged.
    """
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing in {"", "identity"}:
        yield from response.iter_raw()
        return
    if packing not in {PACKED, f"x-{PACKED}"}:
        raise httpx.DecodingError(f"is packed as {packing[:40]!r}, which was not asked for")
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    for piece in response.iter_raw():
        rest = piece
        while rest and not unpacker.eof:
            try:
                yield unpacker.decompress(rest, _STEP)
            except zlib.error as error:
                raise httpx.DecodingError(f"can't be unpacked: {error}") from None
            rest = unpacker.unconsumed_tail
        if unpacker.eof:
            return
    raise httpx.DecodingError("breaks off before its end")
