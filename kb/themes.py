"""The association's campaigns and their themes, with their names in French and English."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Theme:
    """What a document's metadata names by its id; ``label`` is by language."""

    id: str
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What the association works for, and the themes that belong to it."""

    id: str
    label: Mapping[str, str]
    description: Mapping[str, str]
    themes: tuple[Theme, ...]


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Every campaign, in the association's order."""

    all: tuple[Campaign, ...]

    def label(self, theme: str, language: str) -> str:
        """The name of a theme or campaign in a language; of an unknown one its id."""
        for campaign in self.all:
            labels = {campaign.id: campaign.label}
            labels |= {each.id: each.label for each in campaign.themes}
            if theme in labels:
                return labels[theme][language]
        return theme

    def themes_of(self, theme: str) -> tuple[str, ...]:
        """What a filter on a theme lets through: the theme, or every theme of a campaign."""
        for campaign in self.all:
            if campaign.id == theme:
                return (theme, *(each.id for each in campaign.themes))
        return (theme,)


@lru_cache
def campaigns() -> Campaigns:
    """Read the campaigns that come with the product."""
    read = yaml.safe_load((Path(__file__).parent / "themes.yaml").read_text("utf-8"))
    return Campaigns(
        tuple(
            Campaign(
                each["id"],
                each["label"],
                each["description"],
                tuple(Theme(theme["id"], theme["label"]) for theme in each["themes"]),
            )
            for each in read
        )
    )
