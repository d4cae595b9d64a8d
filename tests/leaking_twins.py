"""What may not be seen is answered as what never was: to the byte, and by the same statements."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from leaking_asks import MCP_HEADERS, WRITES, Ask, tells_what_is_public
from leaking_markers import found_in

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from leaking import Answered, Caller, Service, Watch
    from leaking_asks import Operation, Pools
    from leaking_everything import Everything

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FIND")
_JSON: Final = {"content-type": "application/json"}
_FORM: Final = {"content-type": "multipart/form-data; boundary=edge"}
_FILE: Final = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
    b"# A\r\n--edge--\r\n"
)
_BODIES: Final[tuple[tuple[Mapping[str, str], bytes], ...]] = (
    ({}, b""),
    (_JSON, b"{}"),
    (_JSON, b'{"kind": "helpful"}'),
    (_JSON, b"{"),
    (_FORM, _FILE),
    (_FORM, b"--edge"),
    (MCP_HEADERS, b"[]"),
)
# The time that was taken, and which generation answers: every run makes one.
_VOLATILE: Final = re.compile(
    r""""(took_ms|retrieval_ms|reading_ms|total_ms)": ?[0-9.]+|"generation":{"id":[0-9]+,"""
    r""""created":"[^"]*"|\('content-length', '[0-9]+'\)"""
)
# A feed is known by what was asked.
_NAMED_BY_QUERY: Final = "GET /v1/calls.{form}"
_QUERIES: Final = ((), (("limit", "0"),), (("fields", "nothing"),), (("unknown", "é"),))


