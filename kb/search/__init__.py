"""The query path: one Haystack pipeline from a question to ranked passages and a cited answer."""

from __future__ import annotations

import inspect
import os
import sys
from importlib.abc import MetaPathFinder

# Haystack reads it when it is imported, and only the modules here import Haystack. Set anywhere
# later, whoever imports one of them first would report its use to Haystack's makers.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")


class _NoTorchForHaystack(MetaPathFinder):
    """Has Haystack go without torch, which it would import to tell devices that we never ask for.

    Haystack 3.4 works without it. Encoders that need torch import it as before.
    """

    def find_spec(self, fullname: str, *_others: object) -> None:
        """Refuse torch to Haystack; anything else is left to the finders after this one."""
        if fullname == "torch" and _importer().partition(".")[0] == "haystack":
            raise ModuleNotFoundError("torch is kept from Haystack", name=fullname)


def _importer() -> str:
    """The module whose import statement is being carried out."""
    frame = inspect.currentframe()
    while frame:
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__ and not name.startswith(("importlib", "_frozen_importlib")):
            return name
        frame = frame.f_back
    return ""


sys.meta_path.insert(0, _NoTorchForHaystack())
