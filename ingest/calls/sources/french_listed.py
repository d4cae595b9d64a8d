"""Makes calls of the fields under which French lists have them (titre, organisme, date_limite)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest.calls.base import Flaw
from ingest.calls.sources.french import (
    APPLICATION,
    applicants,
    closes,
    countries,
    euros,
    folded,
    line,
    links,
    opens,
    values,
)
from kb.model import Call, DeadlineModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

# The names by which the lists call themes: they were chosen by words in the source's own names.
THEMES = {
    "culture-sport": "Culture et sport",
    "education-jeunesse": "Éducation et jeunesse",
    "environnement-transition": "Environnement et transition",
    "insertion-emploi": "Insertion et emploi",
    "numerique": "Numérique",
    "sante-handicap": "Santé et handicap",
    "solidarite-inclusion": "Solidarité et inclusion",
    "vie-associative": "Vie associative",
    "autre": "",
}
_DATES = ("date_publication", "date_limite")
_ROLLING = re.compile(r"toute l'annee|permanent|en continu")
_LONGEST_WORD = 60  # characters: longer than this a value is a text, of which nothing is guessed


def listed_call(
    identifier: str, listed: dict[str, Any], deadlines: Sequence[datetime], funder: str | None
) -> Call:
    """Return the call of a listed entry; ``funder`` counts where the entry names none."""
    return Call(
        identifier,
        line(listed.get("titre")),
        action_types=values(listed.get("types")),
        funder=line(listed.get("organisme")) or funder or None,
        deadlines=tuple(deadlines),
        deadline_model=DeadlineModel.CUT_OFFS if len(deadlines) > 1 else None,
        rolling=not deadlines and _said_rolling(listed),
        grant_min=euros(listed.get("montant_min")),
        grant_max=euros(listed.get("montant_max")),
        applicants=applicants(values(listed.get("public_cible"))),
        countries=countries(listed.get("perimetre_geo")),
        themes=_themes(listed),
        keywords=values(listed.get("tags")),
        url=line(listed.get("url_source")) or None,
        links=links((APPLICATION, listed.get("url_candidature"))),
    )


def listed_deadline(listed: dict[str, Any]) -> datetime | None:
    """Return the deadline of a listed entry; nothing where it names none, or none to be read."""
    return closes(listed.get("date_limite")) if _readable(listed, "date_limite") else None


def listed_opening(listed: dict[str, Any]) -> datetime | None:
    """Return the day of publication of a listed entry as a moment, or nothing."""
    return opens(listed.get("date_publication")) if _readable(listed, "date_publication") else None


def flaws_of(listed: dict[str, Any], where: str) -> Iterator[Flaw]:
    """Yield a flaw for each date of a listed entry that can't be read."""
    for field in _DATES:
        if not _readable(listed, field):
            said = line(listed.get(field))
            yield Flaw(where, f"{field} {said!r} is no date: the call is kept without it.")


def _themes(listed: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of themes in words; what only says "other" is none.

    "culture" was also found in "agriculture": of an entry on farming it says nothing.
    """
    said = folded(f"{line(listed.get('titre'))} {line(listed.get('resume'))}")
    farming = "agric" in said
    names = (
        THEMES.get(name, name)
        for name in values(listed.get("categories"))
        if not (farming and name == "culture-sport")
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _said_rolling(listed: dict[str, Any]) -> bool:
    """Whether a value of its own, not a text, says that the call is open all the time."""
    said = (folded(line(listed.get(field))) for field in ("recurrence", "periodicite"))
    return any(_ROLLING.search(value) for value in said if len(value) <= _LONGEST_WORD)


def _readable(listed: dict[str, Any], field: str) -> bool:
    try:
        closes(listed.get(field))
    except ValueError:
        return False
    return True
