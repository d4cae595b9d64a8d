"""Which records are of one call."""

from __future__ import annotations

MAX_IDENTIFIER = 300  # characters


def call_key(identifier: str) -> str:
    """What makes records of several sources one call: the identifier, whatever its case."""
    return identifier.strip().casefold()
