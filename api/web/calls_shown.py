"""One call as its page shows it: fields with the sentences behind them, texts, history."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kb.calls.detail import cited_facts
from kb.calls.match import judged, unquoted
from kb.calls.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kb.bootstrap import KnowledgeBase
    from kb.calls.finder import CallHit
    from kb.calls.match import Statement
    from kb.calls.news import CallNews
    from kb.model import Access, Call, Citation

# Who reads this has an association in France, unless they say otherwise in a form.
USUAL: Final = Profile("An association in France")
# The conditions that people ask for first: that one is not stated is worth a line.
CONDITIONS: Final = (
    *("applicants", "countries", "consortium_min", "cofinancing"),
    *("grant_min", "grant_max", "budget", "expected_grants"),
)
_BEGINNING: Final = 900  # characters of a text that are shown before its page


@dataclass(frozen=True, slots=True)
class Said:
    """A value of a field and the sentence of the call that states it."""

    value: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Text:
    """One of a call's texts: description, conditions, how to apply; ``beginning`` is its start."""

    number: int
    label: str | None
    beginning: str
    whole: bool


@dataclass(frozen=True, slots=True)
class ShownCall:
    """What a call's page says beside the fields of the call itself.

    ``said`` holds the quoted values by field. ``fits`` and ``rules_out`` are what these mean for
    an association in France; ``unquoted`` are fields and values that may rule it out by the data of
    its sources alone. ``history`` is newest first.
    """

    said: Mapping[str, tuple[Said, ...]]
    fits: tuple[Statement, ...]
    rules_out: tuple[Statement, ...]
    unquoted: tuple[tuple[str, str], ...]
    texts: tuple[Text, ...]
    history: tuple[CallNews, ...]


def shown_call(kb: KnowledgeBase, hit: CallHit, access: Access) -> ShownCall:
    """Gather what the page of a call says."""
    facts = cited_facts(kb, hit)
    said: defaultdict[str, list[Said]] = defaultdict(list)
    for fact, citation in facts:
        said[fact.field].append(Said(fact.value, citation))
    fits, rules_out = judged(hit.call, USUAL, facts)
    generation = kb.record.current_id() or 0
    history = kb.calls.news(generation, access, document_ids=[hit.document.id])
    return ShownCall(
        said={field: tuple(found) for field, found in said.items()},
        fits=fits,
        rules_out=rules_out,
        unquoted=tuple(unquoted(hit.call, USUAL)),
        texts=tuple(
            _text(number, label, _without_titles(text, hit.call) if number == 1 else text)
            for number, label, text in kb.record.page_texts_of(hit.document)
        ),
        history=tuple(reversed(history)),
    )


def _without_titles(text: str, call: Call) -> str:
    """A text without the titles that it begins with: they stand above it on the page."""
    titles = {call.title, call.call_title}
    lines = text.strip().split("\n")
    while lines and (not lines[0].strip() or lines[0].strip() in titles):
        lines.pop(0)
    return "\n".join(lines)


def _text(number: int, label: str | None, text: str) -> Text:
    """A text with its first lines, cut between two words."""
    text = text.strip()
    if len(text) <= _BEGINNING:
        return Text(number, label, text, whole=True)
    return Text(number, label, text[:_BEGINNING].rsplit(maxsplit=1)[0], whole=False)
