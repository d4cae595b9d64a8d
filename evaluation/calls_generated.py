"""Many generated calls in a base, written in bulk and without encoding, to time searches on."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from sqlalchemy import insert

from kb.analysis import passage_terms
from kb.calls.identity import call_key
from kb.index.base import Point
from kb.lock import writer_lock
from kb.model import (
    Applicant,
    Call,
    CallSource,
    Document,
    Kind,
    Metadata,
    Page,
    Passage,
    Span,
    Visibility,
)
from kb.record import rows
from kb.record.calls import call_json
from kb.record.schema import calls, documents, members, pages, passages, versions
from kb.record.writing import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kb.bootstrap import KnowledgeBase

NOW = datetime(2026, 8, 15, 12, tzinfo=UTC)
PROGRAMMES = tuple(f"Fund {number:02}" for number in range(1, 31))
TYPES = ("Project Grants", "Lump Sum Grants", "Prizes", "Operating Grants", "Vouchers")
COUNTRIES = ("FR", "BE", "EU", "ANY", "DE", "ES", "IT", "PL")
_VERBS = "Helping Training Linking Housing Feeding Repairing Restoring Teaching Advising Funding"
_WHOM = "neighbours farmers pupils carers tenants refugees craftsmen gardeners fishers readers"
_WHAT = "gardens bicycles libraries ponds hedges kitchens workshops theatres harbours orchards"
_WHERE = "villages towns islands valleys suburbs schools hospitals markets forests stations"
_SENTENCE = "The grant pays for {what} that {whom} in {where} look after together, for two years."
_BATCH = 2000
# One passage a call, and in a tenth of the calls two more.
_LONG_EVERY, _LONG = 10, 3


def generate(kb: KnowledgeBase, count: int) -> None:
    """Write so many calls as one published generation of an empty base."""
    random = Random(26)  # noqa: S311 -- the same calls at every run
    draws = np.random.default_rng(26)
    with writer_lock(kb.settings.lock):
        draft = Draft(kb.engine, kb.encoder.name, NOW)
        writer = kb.index.writer(draft.id, None)
        for first in range(1, count + 1, _BATCH):
            numbers = range(first, min(first + _BATCH, count + 1))
            made = [_document(number, random) for number in numbers]
            found = [(document, _passages(document)) for document in made]
            _write(kb, draft.id, first, found)
            pairs = [(document, passage) for document, each in found for passage in each]
            vectors = draws.standard_normal((len(pairs), kb.encoder.dimension), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            writer.add(
                [
                    Point(passage, document, vector, passage_terms(passage.text, "en"))
                    for (document, passage), vector in zip(pairs, vectors, strict=True)
                ]
            )
        writer.finish()
        draft.publish({}, [], {})


def _document(number: int, random: Random) -> Document:
    words = {name: random.choice(text.split()) for name, text in _WORDS.items()}
    title = "{verb} {whom} and {what} in {where}".format(**words) + f" {number}"
    identifier = f"GEN-2026-{number:06}"
    opens = NOW + timedelta(days=random.randint(-400, 120))
    amount = random.choice((None, random.randint(10, 5000) * 1000))
    call = Call(
        identifier,
        title,
        programme=random.choice(PROGRAMMES),
        action_types=(random.choice(TYPES),),
        opens=opens,
        deadlines=(opens + timedelta(days=random.randint(30, 300)),),
        budget=amount,
        applicants=tuple(random.sample(list(Applicant), random.randint(0, 3))),
        countries=tuple(random.sample(COUNTRIES, random.randint(0, 2))),
        sources=(CallSource("generated", None, NOW),),
        first_seen=opens,
    )
    metadata = Metadata(
        title=title,
        identifier=identifier,
        kind=Kind.CALL,
        language="en",
        visibility=Visibility.PUBLIC,
    )
    return Document(
        identifier.lower(),
        1,
        title,
        Kind.CALL,
        Visibility.PUBLIC,
        "en",
        metadata,
        "generated",
        paged=False,
        ingested=NOW,
        call=call,
    )


_WORDS = {"verb": _VERBS, "whom": _WHOM, "what": _WHAT, "where": _WHERE}


def _passages(document: Document) -> list[Passage]:
    """The passages of a call: one a sentence of its page."""
    number = int(document.id.rpartition("-")[2])
    found, start = [], 0
    for ordinal in range(1 if number % _LONG_EVERY else _LONG):
        text = _text(document, number, ordinal)
        span = Span(None, None, 1, start, start + len(text))
        key = str(uuid5(NAMESPACE_URL, f"{document.id}/{ordinal}"))
        found.append(Passage(key, document.id, 1, ordinal, text, (span,), "", "en"))
        start += len(text) + 1
    return found


def _text(document: Document, number: int, ordinal: int) -> str:
    words = {
        name: text.split()[(number + ordinal * 3) % len(text.split())]
        for name, text in _WORDS.items()
    }
    said = _SENTENCE.format(**words)
    return said if ordinal else f"{document.title}. {said}"


def _write(
    kb: KnowledgeBase, generation: int, first: int, found: list[tuple[Document, list[Passage]]]
) -> None:
    tables: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (documents, versions, calls, pages, passages, members)
    }
    for key, (document, made) in enumerate(found, start=first):
        for table, values in _rows(key, generation, document, made):
            tables[table].append(values)
    with kb.engine.begin() as connection:
        for table, lines in tables.items():
            connection.execute(insert(table), lines)


def _rows(
    key: int, generation: int, document: Document, found: list[Passage]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    call = document.call
    if call is None:
        return
    yield documents, {"id": document.id, "work": document.id, "highest": 1}
    yield (
        versions,
        {
            "key": key,
            "document_id": document.id,
            "number": 1,
            "born": generation,
            "sha256": hashlib.sha256(document.id.encode()).hexdigest(),
            "media_type": "application/json",
            "source": document.source,
            "paged": False,
            "warnings": json.dumps([]),
            "ingested": rows.naive(NOW),
            **rows.metadata_values(document.metadata),
        },
    )
    stored = {"key": call_key(call.identifier), "call": call_json(call), "records": b""}
    yield calls, {"version_key": key, **stored}
    text = "\n".join(passage.text for passage in found)
    yield pages, {"version_key": key, **rows.page_values(Page(1, text))}
    for passage in found:
        yield passages, {"version_key": key, **rows.passage_values(passage)}
    yield (
        members,
        {
            "generation": generation,
            "version_key": key,
            "current": True,
            "visibility": document.visibility,
        },
    )
