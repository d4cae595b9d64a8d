"""Reads saved pages of French calls: a folder's ``metadata.json`` and the texts in ``content/``."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html import escape
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.calls.base import CallRecord, Flaw
from ingest.calls.sources.french import (
    LICENCE,
    folded,
    items,
    line,
    number_of,
    pages,
    slug_of,
    together,
    values,
)
from ingest.calls.sources.french_deadlines import deadlines_by, stated_deadlines
from ingest.calls.sources.french_listed import (
    flaws_of,
    listed_call,
    listed_deadline,
    listed_opening,
)
from ingest.calls.sources.streams import head_of, opened
from ingest.readers.encoding import decode, squash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path


class _Site(NamedTuple):
    """Whose calls stand at a site, and how their pages are known: by a number or by a slug.

    ``dataset`` says that the entries come from the open data of the site; ``stamped`` that lists
    of its pages give the day of a page's update as its deadline.
    """

    source: str
    funder: str = ""
    numbered: bool = False
    dataset: bool = False
    stamped: bool = False


_SITES = {
    "iledefrance.fr": _Site("ile-de-france", "Région Île-de-France", numbered=True, dataset=True),
    "paris.fr": _Site("paris", "Ville de Paris", numbered=True),
    "seine-saint-denis.gouv.fr": _Site(
        "seine-saint-denis", "Préfecture de Seine-Saint-Denis", stamped=True
    ),
}
_HOST = re.compile(r"https?://(?:www\.)?([\w.-]+\.[a-z]{2,})(?=[/?#:]|$)", re.IGNORECASE)
_STATE = ".gouv.fr"  # the sites of the State's services share one system
_FIELDS = (b'"titre"', b'"url_source"', b'"content_file"')
# What a model has filled in is no fact.
_GUESSED = "enriched"
_FOLDER = "content"
_LARGEST_TEXT = 20_000_000  # bytes

_HEADER = re.compile(r"^(TITRE|URL|DATE_LIMITE): ?(.*)$", re.MULTILINE)
_PAGE = "--- SOURCE HTML ---"
_ATTACHED = re.compile(r"^--- CONTENU PDF \((.+)\) ---$", re.MULTILINE)
_FIELD = re.compile(
    r"^(TITRE|RESUME(?: \(chapo\))?|DESCRIPTION|OBJECTIF|BENEFICIAIRES|QUI PEUT EN BENEFICIER"
    r"|CONDITIONS|MONTANT|DEMARCHES|CONTACT): ?",
    re.MULTILINE,
)
# What a site prints around its text, on one line since its markup is lost.
_SUMMARY = re.compile(
    r"^(?P<above>.{0,600}?)Sommaire Sommaire (?P<names>.{3,800}?) Revenir en haut "
)
_UPDATED = re.compile(r"\bMise? à jour le (\d{2})/(\d{2})/(\d{4})\s*")
_BELOW = re.compile(
    r"(?:\? )?Votre avis nous intéresse !.*$|Vous avez une question à nous poser \?.*$"
    r"|Abonnez-vous à la newsletter .*$"
    r"|(?:En complément )?Partager la page Partager sur .*$"
)
_DOWNLOAD = re.compile(
    r"(?:Télécharger )+(.{3,150}?) ((?:PDF|DOCX?|XLSX?|ODT|ODS|PPTX?|ZIP) - [\d,.]+ [KMG]?[bo])"
    r" - (\d{2}/\d{2}/\d{4})"
)
# paris.fr hides an address from robots: in words, then in ROT13, then in words again.
_HIDDEN = re.compile(r"\[ ?(\S+) puis (\S+) après le signe @ ?\](?: \S+@\S+ \[[^\]]*\])?")
_SENTENCE_END = ".!?:;»)"
_LONGEST_TITLE = 200  # characters that a page's own title has more than the listed one
_LONGEST_HEADING = 25  # words
_LONG_ENOUGH = 1  # spaces in a heading that is known wherever it stands
_RULES = re.compile(r"eglement|cahier des charges|\baap\b|appel a projet")
_ANNEX = "Annexe"
_NO_RULES = re.compile(r"[\d ]*(?:annexe|faq)\b")


def accepts(head: bytes, name: str) -> bool:
    """Tell whether a file lists saved pages, or is one page's text with its header lines."""
    if _GUESSED in name.casefold():
        return False
    return all(field in head for field in _FIELDS) or _is_text(head)


