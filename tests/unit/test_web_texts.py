"""Every text of the pages stands in the translation files, and these hold no others."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from api.web.site import FOLDER
from api.web.texts import catalogs, chosen, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext.babel_extract")]
# `_` and the rest are gettext's own; the methods of a site and of texts are called like them.
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
PLACES = re.compile(r"%\((\w+)\)[sd]")


# A text, or its singular and plural; a translation has one or several forms.
Message = str | tuple[str, ...]


def used() -> set[Message]:
    """The messages in our source: texts, and pairs of singular and plural."""
    found = extract_from_dir(
        FOLDER,
        METHODS,
        {"templates/**.html": {"extensions": "jinja2.ext.do", "silent": "false"}},
        KEYWORDS,
    )
    return {whole(message) for _, _, message, _, _ in found}


def translated() -> Iterator[tuple[Message, Message, str]]:
    """Each message of the French files with its translation, and the message again to name it."""
    for catalog in catalogs("fr"):
        for message in catalog:
            if message.id:
                yield whole(message.id), whole(message.string or ""), str(message.id)


def whole(said: str | Sequence[str]) -> Message:
    """A message as a value that can be compared and kept in a set."""
    return said if isinstance(said, str) else tuple(said)


def test_every_text_is_translated() -> None:
    """No page falls back to English in the middle of a French one."""
    given = {message: said for message, said, _ in translated()}
    missing = sorted(str(message) for message in used() if not all_said(given.get(message)))
    assert not missing


def test_no_translation_is_left_over() -> None:
    """A text that is gone from the pages goes from the files too."""
    assert not sorted(str(each) for each in {m for m, _, _ in translated()} - used())


def test_no_text_is_translated_twice() -> None:
    """Two files that say a text differently would have the last one win."""
    seen: dict[str, Message] = {}
    for message, said, name in translated():
        assert seen.setdefault(str(message), said) == said, name


def test_translations_keep_the_values_of_a_text() -> None:
    """What is put into a text is put into its translation."""
    for message, said, name in translated():
        one = message if isinstance(message, str) else message[1]
        for each in [said] if isinstance(said, str) else said:
            assert set(PLACES.findall(each)) <= set(PLACES.findall(one)) | {"num"}, name
        last = said if isinstance(said, str) else said[-1]
        assert set(PLACES.findall(last)) == set(PLACES.findall(one)), name


def all_said(said: Message | None) -> bool:
    """Whether a translation says something in each of its forms."""
    return bool(said) and all([said] if isinstance(said, str) else said or ())


def test_french_typography() -> None:
    """High punctuation and guillemets have a no-break space."""
    for _, said, name in translated():
        for each in [said] if isinstance(said, str) else said:
            text = re.sub(r"https?://\S+|\d:\d|&\w+;", "", each)
            assert not re.search(r"[^\s\u00a0\u202f:?!;»…(\"'][:;?!»](?:\s|$)", text), name
            assert not re.search(r" [:;?!»]", text), name
            assert "« " not in text, name


@pytest.mark.parametrize(
    ("wishes", "header", "language"),
    [
        ((None, None), "", "fr"),
        ((None, None), "en-GB,en;q=0.8,fr;q=0.5", "en"),
        ((None, None), "de, en;q=0.4, fr;q=0.6", "fr"),
        ((None, None), "de", "fr"),
        ((None, None), "en;q=0, *", "fr"),
        ((None, None), "en;q=nonsense", "fr"),
        ((None, "en"), "fr", "en"),
        (("fr", "en"), "en", "fr"),
        (("xx", None), "en", "en"),
    ],
)
def test_the_language_of_a_page(wishes: tuple[str | None, ...], header: str, language: str) -> None:
    """The switch comes before the cookie, the cookie before the browser, and French is first."""
    assert chosen(wishes, header) == language


def test_days_money_and_numbers_are_those_of_the_language() -> None:
    """A French reader reads French dates, with the euro behind."""
    french, english = texts_in("fr"), texts_in("en")
    moment = datetime(2026, 3, 3, 16, tzinfo=UTC)
    assert french.day(date(2026, 3, 3)) == "3 mars 2026"
    assert french.day(date(2026, 3, 1)) == "1er mars 2026"
    assert english.day(date(2026, 3, 1)) == "1 March 2026"
    assert french.moment(moment) == "3 mars 2026 à 17:00"
    assert english.moment(moment) == "3 March 2026, 17:00"
    assert french.money(1234567) == "1\u202f234\u202f567\u00a0€"
    assert english.money(1234567) == "€1,234,567"
    assert french.number(12500.5) == "12\u202f500,5"
    assert french.language_name("en") == "anglais"
    assert french.language_name("zz-unknown") == "zz-unknown"


def test_the_translation_files_are_whole() -> None:
    """Babel finds no fault in them: plural forms, fuzzy marks, headers."""
    for catalog in catalogs("fr"):
        assert isinstance(catalog, Catalog)
        assert not catalog.fuzzy
        for message in catalog:
            assert not message.fuzzy
            assert not list(message.check(catalog))
