"""A dossier as PDF, set by Typst: footnotes, page numbers, typography and tags of its language."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Final

from kb.errors import KnowledgeBaseError
from kb.export.told import Telling, told

if TYPE_CHECKING:
    from datetime import date

    from kb.briefs.model import Dossier

_REGIONS: Final = {"fr": "FR", "en": "GB"}
_LONGEST: Final = 60.0  # seconds; an export of the greatest length takes two
# So many are set at once: the longest take 250 MB each while they are.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


def to_pdf(dossier: Dossier, base_url: str = "") -> bytes:
    """Write a dossier as PDF/UA-1, which screen readers can read; see ``told`` for ``base_url``.

    Raises:
        KnowledgeBaseError: It can't be set.
    """
    data = json.dumps(_data(told(dossier, base_url), dossier.day))
    with as_file(files("kb.export").joinpath("typesetting.py")) as script, _AT_ONCE:
        command = [sys.executable, "-P", str(script)]
        try:
            done = subprocess.run(  # noqa: S603 -- our own script, told nothing by its arguments
                command, input=data.encode(), capture_output=True, check=True, timeout=_LONGEST
            )
        except subprocess.SubprocessError as error:
            said = getattr(error, "stderr", None) or b""
            reason = said.decode(errors="replace").strip().rpartition("\n")[2] or str(error)
            raise KnowledgeBaseError(
                f"The PDF can't be set: {reason} Export it as docx instead."
            ) from None
    return done.stdout


def _data(telling: Telling, day: date) -> dict[str, object]:
    return {
        **asdict(telling),
        "region": _REGIONS[telling.language],
        "day": {"year": day.year, "month": day.month, "day": day.day},
        "blocks": [
            {"kind": type(block).__name__.lower(), **asdict(block)} for block in telling.blocks
        ],
    }
