"""Calls for a profile, ranked, with what speaks for each and what may rule it out, as quotes.

Every statement is carried by a verified citation; what no sentence of a call says is not stated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from kb.calls.detail import cited_facts
from kb.calls.finder import CallHit
from kb.calls.news import FIELD_NAMES, in_words, labelled
from kb.calls.places import accepting
from kb.calls.status import status_at
from kb.calls.why import Why, cite_hits, same_words
from kb.errors import UsageError
from kb.index.conditions import accepted_as
from kb.model import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kb.bootstrap import KnowledgeBase
    from kb.calls.profile import Profile
    from kb.calls.query import CallQuery
    from kb.calls.status import Words
    from kb.calls.why import Rarity
    from kb.model import Access, Call, Citation, Hit

MAX_LIMIT = 50
SUBJECT = "subject"
# The description counts beside the aims, which are more to the point.
_DESCRIPTION_WEIGHT = 0.5
# The mean of what a call scores by all aims, beside the best of them.
_MEAN_WEIGHT = 0.5
# Two sentences on the subject show what a call is about.
_SUBJECT_QUOTES = 2
# One term in common is chance: of the judged sentences 47 in 100 were on the profile's subject; of
# those with two terms, from a call's own description, 61.
_LEAST_SAID = 2
_HALF = 50  # percent


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that speaks for a call or against it, in words, with the sentence behind it.

    ``value`` is that of the field, in its own terms; the subject has none.
    """

    field: str
    says: Words
    citation: Citation
    value: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A call for a profile, with what speaks for it and what may rule it out."""

    hit: CallHit
    fits: tuple[Statement, ...]
    rules_out: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fact of a call means for a profile: that it fits, or that it may rule it out."""

    fits: bool
    says: Words


@dataclass(slots=True)
class _Ranked:
    """A call with the passages by which it was found, best first, and its score."""

    score: float = 0.0
    hits: tuple[tuple[str, Hit], ...] = ()


def match(  # noqa: PLR0913 -- keywords, after what is matched with what
    kb: KnowledgeBase,
    profile: Profile,
    asked: CallQuery,
    *,
    access: Access,
    now: datetime,
    limit: int = 10,
) -> list[Match]:
    """Rank the calls that a query's filters let through by how well they fit a profile.

    Raises:
        UsageError: ``limit`` is out of range.
        StoreError: There is no index to search.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise UsageError(f"limit is {limit}; it must lie between 1 and {MAX_LIMIT}.")
    with kb.finder.opened(asked, access, now) as (view, filters):
        ranked = _ranked(profile, lambda text: kb.finder.ranked(text, view, filters))
        documents = kb.calls.of(view.generation, list(ranked), access)
        order = sorted(
            (key for key, document in documents.items() if document.call is not None),
            # A call that says it is not for such as these goes behind all that do not say so.
            key=lambda key: (_ruled_out(documents[key].call, profile), -ranked[key].score, key),
        )
        rarity = partial(view.index.rarity, access=access)
        matches: list[Match] = []
        for key in order[:limit]:
            document = documents[key]
            if document.call is not None:
                status = status_at(document.call, now)
                hit = CallHit(document, document.call, status, ranked[key].score)
                matches.append(_told(kb, profile, hit, ranked[key].hits, rarity))
        return matches


def verdicts(call: Call, profile: Profile) -> dict[Fact, Verdict]:
    """What the facts of a call mean for a profile; those that neither help nor hinder are left out.

    Who may apply, and from where, is judged over all that is named: one that fits is enough.
    """
    found: dict[Fact, Verdict] = {}
    for field, values in _accepted(profile).items():
        named = [fact for fact in call.facts if fact.field == field]
        fitting = [fact for fact in named if fact.value in values]
        for fact in fitting or named:
            found[fact] = Verdict(bool(fitting), _named(fact))
    for fact in call.facts:
        judge = _JUDGES.get(fact.field)
        judged = None if judge is None else judge(float(fact.value), profile)
        if judged is not None:
            found[fact] = Verdict(judged, _named(fact))
    return found


def unquoted(call: Call, profile: Profile) -> list[tuple[str, str]]:
    """What may rule a call out by the data of its sources, where no sentence of it says so.

    Fields and values, to be told as such data: nothing of it can be quoted.
    """
    quoted = {fact.field for fact in call.facts}
    values = {field: getattr(call, field) for field in (*_accepted(profile), *_JUDGES)}
    given = [
        Fact(field, each if isinstance(each, str) else str(each).removesuffix(".0"), 0, 0, 0)
        for field, value in values.items()
        if field not in quoted and value is not None
        for each in (value if isinstance(value, tuple) else (value,))
    ]
    found = verdicts(replace(call, facts=tuple(given)), profile)
    return [(fact.field, fact.value) for fact, verdict in found.items() if not verdict.fits]


def judged(
    call: Call, profile: Profile, facts: Sequence[tuple[Fact, Citation]]
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """What the cited facts of a call say for a profile, and what of them may rule the call out."""
    means = verdicts(call, profile)
    told = [
        (means[fact].fits, Statement(fact.field, means[fact].says, citation, fact.value))
        for fact, citation in facts
        if fact in means
    ]
    return (
        tuple(statement for fits, statement in told if fits),
        tuple(statement for fits, statement in told if not fits),
    )


def _ranked(profile: Profile, rank: Callable[[str], list[Hit]]) -> dict[str, _Ranked]:
    """Calls by document id: by the aim that fits best, and in part by all aims and the description.

    A call that serves several aims goes before one that serves one as well.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    hits: defaultdict[str, list[tuple[str, Hit]]] = defaultdict(list)
    aims: defaultdict[str, list[float]] = defaultdict(list)
    texts = profile.aims or (profile.description,)
    for text in texts:
        for hit in rank(text):
            hits[hit.document.id].append((text, hit))
            aims[hit.document.id].append(hit.score)
    if profile.aims:
        for hit in rank(profile.description):
            hits[hit.document.id].append((profile.description, hit))
            scores[hit.document.id] += _DESCRIPTION_WEIGHT * hit.score
    for key, found in aims.items():
        scores[key] += max(found) + _MEAN_WEIGHT * sum(found) / len(texts)
    return {
        key: _Ranked(score, tuple(sorted(hits[key], key=lambda pair: -pair[1].score)))
        for key, score in scores.items()
    }


