"""The keys of partners and staff: made, shown this once, given a new text, and ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Form, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from api.access import OpenKnowledgeBase, StaffCaller
from api.login import CHECKED_FORM
from api.web.asked import Number, Stated
from api.web.site import CurrentSite
from kb.calls.dates import LAST_DAY, brussels_day, day_starts, days_later
from kb.errors import NotFoundError, UsageError
from kb.keys import MAX_RATE, KeyRole, NewKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from api.web.site import Site
    from kb.bootstrap import KnowledgeBase
    from kb.record.keys import Key

router = APIRouter(prefix="/staff/keys", include_in_schema=False)

_NO_STORE: Final = {"Cache-Control": "no-store"}

KeyId = Annotated[int, Path(ge=1, le=10**9)]


class KeyForm(BaseModel):
    """What the form says of a new key, as it was written."""

    name: Annotated[str, Field(max_length=1000)] = ""
    role: KeyRole = KeyRole.PARTNER
    collections: Annotated[str, Field(max_length=4000)] = ""
    expires: Annotated[str, Field(max_length=20)] = ""
    rate: Annotated[str, Field(max_length=20)] = ""


class Ended(Stated):
    """Which key was just ended, so that the list says so."""

    ended: Number | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A form that was read: the key that is meant, or what is wrong with which field."""

    new: NewKey | None
    errors: Mapping[str, str]


@router.get("")
def keys(
    asked: Annotated[Ended, Query()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """List every key, and ask for a new one."""
    del caller
    return _page(site, kb, KeyForm(), {}, ended=asked.ended)


@router.post("", dependencies=[CHECKED_FORM])
def create(
    form: Annotated[KeyForm, Form()],
    caller: StaffCaller,
    site: CurrentSite,
    kb: OpenKnowledgeBase,
) -> HTMLResponse:
    """Make a key and show it, this once.

    It is the answer to the form itself: an address that could be opened again would show it again.
    """
    del caller
    now = kb.clock()
    read = _read(form, site, now)
    if read.new is None:
        return _page(site, kb, form, read.errors, status=422)
    try:
        key, text = kb.keys.create(read.new, now)
    except UsageError:  # all else has been looked at
        fault = site.gettext("A key that still works has this name already. Choose another.")
        return _page(site, kb, form, {"name": fault}, status=422)
    return site.page("staff_key.html", headers=_NO_STORE, key=key, text=text, own=False)


@router.get("/{key_id}/revoke")
def ask_to_revoke(
    key_id: KeyId, caller: StaffCaller, site: CurrentSite, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """Ask whether a key is to end."""
    return _confirm(site, _key(kb, key_id), caller.key, "revoke")


@router.post("/{key_id}/revoke", dependencies=[CHECKED_FORM])
def revoke(
    key_id: KeyId, caller: StaffCaller, site: CurrentSite, kb: OpenKnowledgeBase
) -> Response:
    """End a key at once, with its sessions and saved searches."""
    key = kb.keys.revoke(_key(kb, key_id).name, kb.clock())
    if caller.key is not None and caller.key.id == key.id:
        return site.redirect("/login")
    return site.redirect("/staff/keys", ended=key.id)


@router.get("/{key_id}/rotate")
def ask_to_rotate(
    key_id: KeyId, caller: StaffCaller, site: CurrentSite, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """Ask whether a key is to get a new text."""
    return _confirm(site, _key(kb, key_id, active=True), caller.key, "rotate")


@router.post("/{key_id}/rotate", dependencies=[CHECKED_FORM])
def rotate(
    key_id: KeyId, caller: StaffCaller, site: CurrentSite, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """Give a key a new text and show it, this once; the old one ends at once."""
    key, text = kb.keys.rotate(_key(kb, key_id, active=True).name, kb.clock())
    own = caller.key is not None and caller.key.id == key_id
    return site.page("staff_key.html", headers=_NO_STORE, key=key, text=text, own=own)


def _page(
    site: Site,
    kb: KnowledgeBase,
    form: KeyForm,
    errors: Mapping[str, str],
    *,
    ended: int | None = None,
    status: int = 200,
) -> HTMLResponse:
    now = kb.clock()
    listed = [(key, key.state(now)) for key in reversed(kb.keys.listed())]
    return site.page(
        "staff_keys.html",
        status=status,
        headers=_NO_STORE,
        form=form.model_dump(),
        errors=errors,
        active=[key for key, state in listed if state == "active"],
        others=[(key, state) for key, state in listed if state != "active"],
        ended=next((key for key, state in listed if key.id == ended and state == "revoked"), None),
        most=MAX_RATE,
    )


def _confirm(site: Site, key: Key, own: Key | None, what: str) -> HTMLResponse:
    is_own = own is not None and own.id == key.id
    return site.page("staff_confirm.html", headers=_NO_STORE, key=key, what=what, own=is_own)


def _key(kb: KnowledgeBase, key_id: int, *, active: bool = False) -> Key:
    """The key of a number that was not revoked, and with ``active`` has not expired either.

    Raises:
        NotFoundError: There is none.
    """
    now = kb.clock()
    ended = {"revoked", "expired"} if active else {"revoked"}
    for key in kb.keys.listed():
        if key.id == key_id and key.state(now) not in ended:
            return key
    raise NotFoundError("There is no key of this number that still works.")


def _read(form: KeyForm, site: Site, now: datetime) -> _Read:
    """Read each field by itself, so that everything that is wrong is said at once."""
    name = form.name.strip()
    stated = [each.strip() for each in form.collections.split(",")]
    collections = tuple(each for each in stated if each) or None
    errors: dict[str, str] = {}
    plain = NewKey("name", form.role)
    if not _fits(lambda: replace(plain, name=name)):
        errors["name"] = site.gettext(
            "Give a name of 1 to 200 characters that says whose key it is, and not the key itself."
        )
    if not _fits(lambda: replace(plain, collections=collections)):
        errors["collections"] = site.gettext(
            "Write the names of collections, of at most 200 characters each, with commas between."
        )
    rate = int(form.rate) if form.rate.strip().isdecimal() else None
    if form.rate.strip() and (rate is None or not _fits(lambda: replace(plain, rate=rate))):
        errors["rate"] = site.gettext(
            "Write a whole number from 1 to %(most)s, or leave the field empty.",
            most=site.texts.number(MAX_RATE),
        )
    last = _day(form.expires)
    today = brussels_day(now)
    if form.expires.strip() and (last is None or not today <= last <= LAST_DAY):
        errors["expires"] = site.gettext("Give a day that is not over yet, or leave it empty.")
    if errors:
        return _Read(None, errors)
    until = None if last is None else day_starts(days_later(last, 1))
    return _Read(NewKey(name, form.role, collections, until, rate), {})


def _fits(made: Callable[[], NewKey]) -> bool:
    try:
        made()
    except UsageError:
        return False
    return True


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