def read(path: Path, name: str, checked: datetime) -> Iterator[CallRecord | Flaw]:
    """Yield the calls of a list with the texts that stand beside it, or the call of one text.

    A text that is not there is no fault: the entry's own summary stands for it.

    Raises:
        UnreadableError: The rest of the file can't be read.
    """
    if _is_text(head_of(path, name)):
        text = _text(path, name)
        header = dict(reversed(_HEADER.findall(text.partition(_PAGE)[0])))
        entry = {
            "titre": header.get("TITRE"),
            "url_source": header.get("URL"),
            "date_limite": header.get("DATE_LIMITE"),
        }
        yield from _record(entry, text, name, checked)
        return
    for where, entry in items(path, name):
        if not isinstance(entry, dict):
            yield Flaw(where, "This is no entry: an object with titre and url_source is expected.")
            continue
        yield from _record(entry, _text_beside(path, entry), where, checked)


def _record(
    entry: dict[str, Any], text: str, where: str, checked: datetime
) -> Iterator[CallRecord | Flaw]:
    title, address = line(entry.get("titre")), line(entry.get("url_source"))
    slug, site = slug_of(address), _site(address)
    if not title or not slug or site is None:
        missing = "url_source of a page" if title else "titre"
        yield Flaw(where, f"The entry has no {missing}: the call can't be told from others.")
        return
    fields = _fields(text)
    audiences = values(entry.get("public_cible")) or values(fields.get("QUI PEUT EN BENEFICIER"))
    texts = pages(title, [*_own_parts(entry, fields, title), *_attached(text)])
    own = [page.text for page in texts if not (page.label or "").startswith(_ANNEX)]
    call = listed_call(
        f"{site.source}:{(number_of(address) if site.numbered else None) or slug}",
        {**entry, "public_cible": list(audiences)},
        _deadlines(entry, text, own, site),
        site.funder,
    )
    licence = LICENCE if site.dataset else None
    if site.dataset:
        call = replace(call, opens=listed_opening(entry))
    yield from flaws_of(entry, where)
    yield CallRecord(site.source, checked, "fr", call, texts, licence=licence)


def _is_text(head: bytes) -> bool:
    """Whether a file is a page's text: header lines, then the mark of the page."""
    start = head.removeprefix(b"\xef\xbb\xbf")
    return start.startswith(b"TITRE: ") and b"\nURL: http" in start and _PAGE.encode() in start


def _site(address: str) -> _Site | None:
    """Return whose call an address is; a site that is not known goes by its host's name."""
    found = _HOST.match(address)
    if found is None:
        return None
    host = found[1].casefold()
    state = host.endswith(_STATE)
    name = host.removesuffix(_STATE) if state else host.rpartition(".")[0]
    return _SITES.get(host) or _Site((name or host).replace(".", "-"), stamped=state)


def _deadlines(
    entry: dict[str, Any], text: str, texts: list[str], site: _Site
) -> tuple[datetime, ...]:
    """Return the deadlines, those stated by the page where the given one is no deadline.

    A list may hold as date_limite the first date on a page: that of its update or of a download.
    Of 27 entries of one such list all were; 23 of those calls state a last day. Without the page's
    text nothing shows what such a date is, so it does not count.
    """
    given, written = listed_deadline(entry), _updated(text)
    if given is not None and given.date() in _stamps(text):
        stated = {each.day for one in texts for each in stated_deadlines(one, written)}
        given = given if given.date() in stated else None
    if site.stamped and not text:
        given = None
    return deadlines_by(given, texts, written, early=site.dataset)


def _updated(text: str) -> date | None:
    found = _UPDATED.search(text)
    return _day(found.groups()) if found else None


def _stamps(text: str) -> set[date]:
    """Return the days on which a page and its downloads were put there."""
    page = squash(_ATTACHED.split(text, maxsplit=1)[0])
    downloads = {
        _day((found[3][:2], found[3][3:5], found[3][6:])) for found in _DOWNLOAD.finditer(page)
    }
    return {day for day in (_updated(page), *downloads) if day is not None}


def _day(parts: tuple[str | Any, ...]) -> date | None:
    day, month, year = (int(part) for part in parts)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a page's text by their names: RESUME, DESCRIPTION, OBJECTIF…."""
    page = _ATTACHED.split(text.partition(_PAGE)[2], maxsplit=1)[0]
    parts = _FIELD.split(page)[1:]
    fields: dict[str, str] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        fields.setdefault(name.removesuffix(" (chapo)"), value.strip())
    return fields


