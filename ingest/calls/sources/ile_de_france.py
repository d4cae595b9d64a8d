"""Reads the aids of the Région Île-de-France: answers of its open data, and a list made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.french import (
    LICENCE,
    items,
    line,
    number_of,
    pages,
    slug_of,
    together,
    values,
)
from ingest.calls.sources.french_deadlines import deadlines_by
from ingest.calls.sources.french_listed import (
    flaws_of,
    listed_call,
    listed_deadline,
    listed_opening,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SOURCE = "ile-de-france"
FUNDER = "Région Île-de-France"
_PAGES = "https://www.iledefrance.fr/aides-et-appels-a-projets/"
# Fields of the dataset ``aides-appels-a-projets``: the names of two stand in every record.
_OPEN_DATA = (b'"nom_de_l_aide_de_la_demarche"', b'"qui_peut_en_beneficier"', b'"porteur_aide"')
_OPEN_DATA_ENOUGH = 2
_LIST = (b'"titre"', b'"url_source"', b'"organisme"')
_OF_A_FOLDER = b'"content_file"'
# Labels, and the fields of the open data that hold their text: of several the first that has any.
_TEXTS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("Description", (("entete",), ("chapo_txt", "chapo"), ("objectif", "objectif_txt"))),
    (
        "Bénéficiaires",
        (("beneficiaires", "publicsbeneficiaireprecision"), ("conditions",)),
    ),
    ("Modalités", (("modalite", "modalite_txt"), ("montant",))),
    ("Démarches", (("demarches", "demarches_txt"),)),
    ("Contact", (("contact",),)),
)


def accepts(head: bytes, name: str) -> bool:
    """Tell whether a file is an answer of the open data, or the normalised list made of it."""
    del name
    if sum(field in head for field in _OPEN_DATA) >= _OPEN_DATA_ENOUGH:
        return True
    return all(field in head for field in _LIST) and _OF_A_FOLDER not in head


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the aids of a file; ``checked`` is when it was saved.

    Raises:
        UnreadableError: The rest of the file can't be read.
    """
    for where, record in items(path, name):
        yield from record_of(record, where, checked)


def record_of(record: object, where: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the record of an aid, given as the open data has it or as the list does, and flaws."""
    fields = _fields(record)
    if fields is None:
        yield Flaw(where, "This is no aid: an object with fields is expected.")
        return
    aid = fields if "url_source" in fields else _as_listed(fields)
    title, address = line(aid.get("titre")), line(aid.get("url_source"))
    key = identifier(address)
    if not title or key is None:
        missing = "title" if not title else "page of its own"
        yield Flaw(where, f"The aid has no {missing}: it can't be told from others.")
        return
    parts = aid["texts"] if aid is not fields else [("Description", line(aid.get("resume")))]
    texts = pages(title, parts)
    deadlines = deadlines_by(
        listed_deadline(aid), [page.text for page in texts], early=aid is fields
    )
    call = replace(listed_call(key, aid, deadlines, FUNDER), opens=listed_opening(aid))
    yield from flaws_of(aid, where)
    yield CallRecord(SOURCE, checked, "fr", call, texts, licence=LICENCE)


def identifier(address: str) -> str | None:
    """Return the identifier of an aid by its page's address: its number, else its slug."""
    key = number_of(address) or slug_of(address)
    return f"{SOURCE}:{key}" if key else None


def _fields(record: object) -> dict[str, Any] | None:
    """Return a record's fields: at its top (Explore 2.1), or inside (2.0 and the older search)."""
    while isinstance(record, dict):
        inner = record.get("record", record.get("fields"))
        if not isinstance(inner, dict):
            return record
        record = inner
    return None


def _as_listed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the open data under the names of the list."""
    number = fields.get("reference_administrative") or fields.get("id_aide")
    address = line(fields.get("url_descriptif"))
    if number_of(address) is None and number:
        address = f"{_PAGES}{number}"
    name = fields.get("nom_de_l_aide_de_la_demarche") or fields.get("titre_alternatif_de_l_aide")
    audiences = values(fields.get("qui_peut_en_beneficier"))
    return {
        "titre": name,
        "url_source": address,
        "organisme": fields.get("porteur_aide"),
        "date_publication": fields.get("date_ouverture"),
        "date_limite": fields.get("date_cloture"),
        "public_cible": list(audiences),
        "categories": fields.get("theme"),
        "tags": _keywords(fields.get("mots_cles")),
        "url_candidature": fields.get("lien_demarche"),
        "recurrence": fields.get("recurrence"),
        "texts": list(_texts(fields, audiences)),
    }


def _texts(fields: dict[str, Any], audiences: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for label, groups in _TEXTS:
        found = [_first_text(fields, group) for group in groups]
        if label == "Bénéficiaires":
            found = ["\n".join(audiences), *found]
        yield label, together(found)


def _first_text(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    texts = (fields.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _keywords(field: object) -> list[str]:
    return [line(part) for value in values(field) for part in value.split(",")]
