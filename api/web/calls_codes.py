"""Codes of the EU portal that people should not have to know, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def themes(_: Callable[[str], str]) -> Mapping[str, str]:
    """What the portal's marks of a topic stand for, by the mark."""
    return {
        "AI": _("Artificial intelligence"),
        "Africa": _("Cooperation with Africa"),
        "CHINA": _("Cooperation with China"),
        "DigitalAgenda": _("Digital society"),
        "EoscAndFairData": _("Open research data"),
        "INCO": _("International cooperation"),
        "InnovationProcurement": _("Public procurement of innovation"),
        "LAC": _("Cooperation with Latin America and the Caribbean"),
        "MEDIT": _("Cooperation around the Mediterranean"),
        "MultiActorApproach": _("Work of several kinds of actors together"),
        "NEB": _("New European Bauhaus"),
        "OCEAN": _("Ocean and waters"),
        "PART-COFUND": _("European partnerships (co-funded)"),
        "PART-COPROGR": _("European partnerships (co-programmed)"),
        "RePowerEU": _("Energy independence (REPowerEU)"),
        "SSH": _("Social sciences and humanities"),
        "SocInnov": _("Social innovation"),
        "SocietalEngagement": _("Participation of citizens"),
    }


def actions(_: Callable[[str], str]) -> Mapping[str, str]:
    """What kinds of grants are called, without the programme that stands before them."""
    return {
        "Coordination and Support Actions": _("coordination and support"),
        "Innovation Actions": _("innovation"),
        "Lump Sum Grants": _("project grants paid as lump sums"),
        "Operating Grants": _("operating grants"),
        "Operating Grants Framework Partnerships": _("operating grants over several years"),
        "Prizes": _("prizes"),
        "Project Grants": _("project grants"),
        "Recognition Prize": _("recognition prize"),
        "Research and Innovation Actions": _("research and innovation"),
        "Simple Grants": _("simple grants"),
    }
