"""Who is asking: the knowledge base that a route reads and what its caller may see of it."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from api.problems import NothingIngestedError
from kb.bootstrap import KnowledgeBase
from kb.model import Visibility

if TYPE_CHECKING:
    from kb.search.engine import SearchEngine


async def caller_visibilities() -> tuple[Visibility, ...]:
    """What the caller may see. Every caller is anonymous, so that is what is public.

    Routes put it into their queries: what may not be seen is not found, like what isn't there.
    """
    return (Visibility.PUBLIC,)


async def knowledge_base(request: Request) -> KnowledgeBase:
    """The knowledge base that the service was started with."""
    found: KnowledgeBase = request.app.state.knowledge_base
    return found


CallerVisibilities = Annotated[tuple[Visibility, ...], Depends(caller_visibilities)]
OpenKnowledgeBase = Annotated[KnowledgeBase, Depends(knowledge_base)]


async def search_engine(kb: KnowledgeBase) -> "SearchEngine":
    """The engine to search with.

    Raises:
        NothingIngestedError: There is nothing to search yet.
        StoreError: The index was made by another encoder than the one that is set.
    """
    return await run_in_threadpool(_search_engine, kb)


def _search_engine(kb: KnowledgeBase) -> "SearchEngine":
    if kb.record.current_id() is None:
        raise NothingIngestedError
    return kb.search


def service_address(kb: KnowledgeBase, request: Request) -> str:
    """Where readers reach the service, without a slash at its end: as set, else as it was asked."""
    return (kb.settings.public_url or str(request.base_url)).rstrip("/")
