"""Pages as the leak test asks and reads them: by the schema of each route, as text without tags."""

from __future__ import annotations

import io
import re
from functools import cache
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pypdfium2
from fastapi.routing import iter_route_contexts
from lxml import html
from reportlab.pdfgen.canvas import Canvas

from api.app import create_app
from kb.calls.query import Sort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HTML: Final = "text/html"
FORM: Final = "application/x-www-form-urlencoded"
# Routes of which FastAPI knows no fields: how each is asked, by its path. One that is not here
# fails the test.
BARE: Final[Mapping[str, tuple[str, ...]]] = {
    "/openapi.json": ("GET", "HEAD"),
    "/mcp": ("POST",),
    "/static/{path}": ("GET",),
}
_NARROWING: Final = (
    *("programme", "theme", "applicant", "country"),
    *("deadline_after", "deadline_before", "budget_min", "budget_max"),
)
_OF_CALLS: Final[dict[str, dict[str, Any]]] = {
    "q": {"type": "string"},
    "status": {"enum": ["", "any", "open", "closed", "forthcoming"]},
    "sort": {"enum": ["", *(each.value for each in Sort)]},
    **{name: {"type": "string"} for name in _NARROWING},
}
# What routes read themselves, so that FastAPI does not know of it: parameters and fields of forms.
_READ_RAW: Final[Mapping[str, dict[str, dict[str, Any]]]] = {
    "GET /calls": {
        **_OF_CALLS,
        "view": {"enum": ["", "calendar"]},
        "month": {"enum": ["", "2026-04", "2026-05"]},
        "after": {"type": "string"},
    },
    "GET /calls/follow": _OF_CALLS,
    "POST /calls/follow": _OF_CALLS,
    "GET /searches/{secret}": {"asked": {"enum": ["mail"]}},
}
_RAW_FORMS: Final[Mapping[str, dict[str, Any]]] = {
    "POST /login": {"type": "object", "properties": {"key": {"enum": ["omk_x", ""]}}},
}
_UPLOAD: Final = "/v1/documents"
_UPLOADED_BY: Final = "/staff/uploads"

_INLINE: Final = re.compile(r"</?(?:mark|wbr|b|i|em|strong|abbr|span)\b[^>]*>")
_DOCUMENT: Final = re.compile(r"(?:^|/)documents/([^/]+)")


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document as it were with every page in it; theirs are marked with ``x-page``."""
    programs = create_app().openapi()["paths"]
    app = create_app()
    for context in iter_route_contexts(app.routes):
        # As this application has the route: others share the route itself.
        made: Any = context._effective_route  # noqa: SLF001 -- no other place says it for one app
        if hasattr(made, "include_in_schema"):
            made.include_in_schema = True
    document: dict[str, Any] = app.openapi()
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            if method not in programs.get(path, ()):
                _complete(document, path, method, told)
    return document


def _complete(document: dict[str, Any], path: str, method: str, told: dict[str, Any]) -> None:
    name = f"{method.upper()} {path}"
    told["x-page"] = True
    told.setdefault("parameters", []).extend(
        {"name": each, "in": "query", "schema": schema}
        for each, schema in (_READ_RAW.get(name, {}) | {"lang": {"enum": ["fr", "en"]}}).items()
    )
    if name == f"POST {_UPLOADED_BY}":
        told["requestBody"] = document["paths"][_UPLOAD]["post"]["requestBody"]
    elif method == "post":
        schema = _RAW_FORMS.get(name, {"type": "object"})
        told.setdefault("requestBody", {"content": {FORM: {"schema": schema}}})


def unpaged() -> dict[str, set[str]]:
    """The routes that ``described`` does not hold, with their methods."""
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(create_app().routes):
        route: Any = context
        held = described()["paths"].get(route.path_format, ())
        methods = {each for each in route.methods or {"GET"} if each.lower() not in held}
        if methods:
            found.setdefault(str(route.path_format), set()).update(methods)
    return found


def is_page(content_type: str) -> bool:
    """Whether something is to be looked at in a browser."""
    return content_type.partition(";")[0] == HTML


def without_marks(page: str) -> str:
    """A page without the tags that may stand within a word."""
    return _INLINE.sub("", page)


def pdf_text(content: bytes) -> str:
    """What a PDF says, and how it is written where that is not packed."""
    with pypdfium2.PdfDocument(io.BytesIO(content)) as opened:
        pages = [page.get_textpage().get_text_bounded() for page in opened]
    return "\n".join((*pages, content.decode("latin-1")))


def pdf_of(lines: Iterable[str]) -> bytes:
    """A PDF of paragraphs, the same for the same ones, in which nothing is packed."""
    written = io.BytesIO()
    canvas = Canvas(written, pageCompression=0, invariant=1)
    text = canvas.beginText(72, 760)
    for line in lines:
        text.textLines([*wrap(line.removeprefix("# "), 80), ""])
    canvas.drawText(text)
    canvas.save()
    return written.getvalue()


def documents_of(page: str) -> Iterator[tuple[str, int | None]]:
    """The documents that a page leads to or quotes, with the versions where it says them.

    The link to the same page in another language only says what was asked.
    """
    read = html.fromstring(page)
    addresses: Any = read.xpath("//@href | //@src | //@action")
    for address in addresses:
        parts = urlsplit(str(address))
        asked = parse_qs(parts.query)
        named = _DOCUMENT.search(parts.path)
        if named and not parts.scheme and "lang" not in asked:
            yield named.group(1), int(asked["version"][0]) if "version" in asked else None
    fields = [(each.get("name"), each.get("value", "")) for each in read.iter("input")]
    for (name, document_id), (following, version) in pairwise(fields):
        if name == "document_id" and following == "version":
            yield document_id, int(version)
