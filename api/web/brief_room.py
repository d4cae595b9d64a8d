"""What every page of briefs needs: who asks, the briefs of their browser, and what is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from api.access import service_address
from api.authentication import is_secure
from kb.audited import Audit
from kb.briefs.keeping import opened
from kb.briefs.model import Missing, Paragraph, Quoted, Reference
from kb.briefs.resolve import resolve
from kb.errors import NotFoundError
from kb.record.audit import Action, Outcome, Returned
from kb.record.briefs import KEPT, BriefsRecord, Opened, read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

    from api.access import Caller
    from api.web.site import Site
    from kb.bootstrap import KnowledgeBase
    from kb.briefs.model import Brief, Shown

    R = TypeVar("R", bound=Response)

# Whoever has the address has the brief: it goes into no cache and no search. That it goes to no
# other site either, the frame of every page sees to.
SECRET_HEADERS: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
_COOKIE: Final = "kb_brief"
_MOST: Final = 20  # addresses in the cookie
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NoBriefError(NotFoundError):
    """No brief has this address, or not one by which this may be done."""

    def __init__(self) -> None:
        super().__init__("There is no brief at this address; it may have been deleted.")


class BriefRoom:
    """One request about briefs."""

    def __init__(self, request: Request, kb: KnowledgeBase, caller: Caller, site: Site) -> None:
        self.site = site
        self.record = BriefsRecord(kb.engine)
        self._request = request
        self._kb = kb
        self._caller = caller

    @property
    def key_name(self) -> str | None:
        """The name of the caller's key."""
        return None if self._caller.key is None else self._caller.key.name

    # Addresses

    def open(self, address: str) -> Opened:
        """The brief of an address.

        Raises:
            NoBriefError: There is none, or it is not the caller's to know.
        """
        found = self._opened(address)
        if found is None:
            raise NoBriefError
        return found

    @property
    def current(self) -> str | None:
        """The address of the brief that this browser adds to, if it is still there."""
        found = ((address, self._opened(address)) for address in self._known())
        return next((address for address, each in found if each and each.may_edit), None)

    def remembering(self, response: R, address: str) -> R:
        """Have the browser add to the brief of an address from now on."""
        others = [each for each in self._known() if each != address]
        return self._keeping(response, [address, *others])

    def forgetting(self, response: R, address: str) -> R:
        """Have the browser know an address no more."""
        return self._keeping(response, [each for each in self._known() if each != address])

    def forgetting_all(self, response: R) -> R:
        """Have the browser know no brief any more."""
        return self._keeping(response, [])

    @property
    def knows_any(self) -> bool:
        """Whether the browser knows the address of a brief."""
        return bool(self._known())

    # Pages

    def list_page(
        self, status: int = 200, *, title: str = "", fault: str = "", notice: str = ""
    ) -> HTMLResponse:
        """The briefs of this browser, those of staff, and the form for a new one.

        ``fault`` is what is wrong with the title, ``notice`` why none can be begun whatever it is.
        """
        found = [(address, self._opened(address)) for address in self._known()]
        mine = [(address, each.brief) for address, each in found if each is not None]
        known = {brief.id for _, brief in mine}
        staff = self._caller.is_whole_staff
        shared = self.record.listed(staff=True) if staff else []
        return self.site.page(
            "briefs.html",
            status=status,
            headers=SECRET_HEADERS,
            mine=[(address, brief, _quotes(brief)) for address, brief in mine],
            shared=[(str(each.id), each, _quotes(each)) for each in shared if each.id not in known],
            title=title,
            fault=fault,
            notice=notice,
        )

    def brief_page(
        self, found: Opened, address: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A brief as the caller may see it; ``values`` are ``unsaved`` and ``fault``."""
        brief = found.brief
        shown = resolve(self._kb, brief.blocks, self._caller.access, self._kb.clock())
        self.note(Action.BRIEF, brief, shown)
        quotes = [each for each in shown if isinstance(each, Quoted)]
        return self.site.page(
            "brief.html" if found.may_edit else "brief_read.html",
            status=status,
            headers=SECRET_HEADERS,
            brief=brief,
            address=address,
            entries=_entries(shown),
            quotes=len(quotes),
            outdated_count=sum(bool(each.outdated) for each in quotes),
            missing_count=sum(isinstance(each, Missing) for each in shown),
            is_current=address == self.current,
            links=self._links(found, address),
            **{"unsaved": None, "fault": "", **values},
        )

    def note(self, action: Action, brief: Brief, shown: Sequence[Shown]) -> None:
        """Leave in the audit trail what was shown of a brief."""
        cited = [each.citation for each in shown if isinstance(each, Quoted)]
        Audit(self._kb, self._caller, self._request.state.request_id).note(
            action,
            None,
            Outcome.FOUND if cited else Outcome.NOTHING,
            [Returned(each.document.id, each.document.version, each.passage.id) for each in cited],
            filters={"brief": brief.id},
        )

    def _links(self, found: Opened, address: str) -> dict[str, str]:
        """The whole addresses to pass on, where the caller knows the secret that they come from."""
        if address.isdecimal() or not found.may_edit:
            return {}
        base = f"{service_address(self._kb, self._request)}/briefs"
        return {"read": f"{base}/{read_secret(address)}", "edit": f"{base}/{address}"}

    def _opened(self, address: str) -> Opened | None:
        return opened(self.record, address, staff=self._caller.is_whole_staff)

    # The cookie: the addresses that this browser knows, first the one that it adds to

    @property
    def _cookie(self) -> str:
        return f"__Host-{_COOKIE}" if is_secure(self._request.scope) else _COOKIE

    def _known(self) -> list[str]:
        kept = self._request.cookies.get(self._cookie, "").split(".")
        return [each for each in kept if _ADDRESS.fullmatch(each)][:_MOST]

    def _keeping(self, response: R, addresses: Sequence[str]) -> R:
        response.set_cookie(
            self._cookie,
            ".".join(addresses[:_MOST]),
            max_age=int(KEPT.total_seconds()) if addresses else 0,
            path="/",
            secure=is_secure(self._request.scope),
            httponly=True,
            samesite="lax",
        )
        return response


def _quotes(brief: Brief) -> int:
    return sum(isinstance(block, Reference) for block in brief.blocks)


def _entries(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """Blocks as templates tell them apart, which know no types."""
    entries: list[dict[str, Any]] = []
    paragraphs = 0
    for at, each in enumerate(shown):
        match each:
            case Paragraph(text):
                paragraphs += 1
                entry = {"at": at, "kind": "paragraph", "text": text, "number": paragraphs}
                entries.append(entry)
            case Quoted(citation, outdated, since):
                reasons = [reason.value for reason in outdated]
                entries.append(
                    {"at": at, "kind": "quote", "c": citation, "outdated": reasons, "since": since}
                )
            case Missing():
                entries.append({"at": at, "kind": "missing"})
    return entries