def _own_parts(
    entry: dict[str, Any], fields: dict[str, str], title: str
) -> Iterator[tuple[str, str]]:
    summary = fields.get("RESUME") or line(entry.get("resume"))
    main = fields.get("DESCRIPTION") or fields.get("OBJECTIF") or ""
    if _says(main, summary):
        summary = ""
    described = _described(main, title) if "DESCRIPTION" in fields else main
    yield "Description", together([summary, described])
    audiences = "\n".join(values(fields.get("QUI PEUT EN BENEFICIER", "")))
    yield "Bénéficiaires", together([fields.get("BENEFICIAIRES", ""), audiences])
    yield "Conditions", fields.get("CONDITIONS", "")
    yield "Modalités", fields.get("MONTANT", "")
    yield "Démarches", fields.get("DEMARCHES", "")
    yield "Contact", fields.get("CONTACT", "") or _contact(entry, main)


def _says(text: str, summary: str) -> bool:
    """Whether a text says what its summary does, which was cut from it, maybe without spaces."""
    start = re.sub(r"\W", "", folded(summary))[:60]
    return not start or start in re.sub(r"\W", "", folded(text))


def _contact(entry: dict[str, Any], text: str) -> str:
    address = line(entry.get("email_contact"))
    return "" if address in text else address


def _described(text: str, title: str) -> str:
    """Return a page's text as HTML without what its site prints around it.

    The headings that the site lists above the text are headings again.
    """
    text = _HIDDEN.sub(r"\1@\2", squash(text))
    text = _BELOW.sub("", text)
    text = _DOWNLOAD.sub("\n\\1 (\\2, \\3)\n", text)
    found = _SUMMARY.match(text)
    if found is None:
        head, _, rest = text.partition(" Mis à jour le ")
        if rest and len(head) <= len(title) + _LONGEST_TITLE:
            text = _UPDATED.sub("", "Mis à jour le " + rest, count=1)
            text = text if folded(head) == folded(title) else f"{head}\n{text}"
        return _paragraphs(text.removeprefix(title))
    body, html = text[found.end() :], ""
    for name in _headings(found["names"].split(), body) or ():
        before, _, body = body.partition(name)
        html += f"{_paragraphs(before)}<h2>{escape(name, quote=False)}</h2>"
    return html + _paragraphs(body)


def _headings(words: list[str], body: str, place: int = 0) -> list[str] | None:
    """Return the headings that a list of words is made of, as they follow one another in a text.

    Longer headings are tried first. Nothing where the words can't be divided so that each heading
    stands in the text after the one before: at the end of a sentence, or anywhere if it is long.
    """
    if not words:
        return []
    for end in range(min(len(words), _LONGEST_HEADING), 0, -1):
        name = " ".join(words[:end])
        at = _heading_at(name, body, place)
        rest = None if at < 0 else _headings(words[end:], body, at + len(name))
        if rest is not None:
            return [name, *rest]
    return None


def _heading_at(name: str, body: str, place: int) -> int:
    long = name.count(" ") >= _LONG_ENOUGH and name[0].isupper()
    at = body.find(f"{name} ", place)
    while at >= 0:
        before = body[:at].rstrip()
        if long or not before or before[-1] in _SENTENCE_END or at == place + 1:
            return at
        at = body.find(f"{name} ", at + 1)
    return -1


def _paragraphs(text: str) -> str:
    return "".join(
        f"<p>{escape(part, quote=False)}</p>" for part in text.split("\n") if part.strip()
    )


def _attached(text: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of attached PDFs; rules of the call are told from other attachments."""
    parts = _ATTACHED.split(text)[1:]
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        said = re.sub(r"[-_ ]+", " ", folded(name))
        own = _RULES.search(said) and not _NO_RULES.match(said)
        label = f"{'Règlement' if own else _ANNEX} ({line(name)})"
        yield label, content


def _text_beside(path: Path, entry: dict[str, Any]) -> str:
    """Return the text of an entry, which is named with a path of another system; else nothing."""
    name = PureWindowsPath(line(entry.get("content_file"))).name
    beside = path.parent / _FOLDER / name
    if not name or not beside.is_file() or beside.stat().st_size > _LARGEST_TEXT:
        return ""
    return _text(beside, name)


def _text(path: Path, name: str) -> str:
    with opened(path, name) as stream:
        return decode(stream.read(_LARGEST_TEXT))
