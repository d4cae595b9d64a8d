"""Writes documents and calls of every kind, and lets others see them than before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from leaking_base import Filed, call_content, text_content

from kb.model import Visibility

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from leaking_base import Content, Shelf

    from kb.model import Access

# Draws who may see a document, and the collections that it is in.
Shown = tuple[Visibility, tuple[str, ...]]
_LANGUAGES = ("en", "fr")
_ENDINGS = ("md", "pdf")


class Writing:
    """What happens to the documents of one base."""

    def __init__(self, shelf: Shelf, chance: random.Random) -> None:
        self._shelf = shelf
        self._chance = chance
        self._word = shelf.markers.word
        self.collections = [self._word() for _ in range(3)]

    def begin(self) -> None:
        """Documents of each visibility, a work in two languages, a copy, and calls."""
        for visibility in Visibility:
            for within in ((), tuple(self.collections[:1])):
                content = text_content(self._shelf.markers, self._chance.choice(_LANGUAGES))
                self._add(content, (visibility, within))
        work = self._word()
        for language in _LANGUAGES:
            self._add(text_content(self._shelf.markers, language, work), self._anyone())
        self._shelf.ingest()
        for visibility in Visibility:
            self._call(self._new_call(), (visibility, self._anyone()[1]))
        self._shelf.take(list(self._shelf.calls))

    def change(self) -> None:
        """Change some files and calls, and add some."""
        self._change(list(self._shelf.files), list(self._shelf.calls), self._anyone)

    def change_hidden(self, access: Access) -> None:
        """Change, add and remove what an access does not show, so that it shows none of it."""
        held = self._shelf.library.held
        visible = {document_id for document_id, _ in self._shelf.library.seen_by(access).versions}
        files, calls = (
            [name for name, filed in all_of_them.items() if filed.document_id not in visible]
            for all_of_them in (self._shelf.files, self._shelf.calls)
        )
        self._change(files, calls, lambda: self._hidden_from(access))
        hidden = [k for k in held if k not in visible and self._is_there(k)]
        if len(hidden) > 2 and self._chance.random() < 0.3:
            self._shelf.remove(self._chance.choice(sorted(hidden)))

    def take_away(self) -> None:
        """Remove a document, or go back a generation."""
        there = [
            document_id for document_id in self._shelf.library.held if self._is_there(document_id)
        ]
        if self._chance.random() < 0.5 and len(self._shelf.library.kept) > 2:
            self._shelf.roll_back()
        elif len(there) > 5:
            self._shelf.remove(self._chance.choice(sorted(there)))

    def _is_there(self, document_id: str) -> bool:
        library = self._shelf.library
        return document_id in library.newest.current and not library.held[document_id].removed

    def _change(self, files: list[str], calls: list[str], shown: Callable[[], Shown]) -> None:
        chance, markers = self._chance, self._shelf.markers
        for name in chance.sample(files, min(len(files), 3)):
            filed = self._shelf.files[name]
            if chance.random() < 0.6:
                stated = filed.content.stated
                content = text_content(markers, stated["language"], stated.get("identifier", ""))
                filed.content = self._named(name, content)
            filed.visibility, within = shown()
            filed.collections = within or filed.collections
        if chance.random() < 0.5:
            self._add(text_content(markers, chance.choice(_LANGUAGES)), shown())
        copied = [
            each for each in self._shelf.files.values() if not each.content.stated.get("identifier")
        ]
        if copied and chance.random() < 0.4:
            self._add(chance.choice(copied).content, shown())
        self._shelf.ingest()
        taken = chance.sample(calls, min(len(calls), 2))
        if chance.random() < 0.4:
            taken.append(self._new_call())
        for identifier in taken:
            self._call(identifier, shown())
        self._shelf.take(taken)

    def _add(self, content: Content, shown: Shown) -> None:
        name = f"{self._word()}.{self._chance.choice(_ENDINGS)}"
        self._shelf.files[name] = Filed(self._named(name, content), *shown)

    def _new_call(self) -> str:
        return f"CALL-{self._word().upper()}-1"

    def _call(self, identifier: str, shown: Shown) -> None:
        filed = self._shelf.calls.get(identifier)
        content = filed.content if filed else None
        if content is None or self._chance.random() < 0.6:
            content = self._shelf.note(call_content(self._shelf.markers, identifier))
        visibility, within = shown
        within = within or (filed.collections if filed else ())
        told = filed.document_id if filed else ""
        self._shelf.calls[identifier] = Filed(content, visibility, within, told)

    def _named(self, name: str, content: Content) -> Content:
        """A content with the marker that the name of its file is."""
        markers = content.markers | {name.partition(".")[0]}
        return self._shelf.note(replace(content, markers=markers))

    def _anyone(self) -> Shown:
        within = self._chance.sample(self.collections, self._chance.randint(0, 2))
        return self._chance.choice(list(Visibility)), tuple(within)

    def _hidden_from(self, access: Access) -> Shown:
        """Who sees a document, so that one access does not."""
        narrower = [each for each in Visibility if each not in access.visibilities]
        others = [each for each in self.collections if each not in (access.collections or ())]
        if narrower:
            return self._chance.choice(narrower), self._anyone()[1]
        return self._chance.choice(list(Visibility)), (self._chance.choice(others),)
