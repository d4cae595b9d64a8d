"""Metadata stated beside a file (``metadata.yaml``) or by an option, over what the file says."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import yaml

from ingest.report import shown
from kb.errors import UsageError
from kb.language import detect
from kb.model import Kind, Metadata, Visibility

if TYPE_CHECKING:
    from pathlib import Path

    from kb.model import Parsed

SIDECAR = "metadata.yaml"
_FIELDS = {field.name for field in dataclasses.fields(Metadata)}
_CARRIED_ON = ("kind", "visibility", "themes", "collections", "issuer", "licence")
_LISTS = {"authors", "themes", "collections"}
_DATES = {"published", "version_date", "valid_until"}
# Of pages: people follow these, and a `javascript:` would run where they are shown.
_WEB = r"https?://[^\s<>\"]+"
_PATTERNS = {"celex": r"[0-9A-Z][0-9A-Z()_/-]{4,40}", "language": r"[a-z]{2}", "url": _WEB}
_LOOKS = {"celex": "32014R0651", "language": "fr or en", "url": "https://example.org/page"}
_CHOICES: dict[str, type[Kind | Visibility]] = {"kind": Kind, "visibility": Visibility}


class Sidecars:
    """The ``metadata.yaml`` files beside the ingested ones, each read once.

    A file has ``defaults`` for its folder and ``files``, by file name.
    """

    def __init__(self) -> None:
        self._read: dict[Path, dict[str, Any]] = {}

    def of(self, path: Path) -> Metadata:
        """What is stated about a file.

        Raises:
            UsageError: The sidecar can't be read, or a field of it is unknown or out of range.
        """
        sidecar = path.parent / SIDECAR
        if path.parent not in self._read:
            self._read[path.parent] = _read_sidecar(sidecar)
        stated = self._read[path.parent]
        named = stated.get("files", {}).get(path.name, {})
        merged = {**stated.get("defaults", {}), **named}
        return metadata_from(merged, f"{sidecar}, {path.name}") if merged else Metadata()


def complete(parsed: Parsed, stated: Metadata, path: str) -> Metadata:
    """The file's metadata with what is stated over it, and with what every document needs."""
    metadata = parsed.metadata.overlaid(stated)
    name = shown(path.rpartition("/")[2])
    sample = " ".join(page.text for page in parsed.pages[:20])[:20_000]
    return dataclasses.replace(
        metadata,
        title=metadata.title or name,
        kind=metadata.kind or Kind.NOTE,
        visibility=metadata.visibility or Visibility.PUBLIC,
        language=metadata.language or detect(sample),
        url=web_address(metadata.url),
    )


def web_address(text: str | None) -> str | None:
    """The address, if it is one of a page that people may be led to."""
    return text if text and re.fullmatch(_WEB, text, re.IGNORECASE) else None


def metadata_from(values: dict[str, Any], where: str) -> Metadata:
    """Check stated fields and make metadata of them.

    Raises:
        UsageError: A field is unknown or out of range; the message names it and ``where``.
    """
    unknown = sorted(set(values) - _FIELDS)
    if unknown:
        raise UsageError(
            f"{where}: unknown field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}."
        )
    said = {name: value for name, value in values.items() if value is not None}
    return Metadata(**{name: _checked(name, value, where) for name, value in said.items()})


def carried_on(metadata: Metadata, stated: Metadata, known: Metadata) -> Metadata:
    """Keep what was once said of a document and is not said anew.

    A run without ``--visibility internal`` does not publish what an earlier one kept internal.
    """
    kept = {
        name: getattr(known, name)
        for name in _CARRIED_ON
        if getattr(known, name) and not getattr(stated, name)
    }
    return dataclasses.replace(metadata, **kept)


def changes(before: Metadata, after: Metadata) -> str:
    """Which fields have changed, in words; for visibility also from what to what."""
    names = [name for name in sorted(_FIELDS) if getattr(before, name) != getattr(after, name)]
    return "changed " + ", ".join(
        f"{name}: {before.visibility} → {after.visibility}" if name == "visibility" else name
        for name in names
    )


def _read_sidecar(path: Path) -> dict[str, Any]:
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    try:
        found = yaml.safe_load(content) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} must be a mapping with 'defaults' and 'files'.")
    groups: dict[str, Any] = found
    for name in ("defaults", "files"):
        if not isinstance(groups.get(name, {}), dict):
            raise UsageError(f"{path}: {name} must be a mapping.")
    if set(groups) - {"defaults", "files"}:
        raise UsageError(f"{path}: only 'defaults' and 'files' are known at the top.")
    for name, fields in groups.get("files", {}).items():
        if not isinstance(fields, dict):
            raise UsageError(f"{path}: the fields of {name} must be a mapping.")
    return groups


def _checked(name: str, value: Any, where: str) -> Any:
    if name in _LISTS:
        listed = value if isinstance(value, list | tuple) else [value]
        return tuple(str(item) for item in listed)
    if name in _DATES:
        return _date(name, value, where)
    if name in _PATTERNS and not re.fullmatch(_PATTERNS[name], str(value)):
        raise UsageError(f"{where}: {name} is {value!r}; it must look like {_LOOKS[name]}.")
    if name in _CHOICES:
        choices = _CHOICES[name]
        try:
            return choices(str(value))
        except ValueError:
            known = ", ".join(choices)
            raise UsageError(f"{where}: {name} is {value!r}; it must be one of {known}.") from None
    return str(value)


def _date(name: str, value: Any, where: str) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"{where}: {name} is {value!r}; write it as YYYY-MM-DD.") from None
