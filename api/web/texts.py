"""The pages' texts in both languages, and dates, numbers and names as each language writes them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from babel import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from babel.support import NullTranslations, Translations

from kb.calls.dates import BRUSSELS
from kb.export.told import day_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

LANGUAGES: Final = ("fr", "en")  # the first is that of whoever says nothing
# Days and numbers in English are those of Europe.
_LOCALES: Final = {"fr": "fr_FR", "en": "en_GB"}
LOCALES: Final = Path(__file__).parent / "locales"


def later(message: str) -> str:
    """Mark a text for translation where it is not yet said; imported as ``_``."""
    return message


@dataclass(frozen=True, slots=True)
class Texts:
    """One language: its translations, and how it writes days, numbers and names."""

    language: str
    locale: Locale
    translations: NullTranslations

    def gettext(self, message: str, **values: Any) -> str:
        """A text, with values put into its ``%(name)s``."""
        said = str(self.translations.ugettext(message))
        return said % values if values else said

    def ngettext(self, one: str, many: str, number: int, **values: Any) -> str:
        """A text of a number, in its singular or plural, with values put into it."""
        said = str(self.translations.ungettext(one, many, number))
        return said % {"num": number, **values}

    def day(self, day: date | None) -> str:
        """A day: ``3 mars 2026``, ``1er mars 2026``; nothing of none."""
        return "" if day is None else day_in_words(day, self.language)

    def moment(self, moment: datetime | None) -> str:
        """An aware moment in Brussels time: ``3 mars 2026 à 17:00``; nothing of none."""
        if moment is None:
            return ""
        local = moment.astimezone(BRUSSELS)
        joint = " à " if self.language == "fr" else ", "
        return f"{self.day(local.date())}{joint}{format_datetime(local, 'HH:mm')}"

    def number(self, number: float) -> str:
        """A number: ``12 500``."""
        return format_decimal(number, locale=self.locale)

    def percent(self, share: float) -> str:
        """A share (0 to 1) in percent."""
        return format_percent(share, locale=self.locale)

    def money(self, euros: float | None) -> str:
        """Whole euros: ``12 500 €``; nothing of none."""
        if euros is None:
            return ""
        return format_currency(
            euros, "EUR", locale=self.locale, currency_digits=False, format=self._money_pattern
        )

    @property
    def _money_pattern(self) -> str:
        return "#,##0\u00a0¤" if self.language == "fr" else "¤#,##0"

    def language_name(self, code: str) -> str:
        """The name of a language by its ISO 639 code, else the code."""
        return str(self.locale.languages.get(code, code))

    def country_name(self, code: str) -> str:
        """The name of a country by its ISO 3166 code, else the code."""
        return str(self.locale.territories.get(code, code))


@lru_cache
def texts_in(language: str) -> Texts:
    """The texts of one of the ``LANGUAGES``. The texts in the source are English."""
    return Texts(language, Locale.parse(_LOCALES[language]), _translations(language))


def catalogs(language: str) -> list[Catalog]:
    """What stands in the translation files of a language, a catalog a file."""
    read: list[Catalog] = []
    for path in sorted((LOCALES / language).glob("*.po")):
        with path.open("rb") as file:
            read.append(read_po(file, locale=language))
    return read


def _translations(language: str) -> NullTranslations:
    """Every file of a language as one; compiled here, so that there is no step to forget."""
    merged = Catalog(locale=language)
    for catalog in catalogs(language):
        for message in catalog:
            if message.id:
                merged[message.id] = message
    if not len(merged):
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return Translations(compiled)


def chosen(wishes: Sequence[str | None], accept_language: str) -> str:
    """The language of a page: the first wish that is one of ours, else the browser's, else French.

    ``accept_language`` is the header's value (RFC 9110, 12.5.4).
    """
    for wish in wishes:
        if wish in LANGUAGES:
            return str(wish)
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, parameters = part.partition(";")
        quality = parameters.strip().removeprefix("q=") if parameters else "1"
        try:
            ranked.append((-float(quality), place, tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    known = (tag for quality, _, tag in sorted(ranked) if tag in LANGUAGES and quality < 0)
    return next(known, LANGUAGES[0])
