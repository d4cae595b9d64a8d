"""Who is asking: the caller, what they may see, and the knowledge base that a route reads."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant

from api.problems import NothingIngestedError
from kb.bootstrap import KnowledgeBase
from kb.errors import NotFoundError
from kb.keys import Door, KeyRole
from kb.model import Access
from kb.record.keys import Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.search.engine import SearchEngine


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks through which door, and what they may see.

    ``client`` is what limits are counted by: ``key:12``, or ``address:…`` of who has no key.
    ``csrf`` is the token that a change must carry when it comes with a session's cookie.
    """

    role: KeyRole | None
    access: Access
    client: str
    door: Door = Door.HTTP
    key: Key | None = None
    csrf: str | None = None

    @property
    def is_whole_staff(self) -> bool:
        """Whether they see everything: staff whose key is not narrowed to collections."""
        return self.role is KeyRole.STAFF and self.access.collections is None


class Reach(StrEnum):
    """Who a route answers; every route declares it by one of the dependencies below."""

    EVERYONE = "everyone"  # whoever asks gets the same
    CALLER = "caller"  # everybody gets what their role shows
    STAFF = "staff"  # to all others there is nothing at its address, by whatever method
    BY_ADDRESS = "address"  # whoever knows the address, which holds a secret


async def open_to_everyone() -> None:
    """Declare that a route says the same to whoever asks."""


async def open_by_secret() -> None:
    """Declare that a route answers whoever knows the secret in its address."""


async def current_caller(request: Request) -> Caller:
    """Who asks; the ``Authentication`` middleware has found out."""
    caller: Caller = request.state.caller
    return caller


# Asked anew wherever it is needed: once the token of a session's form has been checked
# (``api.login``), whoever asks is somebody else than before.
CurrentCaller = Annotated[Caller, Depends(current_caller, use_cache=False)]


async def caller_access(caller: CurrentCaller) -> Access:
    """What the caller may see.

    Routes put it into their queries: what may not be seen is not found, like what isn't there.
    """
    return caller.access


async def staff_caller(caller: CurrentCaller) -> Caller:
    """The caller, who is staff with a key that is not narrowed to collections.

    What people asked and were shown tells of documents of every collection.

    Raises:
        NotFoundError: They are not: what is for staff is not there for others.
    """
    if caller.role is not KeyRole.STAFF or caller.access.collections is not None:
        raise NotFoundError("There is nothing at this address.")
    return caller


async def staff_sending(request: Request, caller: CurrentCaller) -> Caller:
    """Staff who send a form that is read piece by piece.

    Of a session's form the token is still on its way. The route checks it before it takes the file
    in: ``api.uploads.take_in`` does.

    Raises:
        NotFoundError: The caller is somebody else.
    """
    waiting: Caller | None = getattr(request.state, "form_caller", None)
    return await staff_caller(waiting or caller)


async def staff_or_here(request: Request, caller: CurrentCaller) -> None:
    """Declare that a route answers staff who see everything, and this machine.

    Raises:
        NotFoundError: The caller is neither.
    """
    if not caller.is_whole_staff and not is_from_here(request):
        raise NotFoundError("There is nothing at this address.")


async def knowledge_base(request: Request) -> KnowledgeBase:
    """The knowledge base that the service was started with."""
    found: KnowledgeBase = request.app.state.knowledge_base
    return found


# What tells that a request came through a proxy, beside X-Forwarded-….
_PROXIED = {"forwarded", "via", "x-real-ip"}

CallerAccess = Annotated[Access, Depends(caller_access)]
StaffCaller = Annotated[Caller, Depends(staff_caller)]
StaffSending = Annotated[Caller, Depends(staff_sending)]
OpenKnowledgeBase = Annotated[KnowledgeBase, Depends(knowledge_base)]


EVERYONE = Depends(open_to_everyone)
STAFF = Depends(staff_caller)
BY_SECRET = Depends(open_by_secret)
STAFF_OR_HERE = Depends(staff_or_here)
_DECLARED = (
    (staff_caller, Reach.STAFF),
    (staff_sending, Reach.STAFF),
    (staff_or_here, Reach.STAFF),
    (open_by_secret, Reach.BY_ADDRESS),
    (caller_access, Reach.CALLER),
    (current_caller, Reach.CALLER),
    (open_to_everyone, Reach.EVERYONE),
)


def reach_of(route: Dependant) -> Reach | None:
    """Who a route answers, as its dependencies declare; null where none does."""
    used = set(_calls(route))
    return next((reach for declared, reach in _DECLARED if declared in used), None)


def _calls(dependant: Dependant) -> "Iterator[object]":
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def is_from_here(request: Request) -> bool:
    """Whether a request is from this machine itself, and was not passed on by a proxy on it.

    A proxy that tells nobody that it is one still passes on the name that it was asked by; so does
    a browser on this machine that a page of another site has sent here.
    """
    headers = request.headers
    passed_on = any(name.startswith("x-forwarded-") or name in _PROXIED for name in headers)
    client = request.client.host if request.client else ""
    return not passed_on and _is_loopback(client) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
