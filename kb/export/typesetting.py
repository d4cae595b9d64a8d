"""Sets our template with data from standard input: a process of its own, run by ``kb.export.pdf``.

Typst 0.15 keeps what it has set to set it faster again: 450 MB after a dozen long documents, and
there is no way to have it forget. A process that ends gives all of it back, for a tenth of a
second.

Only this template is compiled, and it sees no folder but its own. What people and documents say
reaches it as data, so that nothing of it can be markup.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typst

if TYPE_CHECKING:
    from typst import PDFStandard


def compiled(telling: str) -> bytes:
    """Set a telling, in JSON, as PDF/UA-1.

    That standard allows no sign that none of the fonts has, as an emoji: with such a one the file
    is the same, but does not state the standard.
    """
    try:
        return _compiled(telling, ["ua-1"])
    except typst.TypstError:
        return _compiled(telling, [])


def _compiled(telling: str, standards: list[PDFStandard]) -> bytes:
    template = Path(__file__).with_name("pdf.typ")
    return typst.compile(
        template,
        root=template.parent,
        format="pdf",
        sys_inputs={"telling": telling},
        pdf_standards=standards,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(compiled(sys.stdin.buffer.read().decode()))
