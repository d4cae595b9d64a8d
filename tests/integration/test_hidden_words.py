"""Answers do not tell whether a word stands in what their reader may not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import Base

from kb.model import PUBLIC_ACCESS, Filters

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeKb

    from kb.model import Answer

QUESTION = "How large is the Zorglub guarantee for associations?"


def answer_beside(hidden: str, make_kb: MakeKb, folder: Path) -> Answer:
    """What everybody is answered where an internal document holds a text."""
    base = Base(make_kb(), folder)
    for number in range(5, 13):
        base.write(f"p{number}.md", f"# Paper {number}", f"The guarantee covers {number} percent.")
    base.write("hidden.md", "# Board", f"The board meets about {hidden} in May.")
    base.write("metadata.yaml", "files:", "  hidden.md: {visibility: internal}")
    base.ingest()
    return base.kb.search.answer(QUESTION, Filters(PUBLIC_ACCESS))


def test_a_name_in_hidden_documents_alone_moves_no_confidence(
    make_kb: MakeKb, tmp_path: Path
) -> None:
    """Names count by how rare they are, and that is not to tell of a project that is not public."""
    with_name = answer_beside("Zorglub", make_kb, tmp_path / "with")
    without = answer_beside("Marsupil", make_kb, tmp_path / "without")
    assert with_name.confidence == without.confidence > 0
    scores = [[hit.score for hit in each.nearest] for each in (with_name, without)]
    assert scores[0] == scores[1] != []
