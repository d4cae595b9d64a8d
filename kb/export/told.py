"""What an exported document says: quotes, the notes with their sources, warnings, in words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date

from kb.briefs.model import Outdated, Paragraph, Quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from kb.briefs.model import Dossier, Shown
    from kb.model import Citation, Span

# What Unicode has to turn the direction of what follows: a title must not turn the page beside it.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ADDRESS: Final = re.compile(r"https?://[^/]", re.IGNORECASE)
# Of an address, what has a meaning there; every other sign is written as %XX.
_MEANT: Final = "!#$%&'()*+,/:;=?@[]~"
_BLANKS: Final = re.compile(r"[ \n\u2028\u2029]+")  # others mean something: in French, no break
_LANGUAGE: Final = re.compile("[a-z]{2,3}")
_LOCALES: Final = {"fr": Locale("fr"), "en": Locale("en", "GB")}

_Words = dict[str, str]
_WORDS: Final[Mapping[str, _Words]] = {
    "fr": {
        "file": "{pages} (page {physical} du fichier)",
        "files": "{pages} (pages {physical} du fichier)",
        "version": "version du {day}",
        "in": "en {language}",
        "made": "Établi le {day}.",
        "quote": "{n} citation, comparée mot pour mot au texte conservé de sa page.",
        "quotes": "{n} citations, comparées mot pour mot au texte conservé de leurs pages.",
        "doubtful": "{n} citation est à revoir\u00a0: un avertissement la suit.",
        "doubtfuls": "{n} citations sont à revoir\u00a0: un avertissement suit chacune.",
        "missing": "Une citation ne peut pas être montrée ici\u00a0: son document a été retiré ou "
        "modifié, ou ne vous est pas ouvert.",
        "warning": "Attention\u00a0: {reasons}.",
        "and": "\u00a0; ",
        "since": "{reasons} (depuis le {day})",
        Outdated.SUPERSEDED: "le document cité a une version plus récente",
        Outdated.NO_LONGER_IN_FORCE: "le texte cité n’est plus en vigueur",
        Outdated.CALL_CLOSED: "l’appel cité est clos",
    },
    "en": {
        "file": "{pages} (page {physical} of the file)",
        "files": "{pages} (pages {physical} of the file)",
        "version": "version of {day}",
        "in": "in {language}",
        "made": "Made on {day}.",
        "quote": "{n} quote, compared word for word with the stored text of its page.",
        "quotes": "{n} quotes, compared word for word with the stored text of their pages.",
        "doubtful": "{n} quote needs a second look: a warning follows it.",
        "doubtfuls": "{n} quotes need a second look: a warning follows each.",
        "missing": "A quote can’t be shown here: its document was removed or changed, or is not "
        "open to you.",
        "warning": "Warning: {reasons}.",
        "and": "; ",
        "since": "{reasons} (since {day})",
        Outdated.SUPERSEDED: "the document quoted has a newer version",
        Outdated.NO_LONGER_IN_FORCE: "the text quoted is no longer in force",
        Outdated.CALL_CLOSED: "the call quoted has closed",
    },
}


@dataclass(frozen=True, slots=True)
class Source:
    """A note: a title in its ``language``, what else is said of it, and where it can be read."""

    title: str
    language: str
    details: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph of what an author writes; its lines are parted by newlines."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote between the marks of its language, its note, and why it is to be looked at again."""

    text: str
    language: str
    source: Source
    warning: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """In place of a quote that can't be shown: that it can't."""

    text: str


Told = Text | Quote | Gap


@dataclass(frozen=True, slots=True)
class Telling:
    """An exported document: ``about`` says when it was made and how much it quotes."""

    title: str
    language: str
    about: str
    blocks: tuple[Told, ...]


def told(dossier: Dossier, base_url: str = "") -> Telling:
    """A dossier in the words of its language.

    ``base_url`` is the service's address without a slash at its end: with it, notes on documents
    that have no address of their own lead to the page in the service.
    """
    language = dossier.language if dossier.language in _WORDS else "fr"
    return Telling(
        clean(dossier.title) or "—",
        language,
        _about(dossier, language),
        tuple(each for block in dossier.blocks for each in _told(block, language, base_url)),
    )


def clean(text: str) -> str:
    """Text in one line, without signs that can't be printed or that turn what stands beside."""
    return _BLANKS.sub(" ", printable(text)).strip()


def printable(text: str) -> str:
    """Text without signs that can't be printed or that turn what stands beside."""
    return "".join(_printable(sign) for sign in text.replace("\r\n", "\n"))


def _printable(sign: str) -> str:
    if not _is_unprintable(sign):
        return sign
    return "\n" if sign in "\n\r" else " " if sign.isspace() else ""


def _is_unprintable(sign: str) -> bool:
    # Cn includes U+FFFE and U+FFFF, which no XML may hold, and what is not assigned yet.
    return sign in _TURNING or unicodedata.category(sign) in {"Cc", "Cs", "Cn", "Co"}


