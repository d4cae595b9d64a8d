"""Takes the pictures of the pages that the README shows, of a service over the demo's base.

make serve &
python docs/take_pictures.py [ADDRESS]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER: Final = Path(__file__).parent / "pictures"
QUESTION: Final = "Que couvre une garantie en fonds propres ?"
# By name: the path, the width and height of the window, and its light.
PICTURES: Final = {
    "ask": (f"/?q={QUESTION}", (1280, 900), "light"),
    "ask-phone-dark": (f"/?q={QUESTION}", (390, 844), "dark"),
    "page": (
        "/documents/om-garantie-fonds-propres-fr/pages/4?version=1&mark=1025-1223",
        (1280, 900),
        "light",
    ),
    "calls": ("/calls", (1280, 900), "light"),
    "library": ("/documents", (1280, 900), "light"),
}


def main() -> None:
    """Take every picture."""
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for name, (path, (width, height), light) in PICTURES.items():
            context = browser.new_context(
                base_url=address,
                locale="fr-FR",
                viewport={"width": width, "height": height},
                color_scheme="dark" if light == "dark" else "light",
            )
            page = context.new_page()
            page.goto(path)
            page.wait_for_load_state("networkidle")
            taken = FOLDER / f"{name}.png"
            page.screenshot(path=taken)
            with Image.open(taken) as picture:
                picture.convert("RGB").save(taken.with_suffix(".webp"), quality=80)
            taken.unlink()
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
