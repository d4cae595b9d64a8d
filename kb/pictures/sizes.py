"""How pictures of pages are drawn: what the drawer, the store and the pages must agree on."""

from typing import Final

WIDTHS: Final = (480, 900, 1400)
"""Pixels; for a phone, a laptop, and a screen that is large or fine."""

MAX_SIDE: Final = 14_400.0
"""Points; the specification's largest page (ISO 32000-1, annex C). What is larger is not drawn."""

EDITION: Final = 1
"""Changes whenever the same page would be drawn otherwise: what was kept is then not used."""
