"""Builds the PDF and Word documents of the starter corpus from their Markdown sources.

``python corpus/build.py`` writes them; ``python corpus/build.py --check`` writes nothing and exits
1 when a built file or a ``metadata.yaml`` differs from the sources.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from blocks import read_source
from docx_writer import members, write_docx
from pdf_writer import write_pdf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocks import Source

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "sources"
STARTER = HERE / "starter"
THEMES = HERE.parent / "kb" / "themes.yaml"
WRITERS = {".pdf": write_pdf, ".docx": write_docx}
SHARED_FIELDS = {"title": "title", "issuer": "issuer", "lang": "language", "date": "published"}


def main() -> int:
    """Build or check the corpus and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    problems = []
    for path in sorted(SOURCES.glob("*.md")):
        source = read_source(path)
        target = STARTER / source.meta["output"]
        content = WRITERS[target.suffix](source)
        if not check:
            target.write_bytes(content)
        elif not _same(target, content):
            problems.append(f"{target.relative_to(HERE)}: differs from {path.name}; run build.py")
        problems.extend(_metadata_problems(target, source))
    problems.extend(_folder_problems())
    for problem in problems:
        sys.stderr.write(problem + "\n")
    return 1 if problems else 0


def _same(target: Path, content: bytes) -> bool:
    if not target.exists():
        return False
    if target.suffix == ".docx":  # what is inside counts, not the zlib that packed it
        return members(target.read_bytes()) == members(content)
    return target.read_bytes() == content


def _metadata(folder: Path) -> dict[str, dict[str, Any]]:
    loaded = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
    files: dict[str, dict[str, Any]] = loaded["files"]
    return files


def _metadata_problems(target: Path, source: Source) -> Iterator[str]:
    entry = _metadata(target.parent).get(target.name, {})
    place = f"{target.parent.name}/metadata.yaml"
    for ours, theirs in SHARED_FIELDS.items():
        if str(entry.get(theirs)) != source.meta[ours]:
            yield f"{place}: {theirs} of {target.name} is not its source's"


def _folder_problems() -> Iterator[str]:
    campaigns = yaml.safe_load(THEMES.read_text(encoding="utf-8"))
    known = {theme["id"] for campaign in campaigns for theme in campaign["themes"]}
    for folder in sorted(path for path in STARTER.iterdir() if path.is_dir()):
        entries = _metadata(folder)
        present = {path.name for path in folder.iterdir()} - {"metadata.yaml"}
        for name in sorted(present ^ entries.keys()):
            yield f"{folder.name}/metadata.yaml: {name} is described but absent, or the reverse"
        for name, entry in entries.items():
            for theme in set(entry["themes"]) - known:
                yield f"{folder.name}/metadata.yaml: {name} has an unknown theme, {theme}"


if __name__ == "__main__":
    sys.exit(main())
