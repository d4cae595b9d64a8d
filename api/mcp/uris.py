"""The URIs of resources, ``evidence://documents/ID`` and ``…/pages/3``, and where they are had."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

# Where the service answers assistants.
PATH: Final = "/mcp"
DOCUMENTS: Final = "evidence://documents/"
DOCUMENT_TEMPLATE: Final = f"{DOCUMENTS}{{document_id}}"
PAGE_TEMPLATE: Final = f"{DOCUMENT_TEMPLATE}/pages/{{number}}"

MAX_ID: Final = 200
# No document has as many pages or versions; a database's integers hold no larger numbers.
MAX_NUMBER: Final = 1_000_000
_URI = re.compile(
    rf"{DOCUMENTS}(?P<document_id>[^/?#]+)(?:/pages/(?P<number>[0-9]{{1,7}}))?"
    r"(?:\?version=(?P<version>[0-9]{1,7}))?"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a URI names: a document, or one of its pages; the current version unless one is said."""

    document_id: str
    number: int | None = None
    version: int | None = None


def document_uri(document_id: str) -> str:
    """The URI of a document."""
    return DOCUMENTS + quote(document_id, safe="")


def page_uri(document_id: str, number: int) -> str:
    """The URI of a page, or of a section of a format without pages."""
    return f"{document_uri(document_id)}/pages/{number}"


def read_uri(uri: str) -> Named | None:
    """What a URI names, or nothing where it is none of ours."""
    found = _URI.fullmatch(uri)
    if found is None:
        return None
    document_id = unquote(found["document_id"])
    number, version = (int(text) if text else None for text in found.group("number", "version"))
    if len(document_id) > MAX_ID or not document_id.isprintable():
        return None
    if any(each is not None and not 1 <= each <= MAX_NUMBER for each in (number, version)):
        return None
    return Named(document_id, number, version)