def day_in_words(day: date, language: str) -> str:
    """A day as it is written in a text: 1er mars 2026, 1 March 2026."""
    written = format_date(day, "long", _LOCALES[language])
    return re.sub(r"^1 ", "1er ", written) if language == "fr" else written


def address(citation: Citation, base_url: str = "") -> str | None:
    """Where a citation can be read: at its source at its page, else in the service, else nowhere.

    It is always an address of the web, in ASCII.
    """
    document, span = citation.document, citation.spans[0]
    source = web_address(document.metadata.url)
    if source is not None:
        return f"{source}#page={span.page}" if span.page and "#" not in source else source
    if not base_url:
        return None
    there = f"{base_url}/documents/{quote(document.id, safe='')}/pages/{span.number}"
    marks = [f"{s.start}-{s.end}" for s in citation.spans if s.number == span.number]
    return f"{there}?version={document.version}&mark={'&mark='.join(marks)}"


def web_address(url: str | None) -> str | None:
    """An address of the web in ASCII; null where it is none, such as one that runs a script."""
    stated = "".join((url or "").split())
    return quote(stated, safe=_MEANT) if _ADDRESS.match(stated) else None


def _about(dossier: Dossier, language: str) -> str:
    words = _WORDS[language]
    quoted = [block for block in dossier.blocks if isinstance(block, Quoted)]
    doubtful = sum(1 for block in quoted if block.outdated)
    said = [words["made"].format(day=day_in_words(dossier.day, language))]
    if quoted:
        said.append(_counted(len(quoted), "quote", language))
    if doubtful:
        said.append(_counted(doubtful, "doubtful", language))
    return " ".join(said)


def _counted(number: int, name: str, language: str) -> str:
    return _WORDS[language][name if number == 1 else f"{name}s"].format(n=number)


def _told(block: Shown, language: str, base_url: str) -> list[Told]:
    if isinstance(block, Paragraph):
        parts = re.split(r"\n\s*\n", printable(block.text))
        return [Text(_lines(part)) for part in parts if part.strip()]
    if isinstance(block, Quoted):
        return [_quote(block, language, base_url)]
    return [Gap(_WORDS[language]["missing"])]


def _quote(block: Quoted, language: str, base_url: str) -> Quote:
    citation = block.citation
    spoken = _spoken(citation.passage.language)
    left, right = ("«\u00a0", "\u00a0»") if spoken == "fr" else ("“", "”")
    return Quote(
        f"{left}{_lines(printable(citation.quote))}{right}",
        spoken,
        Source(
            clean(citation.document.title),
            _spoken(citation.document.language),
            _details(citation, language),
            address(citation, base_url),
        ),
        _warning(block, language),
    )


def _lines(text: str) -> str:
    """Lines as they are, without what is blank around and between them."""
    lines = (re.sub(" +", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _details(citation: Citation, language: str) -> str:
    metadata, words = citation.document.metadata, _WORDS[language]
    dated, spoken = metadata.version_date, citation.passage.language
    other = "" if spoken == language else _language_name(spoken, language)
    named = {
        "issuer": clean(metadata.issuer or ""),
        "published": metadata.published and day_in_words(metadata.published, language),
        "version": dated and words["version"].format(day=day_in_words(dated, language)),
        "language": other and words["in"].format(language=other),
        "place": place(citation.spans, language),
    }
    return ", ".join(part for part in named.values() if part)


def _spoken(language: str) -> str:
    """A language as documents state it: its code, else that it is not known (ISO 639-2)."""
    return language if _LANGUAGE.fullmatch(language) else "und"


def _language_name(code: str, language: str) -> str:
    """The name of a language in another; empty where it has none."""
    name: str = _LOCALES[language].languages.get(code, "")
    return name


def place(spans: Sequence[Span], language: str) -> str:
    """Where a quote stands: ``p. ii (page 4 du fichier)``, or ``section 3, Article 2``."""
    by_number = {span.number: span for span in spans}
    numbers, first = list(by_number), spans[0]
    labels = [clean(span.page_label or "") for span in by_number.values()]
    several = len(numbers) > 1
    physical = _run([str(number) for number in numbers], numbers)
    if not first.page:
        named = ", ".join(label for label in labels if label)
        return f"section{'s' if several else ''} {physical}{', ' if named else ''}{named}"
    if not all(labels) or labels == [str(number) for number in numbers]:
        return f"p.\u00a0{physical}"
    printed = f"p.\u00a0{_run(labels, numbers)}"
    template = _WORDS[language]["files" if several else "file"]
    return template.format(pages=printed, physical=physical)


def _run(names: list[str], numbers: list[int]) -> str:
    """Names of pages: those that follow each other as a range."""
    together = len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return f"{names[0]}\u2013{names[-1]}" if together else ", ".join(names)


def _warning(block: Quoted, language: str) -> str | None:
    if not block.outdated:
        return None
    words = _WORDS[language]
    reasons = words["and"].join(words[reason] for reason in block.outdated)
    if block.since is not None:
        reasons = words["since"].format(reasons=reasons, day=day_in_words(block.since, language))
    return words["warning"].format(reasons=reasons)
