"""The examples in the OpenAPI document; a test holds them to their schemas."""

from typing import Any

SPAN = {"page": 3, "page_label": "3", "section": None, "start": 120, "end": 231}
PLACE: dict[str, Any] = {
    "document_id": "om-garantie-fonds-propres-fr",
    "version": 1,
    "title": "Garantie publique en fonds propres",
    "issuer": "Opération Milliard",
    "published": "2026-11-22",
    "passage_id": "5f0c1a52-6f5e-5d53-9a55-7c6b1f0b7e11",
    "language": "fr",
    "page": 3,
    "page_label": "3",
    "spans": [SPAN],
    "url": "/v1/documents/om-garantie-fonds-propres-fr/pages/3?version=1",
}
QUOTE = (
    "Le mécanisme proposé couvre la moitié des pertes d'un investisseur qui entre au capital d'une "
    "coopérative."
)
HIT = {
    "rank": 1,
    "score": 2.8731,
    **PLACE,
    "kind": "policy",
    "heading": "2. Le mécanisme proposé",
    "text": QUOTE,
}
QUESTION = "Que couvre le mécanisme proposé ?"


DOCUMENT: dict[str, Any] = {
    "id": "om-garantie-fonds-propres-fr",
    "version": 1,
    "current": True,
    "title": "Garantie publique en fonds propres",
    "kind": "policy",
    "visibility": "public",
    "language": "fr",
    "authors": ["Équipe plaidoyer"],
    "issuer": "Opération Milliard",
    "published": "2026-11-22",
    "version_date": None,
    "themes": ["garantie-mecanisme"],
    "celex": None,
    "eli": None,
    "doi": None,
    "identifier": "om-garantie-fonds-propres",
    "licence": "CC-BY-4.0",
    "url": None,
    "paged": True,
    "ingested": "2026-11-23T09:30:00+00:00",
}
