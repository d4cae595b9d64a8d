"""Facts of a call taken from its texts by rules, each with the sentence that states it.

Each rule's docstring has its precision on the half of the shared calls that it was not written on,
judged by reading (``evaluation/calls/facts_judged.jsonl``): first as it stood before anybody had
read that half, and last after its mistakes there were mended, so that the last figure flatters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.calls.facts.applicants import applicants
from ingest.calls.facts.countries import countries
from ingest.calls.facts.partners import consortium
from ingest.calls.facts.rules import budgets, grants, shares
from ingest.calls.facts.statements import statements
from kb.model import Applicant, Fact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kb.model import Call, Page

_RULES = (applicants, countries, consortium, shares, grants, budgets)
_MONEY = ("budget", "grant_min", "grant_max")


def facts_of(pages: Sequence[Page], language: str) -> tuple[Fact, ...]:
    """Take the facts that the pages of a call state.

    Args:
        pages: Texts of one call in one language; blocks limit sentences where there are any.
        language: ISO 639-1; decides how sentences are cut.

    Returns:
        Facts in reading order, one for each field and value: the first sentence that states it.
        Sentences may differ on a number; ``with_facts`` decides.
    """
    found: dict[tuple[str, str], Fact] = {}
    for statement in statements(pages, language):
        for rule in _RULES:
            for field, value in rule(statement):
                fact = Fact(field, value, statement.page, statement.start, statement.end)
                found.setdefault((field, value), fact)
    return _plausible(tuple(found.values()))


def _plausible(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Leave out that international organisations may apply where nobody else is said to.

    Such a sentence adds them to applicants who are named elsewhere.
    """
    named = {fact.value for fact in facts if fact.field == "applicants"}
    if named != {Applicant.INTERNATIONAL.value}:
        return facts
    return tuple(fact for fact in facts if fact.field != "applicants")


def with_facts(call: Call, pages: Sequence[Page], language: str) -> Call:
    """Return the call with what its texts state where its source's own fields are empty.

    Facts that agree with a filled field are kept as its evidence; others of that field are not.
    Where sentences differ on a number, the highest share of the costs counts, and of other
    numbers none.
    """
    facts = facts_of(pages, language)
    kept: list[Fact] = []
    taken: dict[str, Any] = {}
    for field in dict.fromkeys(fact.field for fact in facts):
        known = getattr(call, field)
        stated = {fact: _value(fact) for fact in facts if fact.field == field}
        wanted = _known(known) or _decided(field, tuple(stated.values()))
        kept += [fact for fact, value in stated.items() if value in wanted]
        if not _known(known) and wanted:
            taken[field] = wanted if isinstance(known, tuple) else wanted[0]
    return _ordered(call, taken, kept)


def _known(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _value(fact: Fact) -> Any:
    """What a fact says, as the call's field holds it."""
    if fact.field == "applicants":
        return Applicant(fact.value)
    if fact.field == "countries":
        return fact.value
    return float(fact.value) if fact.field == "cofinancing" else int(fact.value)


def _decided(field: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values that a field takes from what sentences state of it."""
    if field in {"applicants", "countries"}:
        return tuple(dict.fromkeys(values))
    if field == "cofinancing":
        return (max(values),)
    return values if len(set(values)) == 1 else ()


def _ordered(call: Call, taken: dict[str, Any], kept: list[Fact]) -> Call:
    """The call with the values taken, but for amounts that contradict each other."""
    filled = replace(call, **taken)
    amounts = [filled.grant_min, filled.grant_max, filled.budget]
    known = [amount for amount in amounts if amount is not None]
    if known != sorted(known):
        dropped = {field for field in _MONEY if field in taken}
        emptied: dict[str, Any] = dict.fromkeys(dropped)
        filled = replace(filled, **emptied)
        kept = [fact for fact in kept if fact.field not in dropped]
    return replace(filled, facts=(*call.facts, *kept))
