"""Examples of messages, for the OpenAPI document; a test holds them to their shapes."""

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
CITATION: dict[str, Any] = {
    "number": 1,
    **PLACE,
    "version_date": None,
    "current": True,
    "quote": QUOTE,
    "verified": True,
}
QUOTE_IN_ENGLISH = (
    "The proposed mechanism covers half of the losses of an investor who takes a share in a "
    "cooperative."
)
CITATION_IN_ENGLISH: dict[str, Any] = {
    **CITATION,
    "number": 2,
    "document_id": "om-garantie-fonds-propres-en",
    "title": "Guaranteeing the equity of social-economy organisations",
    "passage_id": "0b6a3f0e-53d7-5c1c-8a49-2f0d7c1be0a4",
    "language": "en",
    "page": 2,
    "page_label": "2",
    "spans": [{"page": 2, "page_label": "2", "section": None, "start": 88, "end": 186}],
    "url": "/v1/documents/om-garantie-fonds-propres-en/pages/2?version=1",
    "quote": QUOTE_IN_ENGLISH,
}
ANSWERS: list[dict[str, Any]] = [
    {
        "question": QUESTION,
        "language": "fr",
        "took_ms": 342.7,
        "status": "answered",
        "confidence": 0.9312,
        "sentences": [{"text": QUOTE, "citations": [1], "also": [2]}],
        "citations": [CITATION, CITATION_IN_ENGLISH],
        "differs": [],
        "nearest": [],
    },
    {
        "question": "Quelle est la hauteur de la tour Eiffel ?",
        "language": "fr",
        "took_ms": 351.2,
        "status": "insufficient_evidence",
        "confidence": 0.0215,
        "sentences": [],
        "citations": [],
        "differs": [],
        "nearest": [HIT],
    },
]
# The first of them, streamed.
ANSWER_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("sources", {"query": QUESTION, "language": "fr", "took_ms": 18.6, "hits": [HIT]}),
    (
        "sentence",
        {
            "text": QUOTE,
            "citations": [1],
            "also": [2],
            "introduces": [CITATION, CITATION_IN_ENGLISH],
        },
    ),
    (
        "end",
        {
            "status": "answered",
            "confidence": 0.9312,
            "differs": [],
            "nearest": [],
            "timings": {"retrieval_ms": 18.6, "reading_ms": 324.1, "total_ms": 342.7},
            "request_id": "4f1c2a9be07d4d5f8c63a1b2c3d4e5f6",
        },
    ),
]


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
    "valid_until": None,
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
