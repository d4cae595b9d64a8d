"""Metadata that is stated or read: what people are led to is a page."""

from __future__ import annotations

from datetime import date

import pytest

from api.upload_schemas import UploadFields
from ingest.metadata import complete, metadata_from, web_address
from kb.errors import UsageError
from kb.model import Metadata, Page, Parsed

UNSAFE = (
    "javascript:alert(1)",
    "JavaScript:x",
    "data:text/html,x",
    "file:///etc/passwd",
    "//x",
    "",
)
SAFE = ("https://example.org/a?b=c#d", "HTTP://EXAMPLE.ORG", "http://example.org:8080/é")


@pytest.mark.parametrize("address", UNSAFE)
def test_an_address_that_is_no_page_is_refused_or_left_out(address: str) -> None:
    """What a person states is an error; what a file says of itself is not taken."""
    with pytest.raises(UsageError, match="url"):
        metadata_from({"url": address}, "metadata.yaml, note.md")
    parsed = Parsed((Page(1, "Some words."),), paged=False, metadata=Metadata(url=address))
    assert complete(parsed, Metadata(), "/note.md").url is None


@pytest.mark.parametrize("address", SAFE)
def test_an_address_of_a_page_is_kept(address: str) -> None:
    """Whatever the case, the port or the accents."""
    assert web_address(address) == address


def test_the_last_day_in_force_is_read_as_it_is_stated() -> None:
    """In a file, or with an upload; what is no day is refused."""
    for said in ("2026-12-31", date(2026, 12, 31)):
        assert metadata_from({"valid_until": said}, "a").valid_until == date(2026, 12, 31)
    uploaded = UploadFields.model_validate({"valid_until": "2026-12-31"}).stated()
    assert metadata_from(uploaded, "a").valid_until == date(2026, 12, 31)
    with pytest.raises(UsageError, match="valid_until is 'soon'; write it as YYYY-MM-DD"):
        metadata_from({"valid_until": "soon"}, "a")
