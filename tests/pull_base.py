"""A server on this machine in the place of every public source of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_source import EuPortal, LocalSource, eu_row

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def source() -> Iterator[LocalSource]:
    """A server on this machine."""
    with LocalSource() as server:
        yield server


@pytest.fixture
def portal(source: LocalSource) -> EuPortal:
    """It answers like the EU portal, with five open calls and their details."""
    return EuPortal(source, (eu_row(number) for number in range(5))).with_details()
