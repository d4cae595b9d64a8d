"""The glossary: acronyms, names and synonyms of one notion in both languages (corpus/)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import yaml

from kb.analysis import fold, stem, words
from kb.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LANGUAGES: Final = ("fr", "en")

_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FIELDS: Final = {"id", "fr", "en", "capitals", "related"}
_PLURALS: Final = ("", "s", "x", "e", "es")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a notion in a language, and its index terms."""

    text: str
    terms: tuple[str, ...]

    @property
    def acronym(self) -> bool:
        """Whether it is one word with at least two capitals."""
        return " " not in self.text and sum(map(str.isupper, self.text)) > 1


@dataclass(frozen=True, slots=True)
class Notion:
    """An entry of the glossary: its forms, and words looked for with them, by language."""

    id: str
    forms: Mapping[str, tuple[Form, ...]]
    related: Mapping[str, tuple[Form, ...]]
    capitals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """A form found in a question: ``length`` terms from place ``start`` of its language's terms."""

    notion: Notion
    language: str
    form: Form
    start: int

    @property
    def length(self) -> int:
        """How many terms it has."""
        return len(self.form.terms)

    def within(self, other: Match) -> bool:
        """Whether a longer form covers it: "membre" in "État membre" is no member of anything."""
        return (
            self.language == other.language
            and self.length < other.length
            and other.start <= self.start
            and self.start + self.length <= other.start + other.length
        )


class Glossary:
    """Finds the notions that a question names."""

    def __init__(self, notions: Sequence[Notion]) -> None:
        self.notions = tuple(notions)
        self._by_first: dict[tuple[str, str], list[tuple[Form, Notion]]] = {}
        for notion in notions:
            for language in LANGUAGES:
                for form in notion.forms[language]:
                    for first in _first_terms(form, language):
                        self._by_first.setdefault((language, first), []).append((form, notion))

    def find(self, text: str, language: str) -> list[Match]:
        """The notions in a question: its own language's forms, the other's if they can't be words.

        A form of the other language counts when it is an acronym or has several terms: "grant" is
        no word of a French question, but "ERDF" and "social economy" may stand in one.
        """
        found = [
            match
            for spoken in LANGUAGES
            for match in self._matches(text, spoken)
            if spoken == language or match.form.acronym or match.length > 1
        ]
        return [match for match in found if not any(match.within(other) for other in found)]

    def _matches(self, text: str, language: str) -> Iterator[Match]:
        written = words(text, language)
        spelt = tuple(stem(word, language) for word in written)
        for start, term in enumerate(spelt):
            for form, notion in self._by_first.get((language, term), ()):
                if spelt[start + 1 : start + len(form.terms)] != form.terms[1:]:
                    continue
                if form.text in notion.capitals and not _in_capitals(form.text, text):
                    continue
                if len(form.terms) > 1 or _same_word(written[start], form.text):
                    yield Match(notion, language, form, start)


def read_glossary(path: Path) -> Glossary:
    """Read and check the YAML source.

    Raises:
        UsageError: It can't be read or an entry is wrong; the message names the entry and field.
    """
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"The glossary {path} can't be read: {error}") from None
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"The glossary {path} must be a list of entries.")
    notions = [_notion(entry, f"{path}, entry {n}") for n, entry in enumerate(listed, 1)]
    for one, other in pairwise(sorted(notions, key=lambda notion: notion.id)):
        if one.id == other.id:
            raise UsageError(f"{path}: the id {one.id} stands twice.")
    return Glossary(notions)


def write_compiled(glossary: Glossary, path: Path) -> None:
    """Write the package's copy, which loads without YAML."""
    entries = [_plain(notion) for notion in glossary.notions]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")


def read_compiled(path: Path) -> Glossary:
    """Read the package's copy.

    Raises:
        StoreError: It is missing or damaged.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return Glossary([_notion(entry, f"{path}, entry {n}") for n, entry in enumerate(entries)])
    except (OSError, ValueError, UsageError) as error:
        raise StoreError(f"The glossary {path} can't be read: {error}") from None


def _notion(entry: Any, where: str) -> Notion:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise UsageError(f"{where}: an entry needs an id, fr and en.")
    where = f"{where} ({entry['id']})"
    if not _ID.fullmatch(entry["id"]):
        raise UsageError(f"{where}: an id has small letters, digits and single hyphens.")
    if unknown := sorted(map(str, entry.keys() - _FIELDS)):
        raise UsageError(f"{where}: unknown field {', '.join(unknown)}.")
    forms = {language: _forms(entry, language, where) for language in LANGUAGES}
    for language, listed in forms.items():
        if not listed:
            raise UsageError(f"{where}: {language} needs at least one form.")
    related = entry.get("related", {})
    if not isinstance(related, dict) or related.keys() - set(LANGUAGES):
        raise UsageError(f"{where}: related is {{fr: [...], en: [...]}}.")
    capitals = _texts(entry, "capitals", where)
    known = {form.text for listed in forms.values() for form in listed}
    if strange := sorted(set(capitals) - known):
        raise UsageError(f"{where}: capitals names {', '.join(strange)}, which is no form of it.")
    others = {language: _forms(related, language, f"{where}, related") for language in LANGUAGES}
    return Notion(entry["id"], forms, others, frozenset(capitals))


def _forms(entry: Mapping[str, Any], field: str, where: str) -> tuple[Form, ...]:
    texts = _texts(entry, field, where)
    folded = [fold(text) for text in texts]
    if twice := [text for text in texts if folded.count(fold(text)) > 1]:
        raise UsageError(f"{where}: {field} has {twice[0]!r} twice.")
    forms = [Form(text, tuple(stem(word, field) for word in words(text, field))) for text in texts]
    if empty := [form.text for form in forms if not form.terms]:
        raise UsageError(f"{where}: {field} has {empty[0]!r}, which is made of stop words alone.")
    return tuple(forms)


def _texts(entry: Mapping[str, Any], field: str, where: str) -> list[str]:
    texts = entry.get(field, [])
    if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() for t in texts):
        raise UsageError(f"{where}: {field} must be a list of texts (quote numbers and commas).")
    return texts


def _first_terms(form: Form, language: str) -> set[str]:
    """The term to look a form up by; Snowball keeps the s of acronyms ("ngos")."""
    plural = {stem(f"{form.text.lower()}s", language)} if form.acronym else set()
    return {form.terms[0]} | plural


def _plain(notion: Notion) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": notion.id}
    entry |= {language: [form.text for form in notion.forms[language]] for language in LANGUAGES}
    if notion.capitals:
        entry["capitals"] = sorted(notion.capitals)
    related = {
        language: [form.text for form in listed]
        for language, listed in notion.related.items()
        if listed
    }
    return entry | ({"related": related} if related else {})


def _in_capitals(acronym: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(acronym)}s?(?!\w)", text) is not None


def _same_word(written: str, form: str) -> bool:
    """Whether a word is a form but for its ending: "dons" is "don", "donne" isn't."""
    plain = fold(written)
    return any(plain in {fold(form) + ending, fold(form)[:-1] + ending} for ending in _PLURALS)
