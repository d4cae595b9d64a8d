"""What tools say in words, made of the JSON that they give: quotes with who says them, and where.

An assistant is to be able to quote from these texts alone, so every quote stands word for word and
carries its title, issuer, date, page and address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.calls.news import BETWEEN, FIELD_NAMES, euros, in_words, labelled
from kb.calls.shown import STATUS_NAMES
from kb.commands import place
from kb.index.conditions import UNKNOWN
from kb.model import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORDS = {
    "fr": {
        "answered": (
            "Réponse tirée des documents. Chaque phrase est citée mot pour mot ; ce qui n'y est "
            "pas n'est pas établi."
        ),
        "insufficient": (
            "PREUVES INSUFFISANTES : les documents consultables ne suffisent pas pour répondre. "
            "Dites que ce n'est pas établi ; ne complétez pas de mémoire."
        ),
        "nearest": "Passages les plus proches, qui ne répondent pas :",
        "no_passage": "Aucun passage trouvé.",
        "passages": "Passages trouvés, le meilleur d'abord. Une recherche ne dit pas s'ils "
        "suffisent pour répondre.",
        "source": "Source",
        "document": "Document",
        "version": "version",
        "replaced": "version remplacée",
        "current": "version actuelle",
        "undated": "sans date",
        "also": "Également",
        "differs": "Les sources diffèrent, la plus récente d'abord :",
        "calls": "Appels qui passent les filtres : {total}. Ici : {shown}.",
        "no_calls": "Aucun appel ne passe les filtres.",
        "far": "Aucun de ces appels n'emploie les mots de la question : ce sont les plus proches.",
        "status": "Statut",
        "deadline": "Prochaine date limite",
        "days": "heure de Bruxelles, jours restants : {}",
        "project": "Par projet",
        "why": "Ce qu'en dit l'appel",
        "checked": "Vérifié à la source",
        "next": "Suite avec cursor",
    },
    "en": {
        "answered": (
            "Answer taken from the documents. Every sentence is quoted word for word; what is not "
            "in it is not evidenced."
        ),
        "insufficient": (
            "INSUFFICIENT EVIDENCE: the documents that can be read do not suffice to answer. Say "
            "that it is not evidenced; do not fill in from memory."
        ),
        "nearest": "The nearest passages, which do not answer:",
        "no_passage": "No passage was found.",
        "passages": "Passages found, the best first. A search does not tell whether they suffice "
        "to answer.",
        "source": "Source",
        "document": "Document",
        "version": "version",
        "replaced": "version replaced",
        "current": "current version",
        "undated": "no date",
        "also": "Also",
        "differs": "The sources differ, newest first:",
        "calls": "Calls that pass the filters: {total}. Here: {shown}.",
        "no_calls": "No call passes the filters.",
        "far": "None of these calls uses the words of the question: they are the nearest.",
        "status": "Status",
        "deadline": "Next deadline",
        "days": "Brussels time, days left: {}",
        "project": "Per project",
        "why": "What the call says of it",
        "checked": "Checked at the source",
        "next": "Go on with cursor",
    },
}


def answer_text(answer: Mapping[str, Any]) -> str:
    """An answer, each sentence with its source; or that the evidence does not suffice."""
    words = _words(answer["language"])
    if not answer["sentences"]:
        nearest = [f"- {source_text(hit)} ({hit['document_id']})" for hit in answer["nearest"]]
        return _joined(
            words["insufficient"], "\n".join([words["nearest"], *nearest]) if nearest else ""
        )
    by_number = {citation["number"]: citation for citation in answer["citations"]}
    parts = [words["answered"]]
    for sentence in answer["sentences"]:
        lines = [_cited(by_number[number], answer["language"]) for number in sentence["citations"]]
        for number in sentence["also"]:
            told = f"[{number}] {source_text(by_number[number])}"
            lines.append("    " + labelled(words["also"], told, answer["language"]))
        parts.append("\n".join(lines))
    if answer["differs"]:
        stated = [_stated(each, words) for each in answer["differs"]]
        parts.append("\n".join([words["differs"], *stated]))
    return _joined(*parts)


def search_text(found: Mapping[str, Any]) -> str:
    """Passages, each with its source."""
    language = found["language"]
    words = _words(language)
    if not found["hits"]:
        return words["no_passage"]
    return _joined(words["passages"], *(_passage(hit, language) for hit in found["hits"]))


def calls_text(page: Mapping[str, Any], language: str, *, near: bool) -> str:
    """A page of calls; ``near`` says that one of them uses a word of the question."""
    words = _words(language)
    if not page["hits"]:
        return words["no_calls"]
    told = words["calls"].format(total=page["total"], shown=len(page["hits"]))
    following = labelled(words["next"], page["next"], language) if page["next"] else ""
    hits = (_call(number, hit, language) for number, hit in enumerate(page["hits"], start=1))
    return _joined(told, "" if near else words["far"], *hits, following)


def document_text(document: Mapping[str, Any]) -> str:
    """A document: what it is, who says it, its versions and translations."""
    words = _words(document["language"])
    state = words["current" if document["current"] else "replaced"]
    lines = [
        " · ".join(_filled(document["title"], document["issuer"], *_days(document))),
        f"{words['document']} {document['id']}, {words['version']} {document['version']} ({state})",
        " · ".join(_filled(document["kind"], document["language"], *document["themes"])),
        f"{document['page_count']} {'pages' if document['paged'] else 'sections'}",
        document["url"] or "",
        document["licence"] or "",
    ]
    lines += [
        f"- {words['version']} {' · '.join(_filled(str(other['version']), *_days(other)))}"
        for other in document["versions"]
    ]
    lines += [
        f"- {other['language']}: {other['title']} ({other['id']})"
        for other in document["translations"]
    ]
    return "\n".join(_filled(*lines))


def source_text(cited: Mapping[str, Any]) -> str:
    """Title, issuer, date, page and address of what is cited."""
    where = place(Span(**cited["spans"][0]))
    return " · ".join(_filled(cited["title"], cited["issuer"], *_days(cited), where, cited["url"]))


def _cited(citation: Mapping[str, Any], language: str) -> str:
    words = _words(language)
    named = f"{citation['document_id']}, {words['version']} {citation['version']}"
    if not citation["current"]:
        named += f" ({words['replaced']})"
    return "\n".join(
        (
            f"[{citation['number']}] {_quoted(citation['quote'], citation['language'])}",
            "    " + labelled(words["source"], source_text(citation), language),
            "    " + labelled(words["document"], named, language),
        )
    )


def _passage(hit: Mapping[str, Any], language: str) -> str:
    words = _words(language)
    named = f"{hit['document_id']}, {words['version']} {hit['version']}"
    lines = (
        f"{hit['rank']}. {source_text(hit)}",
        "    " + labelled(words["document"], named, language),
        f"    {hit['heading']}" if hit["heading"] else "",
        _quoted(hit["text"], hit["language"]),
    )
    return "\n".join(_filled(*lines))


def _call(number: int, hit: Mapping[str, Any], language: str) -> str:
    words = _words(language)
    rows: list[tuple[str, str | None]] = [
        (words["status"], f"{STATUS_NAMES[language][hit['status']]}. {hit['status_reason']}"),
        (words["deadline"], _deadline(hit, words)),
        (FIELD_NAMES["programme"][language], hit["programme"]),
        (FIELD_NAMES["budget"][language], euros(hit["budget"], language) if hit["budget"] else ""),
        (words["project"], _amounts(hit, language)),
        *(
            (FIELD_NAMES[name][language], _named(name, hit[name], language))
            for name in ("applicants", "countries")
        ),
        (words["document"], hit["document_id"]),
        (words["checked"], ", ".join(f"{e['name']} {e['checked'][:10]}" for e in hit["sources"])),
    ]
    lines = [f"{number}. {hit['title']} ({hit['identifier']})"]
    lines += [f"    {labelled(name, value, language)}" for name, value in rows if value]
    lines += [f"    {hit['url']}"] if hit["url"] else []
    for citation in hit["why"]:
        told = f"{_quoted(citation['quote'], citation['language'])} — {source_text(citation)}"
        lines.append(f"    {labelled(words['why'], told, language)}")
    return "\n".join(lines)


def _deadline(hit: Mapping[str, Any], words: Mapping[str, str]) -> str:
    moment = hit["next_deadline"]
    if moment is None:
        return ""
    return f"{moment[:10]} {moment[11:16]}, {words['days'].format(hit['days_left'])}"


def _amounts(hit: Mapping[str, Any], language: str) -> str:
    amounts = dict.fromkeys((hit["grant_min"], hit["grant_max"]))
    return " – ".join(euros(amount, language) for amount in amounts if amount)


def _named(field: str, values: Sequence[str], language: str) -> str:
    unknown = list(values) == [UNKNOWN]
    return in_words(field, None if unknown else BETWEEN.join(values), language)


def _stated(stated: Mapping[str, Any], words: Mapping[str, str]) -> str:
    day = stated["date"] or words["undated"]
    state = words["current"] if stated["current"] else words["replaced"]
    return f"- {stated['value']} [{stated['citation']}] · {day} · {state}"


def _days(dated: Mapping[str, Any]) -> list[str]:
    """When it was published, and the day of its version where it has another."""
    days = _filled(dated["published"], dated.get("version_date"))
    return [" → ".join(dict.fromkeys(days))] if days else []


def _quoted(words: str, language: str) -> str:
    """The words as they are, between the marks of their language."""
    return f"«\u00a0{words}\u00a0»" if language == "fr" else f"“{words}”"


def _words(language: str) -> Mapping[str, str]:
    return _WORDS["fr" if language == "fr" else "en"]


def _filled(*parts: str | None) -> list[str]:
    return [part for part in parts if part]


def _joined(*parts: str) -> str:
    return "\n\n".join(_filled(*parts))
