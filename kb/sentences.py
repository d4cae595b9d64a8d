"""Where sentences begin and end in French and English text, as offsets that can be quoted.

Rules rather than a library. On the 84 marked cases of ``tests/unit/test_sentences.py`` (47 French,
37 English) pysbd 0.3.4 cuts 22 and 28 as marked, nupunkt 0.8.0 26 and 26, blingfire 0.1.8 27 and
24, these rules all. The cases were written beside the rules, so the figures say what the
libraries lack (list points, French abbreviations and spaced punctuation, lone initials), not how
the rules fare on unseen text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Possessive and guarded by a look-behind, so that dot leaders are scanned once.
_BREAK: Final = re.compile(
    r"""(?:(?P<stop>(?<![.!?…])[.!?…]++)|(?P<point>[;:])|(?P<line>(?=\n)))
        (?P<close>(?:[^\S\n]?»|[”’"')\]}]|\(\d{1,3}\)|\[\d{1,3}\]|[¹²³⁰⁴-⁹]+)*
           (?:(?<=[^\W\d_][.!?])\d{1,3}(?=\s))?)  # a note's number, its raised position lost
        (?P<gap>\s+)""",
    re.VERBOSE,
)
_ROMAN: Final = r"(?:x{0,3}(?:ix|iv|v?i{1,3}|v)|x{1,3})"
_ALSO: Final = r"(?:\s?(?:bis|ter|quater|quinquies|sexies)|[a-z]{1,2})?"
_NUMBER: Final = rf"\d{{1,3}}(?:\.\d{{1,3}}){{0,4}}{_ALSO}"
_MARK: Final = rf"(?:\(?(?:{_NUMBER}|[^\W\d_]|(?i:{_ROMAN}))[.)]|[-–—•·▪◦*])"
_MARKS_ONLY: Final = re.compile(rf"(?:{_MARK}\s*){{1,3}}+")
_MARK_AT_LINE: Final = re.compile(rf"{_MARK}\s")
_OPENERS: Final = re.compile(r"[«“„\"‘'(\[*–—-]{0,3}\s?")
# A paragraph's number at the start of a quotation or an inline list: "is replaced by: ‘1. The".
_INLINE_NUMBER: Final = re.compile(rf"(?:[:;]\s|[«‘“\"']\s?){_NUMBER}$")
_LOWER_MARK: Final = re.compile(rf"\(?(?:[a-z]|{_ROMAN})\)\s|[a-z]{{1,2}}[A-Z]")
_TOKEN_EDGE: Final = re.compile(r"[\s’'(\[«“\"/]+")
_INITIALS: Final = re.compile(r"(?:[^\W\d_a-z]\.[-‐‑]?)*[^\W\d_a-z]")
_REFERENCE: Final = re.compile(r"\s*(?:\d|[IVXLC]+\b|[A-Z]{1,2}\.?[\s-]*\d|[^\W\d_A-Z])")
_WINDOW: Final = 16  # letters looked at for each unit of room when a word is cut
_RUN: Final = re.compile(r"\S+")
_FIRST_WORD: Final = re.compile(r"\W*(\w+)")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Never the end of a sentence; a title also needs its capital ("help me." is one).
_TITLES: Final = _words(
    "M MM Mme Mmes Mlle Mlles Mr Mrs Ms Dr Drs Pr Prof St Ste Mgr Hon Rev Gen Col"
)
_LINKS: Final = _words("cf e.g i.e vs viz resp ca c.-à-d c-à-d p.ex")
_LINKS_OF: Final = {"fr": _words("ex env"), "en": _words("approx incl")}
# Abbreviations only before a number, a letter or a small one: "state of the art." ends.
_REFERENCES: Final = _words(
    "art arts al p pp n no nos nº n° vol vols par para paras ch chap fig figs sec sect tit tab app"
    " ann ref réf note ed éd rev rév jan janv feb fév févr mar apr avr jun jul juil aug sep sept"
    " oct nov dec déc tel tél §"
)
# The end only where a word follows that opens sentences.
_SOFT: Final = _words(
    "al inc ltd co corp jr sr a.m p.m éd éds ed eds dept dépt univ bd av dir coord trad coll sté"
    " assoc"
)
_STARTERS: Final = _words(
    "a after all although an and any as at before but by each for from he her his however if in it"
    " its many most no not on one our she since so some such that the their there these they this"
    " those to under we what when where which while who with you your"
    " à ainsi après au aucun aucune aussi aux avant avec car ce cela celle celui ces cet cette"
    " chaque comme dans depuis donc elle elles en enfin il ils je la le les leur leurs lors mais ni"
    " non notre nos nous on or où par pour pourquoi puis quand que quel quelle qui quoi sa sans"
    " selon ses si sous sur tous tout toute toutefois toutes un une vos votre vous"
)
_NAME_PARTS: Final = _words("a la le les no")
_LETTERED: Final = _words(
    "annex annexe appendix appendice catégorie category chapitre chapter class classe group groupe"
    " lot option part partie phase plan point section table tableau title titre type volet zone"
)


def sentences(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Cut a text into sentences.

    A blank line always ends one; a single newline does after ``. ; : ! ?`` or before a list mark.
    Closing quotes, brackets and note numbers stay with the stop before them, list marks ("1.",
    "(a)") with the words after them.

    Args:
        text: Clean text of any length; the time taken grows with the length alone.
        language: ISO 639-1. "fr" and "en" add their own abbreviations to the shared ones.

    Returns:
        Ordered offsets ``(start, end)`` without outer white space; what lies between them is
        white space.
    """
    links = _LINKS | _LINKS_OF.get(language, frozenset())
    found = []
    start = len(text) - len(text.lstrip())
    for match in _BREAK.finditer(text, start):
        if match.end() < len(text) and _is_boundary(text, start, match, links):
            found.append((start, match.end("close")))
            start = match.end()
    if start < len(text):
        found.append((start, len(text)))
    return [(first, first + len(text[first:last].rstrip())) for first, last in found]


def stretches(
    text: str, sentence: tuple[int, int], room: int, size: Callable[[str], int]
) -> list[tuple[int, int]]:
    """Cut one overlong sentence after clauses, else after words, else inside a word.

    Args:
        text: The text that holds it.
        sentence: Its offsets.
        room: The most that a stretch may measure.
        size: Measures a text: its tokens, or its letters over some number if that is more, so
            that no text is long and small. Must add up over white space.

    Returns:
        Ordered offsets that cover all but the white space between them. Stretches that touch are
        fragments of one word.
    """
    words = [
        fragment
        for word in _RUN.finditer(text, *sentence)
        for fragment in _fragments(text, *word.span(), room, size)
    ]
    sizes = [size(text[start:end]) for start, end in words]
    found = []
    first = 0
    while first < len(words):
        stop, used = first + 1, sizes[first]
        # Fragments of one word do not add up, so none shares a stretch with the next.
        while stop < len(words) and words[stop][0] > words[stop - 1][1]:
            used += sizes[stop]
            if used > room:
                break
            stop += 1
        if stop < len(words):
            stop = _after_clause(text, words, (first + stop) // 2, stop)
        found.append((words[first][0], words[stop - 1][1]))
        first = stop
    return found


def _after_clause(text: str, words: list[tuple[int, int]], low: int, high: int) -> int:
    """The last place among these words after a semicolon, else after another clause's end."""
    for ends in (";", ",)–—"):
        for at in range(high - 1, low - 1, -1):
            if text[words[at][1] - 1] in ends:
                return at + 1
    return high


def _fragments(
    text: str, start: int, end: int, room: int, size: Callable[[str], int]
) -> Iterator[tuple[int, int]]:
    """A word, or the longest beginnings that bisection finds to fit, a bounded window at a time."""
    window = _WINDOW * (room + 1)
    while end - start > window or size(text[start:end]) > room:
        low, high = start + 1, min(end, start + window)
        while high - low > 1:
            middle = (low + high) // 2
            fits = size(text[start:middle]) <= room
            low, high = (middle, high) if fits else (low, middle)
        yield start, low
        start = low
    yield start, end


def _is_boundary(text: str, start: int, match: re.Match[str], links: frozenset[str]) -> bool:
    """Whether the sentence that began at ``start`` ends at this candidate."""
    newlines, after = match["gap"].count("\n"), match.end()
    if newlines > 1 or match["point"]:
        return newlines > 0
    if match["stop"] is None:
        return _MARK_AT_LINE.match(text, after) is not None
    stop, before = match.end("stop"), match.start()
    if stop - start < 24 and _MARKS_ONLY.fullmatch(text, start, stop):  # noqa: PLR2004 -- three marks
        return False
    if not newlines and not _opens(text, after):
        return False
    if len(match["stop"]) > 1 or match["stop"] == "…" or text[before - 1 : before].isspace():
        # An omission "[...]" stands inside a sentence; digits after dots are a leader's page.
        omission = text[before - 1 : before] in {"[", "("}
        return not omission and (bool(newlines) or not text[after].isdecimal())
    return match["stop"] != "." or not _is_abbreviation(text, start, match, links)


def _opens(text: str, position: int) -> bool:
    """Whether a sentence can begin at ``position``: a capital, a digit or a list mark."""
    openers = _OPENERS.match(text, position)
    first = text[openers.end() : openers.end() + 1] if openers else ""
    return first.isupper() or first.isdecimal() or _LOWER_MARK.match(text, position) is not None


def _is_abbreviation(text: str, start: int, match: re.Match[str], links: frozenset[str]) -> bool:
    """Whether the full stop of this candidate shortens a word rather than ends a sentence."""
    run = text[max(start, match.start() - 32) : match.start()]
    tail = _TOKEN_EDGE.split(run)
    token, word = tail[-1], tail[-1].casefold()
    if token in _TITLES or word in links or _INLINE_NUMBER.search(run):
        return True
    if word in _REFERENCES and _REFERENCE.match(text, match.end("stop")):
        return True
    following = _FIRST_WORD.match(text, match.end())
    opener = following[1] if following else ""
    if word == "etc":
        return opener[:1].islower()
    if _INITIALS.fullmatch(token):
        if len(tail) > 1 and tail[-2].casefold() in _LETTERED:
            return False
        return opener.casefold() not in _STARTERS - _NAME_PARTS
    return word in _SOFT and opener.casefold() not in _STARTERS
