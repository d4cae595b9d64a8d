"""A dossier as PDF, set by Typst: footnotes, page numbers, typography and tags of its language.

Only our own template is compiled. What people and documents say reaches it as data, so that
nothing of it can be markup, and the compiler sees no folder but that of the template.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Final

import typst

from kb.export.told import Telling, told

if TYPE_CHECKING:
    from datetime import date

    from kb.briefs.model import Dossier

_REGIONS: Final = {"fr": "FR", "en": "GB"}


def to_pdf(dossier: Dossier, base_url: str = "") -> bytes:
    """Write a dossier as PDF/UA-1, which screen readers can read; see ``told`` for ``base_url``."""
    data = _data(told(dossier, base_url), dossier.day)
    with as_file(files("kb.export").joinpath("pdf.typ")) as template:
        made = typst.compile(
            str(template),
            root=str(template.parent),
            format="pdf",
            sys_inputs={"telling": json.dumps(data, ensure_ascii=False)},
            pdf_standards=["ua-1"],
        )
    return bytes(made)


def _data(telling: Telling, day: date) -> dict[str, object]:
    return {
        **asdict(telling),
        "region": _REGIONS[telling.language],
        "day": {"year": day.year, "month": day.month, "day": day.day},
        "blocks": [
            {"kind": type(block).__name__.lower(), **asdict(block)} for block in telling.blocks
        ],
    }
