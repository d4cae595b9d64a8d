"""The few small pages that need no site around them: one frame, in both languages."""

import base64
import hashlib
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font-family:sans-serif;line-height:1.5;max-width:36em;margin:3em auto;padding:0 1em}"
    "input{box-sizing:border-box;width:100%;font:inherit;padding:.4em;margin:.2em 0 1em}"
    "button{font:inherit;padding:.4em 1em}.refused{border-left:.3em solid #b00020;padding:0 1em}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def page(
    title: str, body: str, *, status: int = 200, referrer: str = "no-referrer"
) -> HTMLResponse:
    """A page with a body in HTML, which is the caller's to escape. No cache keeps it.

    A page whose form must tell where it was sent from has the ``referrer`` policy `same-origin`.
    """
    html = (
        '<!doctype html>\n<html lang="fr">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)} – Opération Milliard</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": referrer,
    }
    return HTMLResponse(html, status, headers=headers)


def both(french: str, english: str, tag: str = "p") -> str:
    """Plain text in both languages, each in an element of its own."""
    return f'<{tag}>{escape(french)}</{tag}><{tag} lang="en">{escape(english)}</{tag}>'
