"""The formats of exports: how each is written, its media type and its ending."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kb.export.bibliography import to_bibtex, to_csl_json, to_ris
from kb.export.docx import to_docx
from kb.export.markdown import to_markdown
from kb.export.pdf import to_pdf
from kb.export.told import clean
from kb.filenames import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kb.briefs.model import Dossier

_MAX_STEM: Final = 80  # characters of a title in the name of a file


class ExportFormat(StrEnum):
    """What a dossier can be exported as."""

    DOCX = "docx"
    MARKDOWN = "markdown"
    PDF = "pdf"
    BIBTEX = "bibtex"
    RIS = "ris"
    CSL_JSON = "csl-json"


@dataclass(frozen=True, slots=True)
class Form:
    """How a format is written, of a dossier and the service's address, and what it is known by.

    ``binary`` says that it is no text that a terminal could show.
    """

    write: Callable[[Dossier, str], bytes]
    media_type: str
    ending: str
    binary: bool = False


FORMS: Final[Mapping[ExportFormat, Form]] = {
    ExportFormat.DOCX: Form(
        to_docx,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
        binary=True,
    ),
    ExportFormat.MARKDOWN: Form(to_markdown, "text/markdown; charset=utf-8", "md"),
    ExportFormat.PDF: Form(to_pdf, "application/pdf", "pdf", binary=True),
    ExportFormat.BIBTEX: Form(to_bibtex, "application/x-bibtex; charset=utf-8", "bib"),
    ExportFormat.RIS: Form(to_ris, "application/x-research-info-systems; charset=utf-8", "ris"),
    ExportFormat.CSL_JSON: Form(to_csl_json, "application/vnd.citationstyles.csl+json", "json"),
}


def written(dossier: Dossier, form: ExportFormat, base_url: str = "") -> bytes:
    """Write a dossier.

    ``base_url`` is the service's address without a slash at its end: with it, sources that have no
    address of their own are linked to their page in the service.
    """
    return FORMS[form].write(dossier, base_url)


def file_name(dossier: Dossier, form: ExportFormat) -> str:
    """A name under which an export can be saved anywhere, made of its title."""
    stem = clean(dossier.title)[:_MAX_STEM].strip(" .?!")
    return safe_name(f"{stem.replace('/', '-') or 'export'}.{FORMS[form].ending}", "export")
