"""The benches that are reported, by name; those of the folder of real material and of our own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.bases import cache
from evaluation.benches import read_bench, shared_data
from evaluation.heldout import write_held_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evaluation.benches import Bench

_DIRECTIONS = (("en", "en"), ("fr", "fr"), ("fr", "en"), ("en", "fr"))
EURLEX, SERVICE_PUBLIC, XQUAD = "eurlex-fr-en", "service-public-fr", "xquad-en"
HELD_OUT = "held-out"


def bench_folder(name: str) -> Path:
    """The folder of a bench of the real material."""
    return shared_data() / "bench" / name


def held_out() -> Path:
    """The bench of acts that nothing was trained on, made where the cache has none."""
    folder = cache() / HELD_OUT
    if not (folder / "qrels.tsv").is_file():  # written last
        write_held_out(folder)
    return folder


def every_bench() -> Iterator[Bench]:
    """The benches that are reported: each direction, then both languages mixed."""
    for folder in (bench_folder(EURLEX), held_out()):
        for asked, found in _DIRECTIONS:
            yield direction(folder, asked, found)
        for asked in ("fr", "en"):
            yield direction(folder, asked, "en", "fr")
    yield read_bench(bench_folder(SERVICE_PUBLIC))
    yield read_bench(bench_folder(XQUAD))


def direction(folder: Path, asked: str, *found: str) -> Bench:
    """A bench in two languages asked in one and answered from one, or from both."""
    corpora = [Path(f"corpus_{language}.jsonl") for language in found]
    return read_bench(folder, corpora, Path(f"queries_{asked}.jsonl"))