def _ruled_out(call: Call | None, profile: Profile) -> bool:
    return call is not None and not all(v.fits for v in verdicts(call, profile).values())


def _told(
    kb: KnowledgeBase,
    profile: Profile,
    hit: CallHit,
    found_by: Sequence[tuple[str, Hit]],
    rarity: Rarity,
) -> Match:
    subject = _subject(kb, found_by, rarity)
    hit = replace(hit, why=tuple(statement.citation for statement in subject))
    fits, rules_out = judged(hit.call, profile, cited_facts(kb, hit))
    return Match(hit, (*subject, *fits), rules_out)


def _subject(
    kb: KnowledgeBase, found_by: Sequence[tuple[str, Hit]], rarity: Rarity
) -> list[Statement]:
    """The sentences about what the profile wants, from the best passages, each once."""
    says = {"fr": "Proche de votre sujet", "en": "Near your subject"}
    statements: dict[str, Statement] = {}
    for text, hit in found_by:
        if hit.passage.spans[0].number > 1:
            continue  # what it shares with other calls: objectives, conditions
        for citations in cite_hits(kb.record, Why(text, rarity, least=_LEAST_SAID), [hit]).values():
            for citation in citations:
                if not any(same_words(citation.quote, said) for said in statements):
                    statements[citation.quote] = Statement(SUBJECT, says, citation)
        if len(statements) >= _SUBJECT_QUOTES:
            break
    return list(statements.values())[:_SUBJECT_QUOTES]


def _accepted(profile: Profile) -> dict[str, frozenset[str]]:
    """The values that fit, of fields that name who may apply."""
    return {
        "applicants": frozenset(accepted_as(profile.legal_form)),
        "countries": frozenset(accepting(profile.country)),
    }


def _named(fact: Fact) -> Words:
    """The fact in words: its field and its value."""
    return {
        language: labelled(
            FIELD_NAMES[fact.field][language], in_words(fact.field, fact.value, language), language
        )
        for language in ("fr", "en")
    }


def _consortium(needed: float, profile: Profile) -> bool | None:
    """Whether an association has the partners that a call asks for, itself counted."""
    if needed <= 1:
        return True
    return None if profile.partners_count is None else profile.partners_count + 1 >= needed


def _smallest(amount: float, profile: Profile) -> bool | None:
    """Whether the smallest grant is one that it could carry."""
    largest = profile.grant_max_eur
    return None if largest is None else amount <= largest


def _largest(amount: float, profile: Profile) -> bool | None:
    """Whether the largest grant is worth the work."""
    smallest = profile.grant_min_eur
    return None if smallest is None else amount >= smallest


def _share(percent: float, profile: Profile) -> bool | None:
    """A share of the costs that leaves most of them to an association may rule the call out."""
    del profile
    return percent >= _HALF


_JUDGES: dict[str, Callable[[float, Profile], bool | None]] = {
    "consortium_min": _consortium,
    "grant_min": _smallest,
    "grant_max": _largest,
    "cofinancing": _share,
}