class Twins:
    """Compares answers on what is hidden from a caller with answers on what never was."""

    def __init__(
        self, service: Service, watch: Watch, staff: Caller, everything: Everything
    ) -> None:
        self._service = service
        self._watch = watch
        self._staff = staff
        self._everything = everything

    def names(self, caller: Caller, chance: random.Random) -> None:
        """Everything that can be asked of a document, call or search that is hidden."""
        listed = list(self._hidden(caller))
        hidden = {field: (w, n) for w, field, n in chance.sample(listed, len(listed))}
        fields = chance.sample(sorted(hidden), min(len(hidden), 2))
        for field in dict.fromkeys((*(f for f in hidden if f == "document_id"), *fields)):
            what, name = hidden[field]
            never = self._like(name)
            fixed: Pools = {field: partial(str, name), "cursor": str}
            for ask in self._everything.asks(chance.randrange(2**32), fixed):
                # What keeps something may answer with a new secret each time.
                varies = ask.name in WRITES or ask.name == _NAMED_BY_QUERY
                varies |= tells_what_is_public(ask, caller.access)
                if name in ask.said and (field in {"document_id", "secret"} or not varies):
                    self._compare(what, caller, ask, {name: never})
                    self._tags(what, caller, ask, {name: never})

    def versions(self, caller: Caller, chance: random.Random) -> None:
        """A version that is hidden, of a document that is not."""
        seen = self._watch.library.seen_by(caller.access)
        for document_id in sorted(seen.current):
            numbers = set(self._watch.library.held[document_id].contents)
            hidden = sorted(n for n in numbers if (document_id, n) not in seen.versions)
            for version in hidden[:1]:
                # As long as the other.
                never = next(n for n in (*range(9, 0, -1), *range(99, 9, -1)) if n not in numbers)
                seed = chance.randrange(2**32)
                fixed: Pools = {"document_id": partial(str, document_id), "cursor": str}
                both = (
                    self._everything.asks(seed, {**fixed, "version": partial(int, n)})
                    for n in (version, never)
                )
                for ask, twin in zip(*both, strict=True):
                    if ask != twin and document_id in ask.said:
                        echo = {f"version={never}": f"version={version}"}
                        self._compare_both("a version", caller, ask, twin, echo)

    def lists(self, caller: Caller, chance: random.Random) -> None:
        """Staff's tag of a list or search is nobody else's, unless it is the same."""
        for ask in self._everything.asks(chance.randrange(2**32), {}):
            if ask.method != "GET":
                continue
            headers = {k: v for k, v in ask.headers.items() if k != "if-none-match"}
            plain = replace(ask, headers=headers)
            tag = self._service.send(plain, self._staff).response.headers.get("etag")
            if tag is None:
                continue
            own = self._service.send(plain, caller).response
            if not own.is_success:
                continue
            tagged = plain.with_headers(If_None_Match=tag)
            status = self._service.send(tagged, caller).response.status_code
            # Originals have a tag and are sent each time.
            known = status == 304
            told = f"{ask.name} as {caller.name} by staff's tag: {status}"
            assert not known or own.headers["etag"] == tag, told
            self._watch.counts.checks["a tag of staff's reply"] += 1

    def addresses(self, caller: Caller, chance: random.Random, most: int) -> None:
        """Where only staff are answered there is nothing for others, whatever they send."""
        if caller.is_whole_staff:
            return
        operations = self._everything.interface.operations
        others = {each.path for each in operations if each.reach != "staff"}
        for operation in operations:
            if operation.reach == "staff":
                asks = list(_tried(operation, shared=operation.path in others))
                for ask in chance.sample(asks, min(len(asks), most)):
                    place = operation.path.partition("/{")[0]
                    names = {place: f"{place[:-2]}qq"}
                    self._compare("an address of staff", caller, ask, names)

    def snapshot(self, caller: Caller, asks: Sequence[Ask]) -> list[str]:
        """All that a caller is answered, without what differs each time and what is counted."""
        told = []
        for ask in asks:
            answered = self._service.send(ask, caller)
            if ask.name == "GET /v1/status":
                del answered.response.headers["etag"]  # it is that of the generation too
            told.append(_VOLATILE.sub("", answered.as_seen({})))
        return told

    def same(self, caller: Caller, asks: Sequence[Ask], before: Sequence[str]) -> None:
        """Fail where something else is answered than before."""
        for ask, was, now in zip(asks, before, self.snapshot(caller, asks), strict=True):
            told = f"a change that is hidden from {caller.name} shows: {ask.method} {ask.url}"
            assert now == was, f"{told} {ask.body[:300]!r}\n{_apart(now, was)}"
            self._watch.counts.checks["a change that is hidden"] += 1

    def _compare(self, what: str, caller: Caller, ask: Ask, names: Mapping[str, str]) -> None:
        twin = ask
        for name, other in names.items():
            twin = renamed(twin, name, other)
        echo = {quote(other, safe=""): quote(name, safe="") for name, other in names.items()}
        echo |= {quote_plus(other): quote_plus(name) for name, other in names.items()}
        echo |= {other: name for name, other in names.items()}
        self._compare_both(what, caller, ask, twin, echo)

    def _compare_both(
        self, what: str, caller: Caller, ask: Ask, twin: Ask, echo: Mapping[str, str]
    ) -> None:
        """Fail where two requests that differ in one name are not answered alike."""
        self._service.send(twin, caller)  # what is done at a first request alone is done now
        of_hidden = self._service.send(ask, caller)
        of_never = self._service.send(twin, caller)
        self._watch.look(ask, caller, of_hidden.response)
        told = f"{what}: {ask.name} as {caller.name}, {ask.method} {ask.url} {ask.body[:300]!r}"
        found, expected = of_hidden.as_seen({}), of_never.as_seen(echo)
        if "_ms" in found:
            found, expected = _VOLATILE.sub("", found), _VOLATILE.sub("", expected)
        assert found == expected, f"{told}\n{_apart(found, expected)}"
        assert of_hidden.statements == of_never.statements, (
            f"{told}\n{_differing(of_hidden, of_never)}"
        )
        self._watch.counts.checks[f"as what never was: {what}"] += 1

    def _tags(self, what: str, caller: Caller, ask: Ask, names: Mapping[str, str]) -> None:
        """A tag that staff got is of no use to others; nor is the one that fits everything."""
        if ask.method != "GET":
            return
        for known in ("*", self._service.send(ask, self._staff).response.headers.get("etag")):
            if known:
                tagged = ask.with_headers(If_None_Match=known)
                self._compare(f"{what}, by a tag", caller, tagged, names)

    def _like(self, name: str) -> str:
        """A name of the same length and signs that nothing has."""
        word = self._everything.markers.word
        fresh = re.sub("zq[a-z]{10}", lambda _: word(), name)
        fresh = re.sub("ZQ[A-Z]{10}", lambda _: word().upper(), fresh)
        if fresh != name:
            return fresh
        return name.translate(str.maketrans("abcdefghijkl", "badcfehgjilk"))

    def _hidden(self, caller: Caller) -> Iterator[tuple[str, str, str]]:
        library = self._watch.library
        visible = {document_id for document_id, _ in library.seen_by(caller.access).versions}
        for document_id, held in library.held.items():
            if document_id in visible:
                continue
            yield "a document", "document_id", document_id
            if held.is_call:
                call = next(iter(held.contents.values())).call
                assert call is not None
                yield "a call", "identifier", call.identifier
        for secret in self._watch.ended:
            yield "a search", "secret", secret
        for address in self._watch.briefs.ended:
            yield "a brief", "address", address
        yield from self._values(caller)

    def _values(self, caller: Caller) -> Iterator[tuple[str, str, str]]:
        """What only hidden documents say of themselves, and others can be narrowed to."""
        seen = self._watch.library.seen_by(caller.access).markers
        for held in self._watch.library.held.values():
            for content in held.contents.values():
                stated = {"issuer": content.stated.get("issuer")}
                if content.call is not None:
                    stated = {"programme": content.call.programme, "theme": content.call.themes[0]}
                for field, value in stated.items():
                    if value and not found_in(str(value)) & seen:
                        yield f"a value of {field}", field, str(value)


def renamed(ask: Ask, name: str, other: str) -> Ask:
    """The same request about something else."""
    path = ask.path.replace(quote(name, safe="/"), other).replace(quote(name, safe=""), other)
    body = ask.body.replace(name.encode(), other.encode())
    body = body.replace(quote(name, safe="").encode(), quote(other, safe="").encode())
    query = tuple((key, value.replace(name, other)) for key, value in ask.query)
    named = {key: value.replace(name, other) for key, value in ask.named.items()}
    return replace(ask, path=path, body=body, query=query, named=named)


def _tried(operation: Operation, *, shared: bool) -> Iterator[Ask]:
    """What may be sent to an address of staff; where others are answered too, by one method."""
    path = re.sub(r"\{.*?\}", "0a1b2c3d", operation.path)
    for place in (path,) if shared else (path, f"{path}/"):
        for method in (operation.method,) if shared else _METHODS:
            for headers, body in _BODIES:
                for query in _QUERIES:
                    name = f"{operation.name}, tried"
                    yield Ask(name, method, place, query, dict(headers), body)


def _apart(one: str, other: str) -> str:
    """Where two texts begin to differ."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[max(same - 200, 0) : same + 300]}\n{other[max(same - 200, 0) : same + 300]}"


def _differing(one: Answered, other: Answered) -> Any:
    lines = [f"{len(one.statements)} and {len(other.statements)} statements"]
    for first, second in zip_longest(one.statements, other.statements):
        if first != second:
            lines += [str(first), str(second)]
    return "\n".join(lines)
