"""What lists, counts and facets must be: worked out from what may be seen, or from staff's own.

Whoever sees everything gets what the filters let through, so what another caller must get is that
without what they may not see.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from leaking import as_json
from leaking_asks import Ask, called

from kb.calls.telling import MEDIA_TYPES
from kb.model import FULL_ACCESS, CallStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leaking import Caller, Service, Watch
    from leaking_base import Seen

_FACETS: Final = {
    "programme": "programme",
    "action_type": "action_types",
    "applicant": "applicants",
    "country": "countries",
}
_PAGE: Final = 3


class Numbers:
    """Compares what a caller is told with what there is for them."""

    def __init__(self, service: Service, watch: Watch, staff: Caller) -> None:
        self._service = service
        self._watch = watch
        self._staff = staff

    def check(self, caller: Caller, query: tuple[tuple[str, str], ...], words: str) -> None:
        """Compare everything that counts or lists, for one caller, filters and words."""
        seen = self._watch.library.seen_by(caller.access)
        self._documents(caller, seen)
        self._status(caller, seen)
        self._calls(caller, seen, query)
        self._calls(caller, seen, (*query, ("query", words)))
        self._files(caller, seen, query)
        self._search(caller, seen, words)
        self._matches(caller, seen, words)
        self._assistant(caller, seen)

    def _said(self, caller: Caller, path: str, query: Iterable[tuple[str, str]] = ()) -> Any:
        ask = _get(path, query)
        answered = self._service.send(ask, caller)
        self._watch.look(ask, caller, answered.response)
        return as_json(answered.response)

    def _same(self, what: str, found: object, expected: object) -> None:
        assert found == expected, f"{what}: {found} instead of {expected}"
        self._watch.counts.checks[f"numbers: {what}"] += 1

    def _documents(self, caller: Caller, seen: Seen) -> None:
        """Pages hold what may be seen, each once, in order, and end where that ends."""
        expected = sorted(seen.current)
        listed, cursor = [], ""
        while True:
            page = self._said(caller, "/v1/documents", (("cursor", cursor), ("limit", str(_PAGE))))
            listed += [each["id"] for each in page["documents"]]
            last = listed[-1] if len(listed) < len(expected) else None
            self._same("next of documents", page["next"], last)
            if page["next"] is None:
                break
            cursor = page["next"]
        self._same("documents", listed, expected)
        for document_id in listed:
            self._document(caller, seen, document_id)

    def _document(self, caller: Caller, seen: Seen, document_id: str) -> None:
        shown = self._said(caller, f"/v1/documents/{document_id}")
        versions = {(each["id"], each["version"]) for each in shown["versions"]}
        own = {key for key in seen.versions if key[0] == document_id}
        self._same("versions", versions, own)
        translations = {each["id"] for each in shown["translations"]}
        self._same("translations", translations, others_of_work(document_id, seen.current))

    def _status(self, caller: Caller, seen: Seen) -> None:
        told = self._said(caller, "/v1/status")["generation"]
        self._same("documents of the status", told["documents"], len(seen.current))
        passages = sum(self._passages(*key) for key in seen.current.items())
        self._same("passages of the status", told["passages"], passages)

    def _passages(self, document_id: str, version: int) -> int:
        record = self._service.kb.record
        document = record.document(record.current_id() or 0, document_id, FULL_ACCESS, version)
        return 0 if document is None else len(record.passages(document))

    def _calls(self, caller: Caller, seen: Seen, query: tuple[tuple[str, str], ...]) -> None:
        """Total, facets, pages and their cursors are those of the calls that may be seen."""
        everything = self._visible_calls(seen, query)
        found = [hit["document_id"] for hit in everything]
        listed: list[str] = []
        cursor: tuple[tuple[str, str], ...] = ()
        facets = self._facets(seen, query)
        while True:
            page = self._said(caller, "/v1/calls", (*query, *cursor, ("limit", str(_PAGE))))
            self._same("total of calls", page["total"], len(found))
            self._same("facets", _filled(page["facets"]), facets)
            listed += [hit["document_id"] for hit in page["hits"]]
            if page["next"] is None:
                break
            cursor = (("cursor", page["next"]),)
        self._same("pages of calls", sorted(listed), sorted(found))
        if not any(name == "query" for name, _ in query):  # a ranking is each caller's own
            self._same("order of calls", listed, found)

    def _visible_calls(self, seen: Seen, query: tuple[tuple[str, str], ...]) -> list[Any]:
        page = as_json(
            self._service.send(_get("/v1/calls", (*query, ("limit", "100"))), self._staff).response
        )
        assert page["next"] is None, "too many calls for one page"
        return [hit for hit in page["hits"] if hit["document_id"] in seen.current]

    def _facets(self, seen: Seen, query: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        counted: dict[str, Counter[str]] = {name: Counter() for name in (*_FACETS, "theme")}
        held = self._watch.library.held
        for hit in self._visible_calls(seen, query):
            for name, member in _FACETS.items():
                values = hit[member] if isinstance(hit[member], list) else [hit[member]]
                counted[name].update(each or "unknown" for each in values)
            call = held[hit["document_id"]].contents[seen.current[hit["document_id"]]].call
            counted["theme"].update(call.themes if call else ())
        whatever = tuple(pair for pair in query if pair[0] != "status")
        states = Counter(hit["status"] for hit in self._visible_calls(seen, whatever))
        states["open"] += states["closing_soon"]  # is open too
        return _filled({**counted, "status": states})

    def _files(self, caller: Caller, seen: Seen, query: tuple[tuple[str, str], ...]) -> None:
        """Files hold the calls that may be seen, and of their history what may be."""
        statuses = [("status", each.value) for each in CallStatus]
        for form in MEDIA_TYPES:
            self._file(caller, f"/v1/calls.{form}", "/v1/calls.{form}", statuses)
        for saved in self._watch.saved:
            for form in ("ics", "atom"):
                at = f"/v1/feeds/{saved.secret}/calls.{form}"
                self._file(caller, at, "/v1/feeds/{secret}/calls.{form}")
        lines = self._file(caller, "/v1/calls.jsonl", "/v1/calls.{form}", query).splitlines()
        found = [hit["document_id"] for hit in self._visible_calls(seen, query)]
        told = [json.loads(line)["document_id"] for line in lines]
        self._same("lines of calls.jsonl", told, found)

    def _file(
        self, caller: Caller, path: str, name: str, query: Iterable[tuple[str, str]] = ()
    ) -> str:
        ask = replace(_get(path, query), name=f"GET {name}")
        if name.startswith("/v1/feeds/"):
            ask = replace(ask, named={"secret": path.split("/")[3]})
        response = self._service.send(ask, caller).response
        self._watch.look(ask, caller, response)
        assert response.status_code == 200, response.text
        return response.text

    def _search(self, caller: Caller, seen: Seen, words: str) -> None:
        """What is found is what staff find, without what may not be seen; so is a shorter list."""
        for query in ((), (("language", "fr"),), (("kind", "call"),), (("kind", "policy"),)):
            asked = (("query", words), ("top_k", "100"), *query)
            everything = self._service.send(_get("/v1/search", asked), self._staff).response
            hits = as_json(everything)["hits"]
            assert len(hits) < 100, "too many passages for one list"
            expected = sorted(
                hit["passage_id"] for hit in hits if hit["document_id"] in seen.current
            )
            found = self._said(caller, "/v1/search", asked)["hits"]
            self._same("hits", sorted(hit["passage_id"] for hit in found), expected)
            few = self._said(caller, "/v1/search", (("query", words), ("top_k", "4"), *query))
            self._same("first hits", len(few["hits"]), min(4, len(expected)))

    def _matches(self, caller: Caller, seen: Seen, words: str) -> None:
        body = {"description": words, "limit": 50, "status": []}
        ask = replace(_get("/v1/calls/match"), name="POST /v1/calls/match", method="POST")
        ask = replace(
            ask, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
        )
        response = self._service.send(ask, caller).response
        self._watch.look(ask, caller, response)
        found = {hit["document_id"] for hit in as_json(response)["hits"]}
        held = self._watch.library.held
        calls = {document_id for document_id in seen.current if held[document_id].is_call}
        self._same("matches", found, calls)

    def _assistant(self, caller: Caller, seen: Seen) -> None:
        """Lists, completions and totals of MCP are those of what may be seen."""
        result = self._result(caller, called("resources/list", {}))
        prefix = "evidence://documents/"
        expected = [f"{prefix}{document_id}" for document_id in sorted(seen.current)][:50]
        self._same("resources", [each["uri"] for each in result["resources"]], expected)
        for begun in ("", "zq", "c"):
            argument = {"name": "document_id", "value": begun}
            reference = {"type": "ref/resource", "uri": f"{prefix}{{document_id}}"}
            params = {"ref": reference, "argument": argument}
            values = self._result(caller, called("completion/complete", params))["completion"]
            begins = [each for each in sorted(seen.current) if each.startswith(begun)]
            self._same("completions", values["values"], begins)
        found = called("tools/call", {"name": "find_calls", "arguments": {"limit": 100}})
        page = self._result(caller, found)["structuredContent"]
        self._same("total of find_calls", page["total"], len(page["hits"]))
        self._same("facets of find_calls", _filled(page["facets"]), self._facets(seen, ()))

    def _result(self, caller: Caller, ask: Ask) -> Any:
        response = self._service.send(ask, caller).response
        self._watch.look(ask, caller, response)
        return as_json(response)["result"]


def _get(path: str, query: Iterable[tuple[str, str]] = ()) -> Ask:
    named = re.sub(r"(?<=/v1/documents/).+", "{document_id}", path)
    return Ask(f"GET {named}", "GET", path, tuple(query))


def _filled(facets: Any) -> dict[str, dict[str, int]]:
    return {
        name: {value: count for value, count in sorted(counts.items()) if count}
        for name, counts in facets.items()
    }


def others_of_work(document_id: str, current: Iterable[str]) -> set[str]:
    """The translations of a document among those that are current."""
    work, _, language = document_id.rpartition("-")
    if language not in {"fr", "en"}:
        return set()
    return {each for each in current if each.startswith(f"{work}-")} - {document_id}
