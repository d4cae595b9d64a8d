"""Reads aids of Aides-territoires: answers of its API (``/api/aids/``) and its CSV extract."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.french import (
    APPLICATION,
    LICENCE,
    applicants,
    closes,
    countries,
    folded,
    items,
    line,
    links,
    opens,
    pages,
    percent,
    slug_of,
    values,
)
from ingest.calls.sources.french_deadlines import with_stated_hour
from ingest.calls.sources.streams import head_of, opened
from ingest.readers.encoding import decode
from kb.model import Call, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SOURCE = "aides-territoires"
SITE = "https://aides-territoires.beta.gouv.fr"
CALL_FOR_PROJECTS = "Appel à projets / AMI"

# Fields that stand before the long texts of an aid and that no other saved answer has.
_FIELDS = tuple(
    f'"{name}"'.encode()
    for name in ("slug", "name_initial", "short_title", "financers", "instructors", "programs")
) + tuple(
    f'"{name}"'.encode()
    for name in ("targeted_audiences", "aid_types", "mobilization_steps", "submission_deadline")
)
_FIELDS_ENOUGH = 3
_COLUMNS = {"Nom", "Lien", "Financeurs", "Descriptif"}
# The columns of the CSV extract, and the fields of the API that they hold.
_AS_IN_API = {
    "Nom": "name",
    "Lien": "url",
    "Financeurs": "financers",
    "Bénéficiaire": "targeted_audiences",
    "Types d'aides": "aid_types",
    "Récurrence": "recurrence",
    "Date Clôture": "submission_deadline",
}
_LONGEST_CELL = 1024 * 1024
# The extract has lost its markup: where a paragraph or a point ended, four spaces or more are left,
# and four or five also where bold words began or ended inside a sentence.
_LOST_BREAK = re.compile(
    r"(?<=[.;:!?»)])[ \t\u00a0]{4,}(?![\s:,;)])"
    r"|[ \t\u00a0]{4,5}(?=[^\sa-zà-ÿ:,;)])"
    r"|[ \t\u00a0]{6,}(?![\s:,;)])"
)
_PICTURES = re.compile(r"^[^\w(«\"']+")  # programmes begin with a flag or another picture


def accepts(head: bytes, name: str) -> bool:
    """Tell whether a file holds aids: JSON with an aid's fields, or the columns of the extract."""
    del name
    if _is_json(head):
        return sum(field in head for field in _FIELDS) >= _FIELDS_ENOUGH
    return _COLUMNS.issubset(map(str.strip, _cells(decode(head.partition(b"\n")[0]))))


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the aids of a file; ``checked`` is when it was saved.

    Raises:
        UnreadableError: The rest of the file can't be read.
    """
    records = items if _is_json(head_of(path, name)) else _rows
    for where, aid in records(path, name):
        yield from record_of(aid, where, checked)


def record_of(aid: object, where: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the record of an aid as the API gives it, and flaws: of dates that can't be read."""
    if not isinstance(aid, dict):
        yield Flaw(where, "This is no aid: an object with the fields of the API is expected.")
        return
    address, title = line(aid.get("url")), line(aid.get("name"))
    slug = line(aid.get("slug")) or slug_of(address)
    if not slug or not title:
        yield Flaw(where, f"The aid has no {'name' if slug else 'slug or url'}: it can't be told.")
        return
    call = Call(
        f"{SOURCE}:{slug}",
        title,
        url=SITE + address if address.startswith("/") else address or f"{SITE}/aides/{slug}/",
        countries=countries(aid.get("perimeter")),
        **_named(aid),
    )
    texts = pages(title, _texts(aid))
    yield from _flaws(aid, where)
    call = _dated(call, aid, tuple(page.text for page in texts))
    status = "closed" if aid.get("is_live") is False else None
    yield CallRecord(SOURCE, checked, "fr", call, texts, status, licence=LICENCE)


def _named(aid: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a call that are lists of names in an aid."""
    types = values(aid.get("aid_types_full") or aid.get("aid_types"))
    programmes = [_PICTURES.sub("", name) for name in values(aid.get("programs"))]
    themes, keywords = _categories(values(aid.get("categories")))
    return {
        "programme": programmes[0] if programmes else None,
        "action_types": (*types, *((CALL_FOR_PROJECTS,) if _is_call(aid) else ())),
        "funder": " ; ".join(values(aid.get("financers"))) or None,
        "applicants": applicants(values(aid.get("targeted_audiences"))),
        "cofinancing": percent(aid.get("subvention_rate_upper_bound")),
        "themes": themes,
        "keywords": tuple(dict.fromkeys((*programmes[1:], *keywords))),
        "links": links(
            (APPLICATION, aid.get("application_url")), ("Descriptif", aid.get("origin_url"))
        ),
    }


def _dated(call: Call, aid: dict[str, Any], texts: tuple[str, ...]) -> Call:
    """Return the call with its dates; a day before which to announce oneself is a first stage."""
    last = _date(aid, "submission_deadline")
    first = _date(aid, "predeposit_date")
    if last is not None:
        last = with_stated_hour(last, texts)
    staged = first is not None and (last is None or first < last)
    deadlines = tuple(each for each in ((first if staged else None), last) if each is not None)
    return replace(
        call,
        opens=opens(aid.get("start_date")) if _readable(aid, "start_date") else None,
        deadlines=deadlines,
        deadline_model=DeadlineModel.TWO_STAGE if len(deadlines) > 1 else None,
        rolling=not deadlines and folded(line(aid.get("recurrence"))) == "permanente",
    )


def _texts(aid: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for label, field in (
        ("Description", "description"),
        ("Conditions", "eligibility"),
        ("Financement", "subvention_comment"),
        ("Exemples de projets", "project_examples"),
        ("Contact", "contact"),
    ):
        if isinstance(text := aid.get(field), str):
            yield label, text


def _categories(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split "Theme|Category" (API 1.2 on) or "Theme / Category", of which themes have slashes."""
    parted = [name.rpartition("|" if "|" in name else " / ") for name in names]
    themes = (line(theme) or name for theme, _, name in parted)
    inner = (line(name) for theme, _, name in parted if theme)
    return tuple(dict.fromkeys(themes)), tuple(dict.fromkeys(inner))


def _is_call(aid: dict[str, Any]) -> bool:
    said = aid.get("is_call_for_project")
    return said is True or folded(line(said)) in {"oui", "true", "1"}


def _date(aid: dict[str, Any], field: str) -> datetime | None:
    return closes(aid.get(field)) if _readable(aid, field) else None


def _readable(aid: dict[str, Any], field: str) -> bool:
    try:
        closes(aid.get(field))
    except ValueError:
        return False
    return True


def _flaws(aid: dict[str, Any], where: str) -> Iterator[Flaw]:
    for field in ("start_date", "predeposit_date", "submission_deadline"):
        if not _readable(aid, field):
            said = line(aid.get(field))
            yield Flaw(where, f"{field} {said!r} is no date: the aid is kept without it.")


def _rows(path: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of the CSV extract as the API would give them."""
    with opened(path, name) as stream:
        text = decode(stream.read())
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = _delimiter(text.partition("\n")[0])
    for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter=delimiter), start=2):
        aid: dict[str, Any] = {key: row.get(column) for column, key in _AS_IN_API.items()}
        aid["is_call_for_project"] = row.get("AAP/AMI")
        aid["description"] = _LOST_BREAK.sub("\n", row.get("Descriptif") or "")
        yield f"{name}, row {number}", aid


def _is_json(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}


def _cells(header: str) -> list[str]:
    return next(csv.reader([header], delimiter=_delimiter(header)), [])


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
