"""Documents and their pages as resources, their listing by cursor, and ids as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mcp_types import (
    BlobResourceContents,
    Completion,
    ListResourcesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from api.mcp.documents import document_outlined, listed, page_detail
from api.mcp.texts import source_text
from api.mcp.uris import (
    DOCUMENT_TEMPLATE,
    MAX_ID,
    PAGE_TEMPLATE,
    Named,
    document_uri,
    read_uri,
)
from kb.audit import of_documents
from kb.errors import NotFoundError, UsageError
from kb.record.audit import Action, Outcome
from kb.stopping import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.mcp.asking import Asking
    from kb.bootstrap import KnowledgeBase
    from kb.model import Document

# As the SDK's results hold them; none here is a blob.
Contents = list[TextResourceContents | BlobResourceContents]
JSON, TEXT = "application/json", "text/plain"
PAGE_SIZE: Final = 50
# The most that the protocol allows.
_MOST_COMPLETIONS = 100

TEMPLATES: Final = (
    ResourceTemplate(
        uri_template=DOCUMENT_TEMPLATE,
        name="document",
        title="Document",
        description="What a document is, with its outline: headings and the pages they stand on. "
        "`?version=2` reads another version.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        uri_template=PAGE_TEMPLATE,
        name="page",
        title="Page",
        description="The stored text of a page or section, and a line that says whose it is. "
        "`?version=2` reads another version.",
        mime_type=TEXT,
    ),
)


async def list_resources(
    kb: KnowledgeBase, cursor: str | None, asking: Asking
) -> ListResourcesResult:
    """Documents that the caller may see, by id; the cursor is the last id of the page before.

    Raises:
        UsageError: The cursor is none of ours.
    """
    after = cursor or ""
    if len(after) > MAX_ID or not after.isprintable():
        raise UsageError("cursor is not one of ours: ask for the first page again.")
    found = await in_thread(lambda _: listed(kb, asking.access, after, PAGE_SIZE + 1))
    shown = found[:PAGE_SIZE]
    _note(asking, shown)
    more = len(found) > len(shown)
    return ListResourcesResult(
        resources=[_resource(document) for document in shown],
        next_cursor=shown[-1].id if more else None,
    )


async def read_resource(kb: KnowledgeBase, uri: str, asking: Asking) -> ReadResourceResult:
    """The contents of a document or page.

    Raises:
        NotFoundError: The URI names nothing that is there for the caller to see.
    """
    named = read_uri(uri)
    if named is None:
        raise NotFoundError(f"Resources are named {DOCUMENT_TEMPLATE} or {PAGE_TEMPLATE}.")
    read = _document if named.number is None else _page
    return ReadResourceResult(contents=await read(kb, uri, named, asking))


async def complete_id(kb: KnowledgeBase, begun: str, asking: Asking) -> Completion:
    """The ids of documents that the caller may see and that begin with what was typed."""
    if len(begun) > MAX_ID or not begun.isprintable():
        return Completion(values=[])
    # By id, what begins with a text follows it directly.
    found = await in_thread(lambda _: listed(kb, asking.access, begun, _MOST_COMPLETIONS + 1))
    found = [document for document in found if document.id.startswith(begun)]
    shown = found[:_MOST_COMPLETIONS]
    _note(asking, shown)
    return Completion(values=[document.id for document in shown], has_more=len(found) > len(shown))


async def _document(kb: KnowledgeBase, uri: str, named: Named, asking: Asking) -> Contents:
    found = await in_thread(lambda _: document_outlined(kb, asking, named))
    text = json.dumps(asking.reachable(found), ensure_ascii=False, indent=2)
    return [TextResourceContents(uri=uri, mime_type=JSON, text=text)]


async def _page(kb: KnowledgeBase, uri: str, named: Named, asking: Asking) -> Contents:
    page, source = await in_thread(lambda _: page_detail(kb, asking, named))
    about = source_text(asking.reachable(source))
    return [
        TextResourceContents(uri=uri, mime_type=TEXT, text=page["text"]),
        TextResourceContents(uri=document_uri(named.document_id), mime_type=TEXT, text=about),
    ]


def _note(asking: Asking, shown: Sequence[Document]) -> None:
    outcome = Outcome.FOUND if shown else Outcome.NOTHING
    asking.audit.note(Action.DOCUMENTS, None, outcome, of_documents(shown))


def _resource(document: Document) -> Resource:
    metadata = document.metadata
    said = (
        metadata.issuer,
        None if metadata.published is None else metadata.published.isoformat(),
        document.kind.value,
        document.language,
    )
    return Resource(
        uri=document_uri(document.id),
        name=document.id,
        title=document.title,
        description=" · ".join(part for part in said if part),
        mime_type=JSON,
    )
