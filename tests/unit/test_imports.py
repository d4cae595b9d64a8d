"""Imports keep their direction, and vendors stay in the modules that are about them."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"kb", "ingest", "api", "evaluation"}
ALLOWED = {package: {package, "kb"} for package in OURS}
# The modules that name a vendor, and no others import it.
VENDORS = {
    "qdrant_edge": {"kb.index.edge"},
    "qdrant_client": {"kb.index.server"},
    "sentence_transformers": {"kb.encoders.sentence_transformer"},
    "torch": {
        "kb.encoders.export",
        "kb.encoders.sentence_transformer",
        "kb.encoders.teaching.__main__",
        "kb.encoders.teaching.cross",
        "kb.encoders.teaching.teach",
    },
    "transformers": {
        "kb.encoders.sentence_transformer",
        "kb.encoders.teaching.cross",
        "kb.encoders.teaching.teach",
    },
    "onnxruntime": {"kb.encoders.export", "kb.encoders.shipped"},
    "onnx": {"kb.encoders.export"},
    "haystack": {
        "kb.search.calls",
        "kb.search.components",
        "kb.search.engine",
        "kb.search.tracing",
        "kb.tracing",
    },
    "redis": {"api.redis_buckets"},
}


def modules() -> dict[str, ast.Module]:
    """Every module of ours by its name, parsed."""
    found: dict[str, ast.Module] = {}
    for package in sorted(OURS):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            found.add((node.module or "").partition(".")[0])
    return found


MODULES = modules()


@pytest.mark.parametrize("package", sorted(OURS))
def test_packages_import_kb_and_themselves_alone(package: str) -> None:
    """``kb`` knows none of the others, and the others do not know each other."""
    wrong = {
        (name, other)
        for name, tree in MODULES.items()
        if name.partition(".")[0] == package
        for other in imported(tree) & OURS
        if other not in ALLOWED[package]
    }
    assert wrong == set()


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_a_vendor_is_imported_only_by_the_modules_about_it(vendor: str) -> None:
    """Changing an engine or a model means changing one module."""
    importing = {
        name
        for name, tree in MODULES.items()
        if name.partition(".")[0] in {"kb", "ingest", "api"} and vendor in imported(tree)
    }
    assert importing <= VENDORS[vendor]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_module_imports_the_tests(name: str) -> None:
    """Fakes and fixtures stay here."""
    assert not imported(MODULES[name]) & {"tests", "fakes", "conftest", "pytest", "hypothesis"}


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in a fresh interpreter after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_command_loads_nothing_heavy() -> None:
    """``kb --help`` must not wait for engines, models or the database."""
    heavy = {"torch", "haystack", "sqlalchemy", "qdrant_edge", "qdrant_client", "numpy", "pydantic"}
    assert not loaded_by("import kb.cli") & heavy
    assert not loaded_by("import kb.commands") & heavy


def test_opening_the_base_loads_neither_torch_nor_haystack() -> None:
    """What only looks at the record is not to wait for vectors and the query path."""
    loaded = loaded_by("import kb.bootstrap, kb.maintenance, ingest.run")
    assert not loaded & {"torch", "haystack", "sentence_transformers", "qdrant_client"}


def test_the_client_loads_httpx_and_pydantic_alone() -> None:
    """Partners need nothing of what the service is made of."""
    # The third is pydantic's own; what begins with an underscore is the interpreter's.
    needed = loaded_by("import httpx, pydantic, annotated_types") | sys.stdlib_module_names
    loaded = loaded_by("import kb.client") - needed
    assert {name for name in loaded if not name.startswith("_")} == {"kb"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_says_what_it_is_for(name: str) -> None:
    """The first line of every module with code is a sentence."""
    tree = MODULES[name]
    said = ast.get_docstring(tree)
    assert not tree.body or (said and said.splitlines()[0].endswith((".", ":")))


def test_help_is_quick() -> None:
    """The best of three runs takes less than a second and a half."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        code = "from kb.cli import main; main(['--help'])"
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.5
