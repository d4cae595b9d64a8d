"""Countries as calls name them: ISO 3166 codes, or a word for many.

``EU`` stands for every Member State, ``ASSOCIATED`` for those associated to the programme, which
another text lists, ``ANY`` for all.
"""

from __future__ import annotations

from functools import cache

EU, ASSOCIATED, ANY = "EU", "ASSOCIATED", "ANY"
_STATES = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
MEMBER_STATES = frozenset(_STATES.split())
# The Commission writes EL for Greece; ISO 3166 has GR.
_ALSO = {"EL": "GR", "UK": "GB"}


def country_code(text: str) -> str:
    """A country code as calls hold it: capitals, and ISO 3166 where the Commission differs."""
    code = text.strip().upper()
    return _ALSO.get(code, code)


@cache
def _codes() -> frozenset[str]:
    """The codes of countries, as the Unicode Locale Data has them."""
    from babel import Locale  # noqa: PLC0415 -- takes a moment, and few searches need it

    known = {str(code) for code in Locale("en").territories if len(str(code)) == len("FR")}
    return frozenset(known - {"EZ", "UN", "QO", "XA", "XB", "ZZ"} | {EU})


def is_country(code: str) -> bool:
    """Whether a code, as ``country_code`` gives it, is that of a country or the Union."""
    return code in _codes()


def accepting(country: str) -> tuple[str, ...]:
    """The values of ``countries`` by which a call is, or may be, open to an applicant from one."""
    code = country_code(country)
    if code == EU:
        return (EU, ANY)
    return (code, EU, ANY) if code in MEMBER_STATES else (code, ASSOCIATED, ANY)
