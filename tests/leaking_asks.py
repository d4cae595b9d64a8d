"""Requests over every operation of the OpenAPI document, every other route and all of MCP.

A value is drawn by its schema, or by its name from what a caller may and may not see. What is new
is asked by its schema, and fails the test where its address needs a value that nobody can draw.
"""

from __future__ import annotations

import base64
import json
import random
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlencode

from leaking_base import COMMON

from api.mcp.uris import document_uri, page_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fastapi import FastAPI
    from leaking import Saved
    from leaking_base import Content, Shelf

# Gives the values that a field of this name may have, for one caller.
Pools = dict[str, "Callable[[], Any]"]

# Routes that are no interface of programs: how each is asked, by its path. A route that is not
# here fails the test.
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "/": ("GET",),
    "/briefs": ("GET", "POST"),
    "/briefs/add": ("POST",),
    "/briefs/{address}": ("GET", "POST"),
    "/briefs/{address}/export": ("GET",),
    "/calls": ("GET",),
    "/calls/deadlines.ics": ("GET",),
    "/calls/follow": ("GET", "POST"),
    "/calls/follow/deleted": ("GET",),
    "/calls/match": ("GET", "POST"),
    "/calls/{identifier}": ("GET",),
    "/docs": ("GET",),
    "/documents": ("GET",),
    "/openapi.json": ("GET", "HEAD"),
    "/login": ("GET", "POST"),
    "/logout": ("POST",),
    "/metrics": ("GET",),
    "/problems": ("GET",),
    "/problems/{slug}": ("GET",),
    "/mcp": ("POST",),
    "/staff": ("GET",),
    "/staff/audit": ("GET",),
    "/staff/audit/export": ("GET",),
    "/staff/feedback": ("GET",),
    "/staff/gaps": ("GET",),
    "/staff/keys": ("GET", "POST"),
    "/staff/keys/{key_id}/revoke": ("GET", "POST"),
    "/staff/keys/{key_id}/rotate": ("GET", "POST"),
    "/staff/uploads": ("GET", "POST"),
    "/staff/uploads/{upload_id}": ("GET",),
    "/searches/{secret}": ("GET",),
    "/searches/{secret}/delete": ("POST",),
    "/static/{path}": ("GET",),
    "/v1/searches/confirm/{token}": ("GET", "POST"),
    "/v1/unsubscribe/{token}": ("GET", "POST"),
}
MCP_HEADERS: Final = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18",
}
_TEXTS: Final = ("query", "q", "question", "description", "comment", "topic", "quote", "aims")
_OFFERED: Final[Mapping[str, tuple[str, ...]]] = {
    "status": ("open", "forthcoming", "closed", "rolling"),
    "applicant": ("association", "company"),
    "country": ("FR", "DE"),
    "upload_id": ("0a1b2c3d", "0123456789abcdef"),
    "email": ("somebody@example.org",),
    "file": ("# Words",),
    "if-none-match": ("*", '"0a1b2c3d"'),
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_SOMETIMES: Final = 0.2
# How many parameters a request states that needs none.
_STATED: Final = 1.5
_WRONG: Final = ("", "-1", "0", "x", "99999999999", "null", "é", "a" * 2001)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the OpenAPI document; ``reach`` is whom it answers.

    ``fields`` are the members of its response, ``gives`` the media types that it may have.
    """

    method: str
    path: str
    reach: str
    parameters: tuple[dict[str, Any], ...] = ()
    media_type: str = ""
    body: Any = None
    fields: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How it is named in counts and messages."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. ``named`` holds the values of its path by name."""

    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def said(self) -> str:
        """Everything that the caller has said, so that an echo is told from a leak."""
        heads = " ".join(self.headers.values())
        return f"{unquote(self.path)} {self.query} {heads} {self.body.decode(errors='replace')}"

    def with_headers(self, **headers: str) -> Ask:
        """The same request with other headers too."""
        more = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


class Interface:
    """What there is to ask, as the service itself says."""

    def __init__(self, app: FastAPI) -> None:
        self._document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
        self.operations = tuple(self._operations())

    def operation(self, method: str, path: str) -> Operation:
        """The operation at an address."""
        named = (method.upper(), path)
        return next(each for each in self.operations if (each.method, each.path) == named)

    def ask(self, operation: Operation, pools: Pools, chance: random.Random, **fixed: Any) -> Ask:
        """A request of an operation; ``fixed`` are values of parameters or body by name."""
        drawing = Drawing(self._document, pools, chance)
        path, named, query, headers = operation.path, {}, [], {}
        often = _STATED / (len(operation.parameters) or 1)
        for parameter in operation.parameters:
            name, place = parameter["name"], parameter["in"]
            if place == "path":
                value = fixed[name] if name in fixed else drawing.of_path(parameter, operation.name)
                named[name] = str(value)
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif name in fixed:
                query += pairs(name, fixed[name])
            elif parameter.get("required") or chance.random() < often:
                value = self._value(operation, drawing, parameter)
                if place == "query":
                    query += pairs(name, value)
                else:
                    headers[name] = header_value(value)
        if len(operation.gives) > 1:
            headers["accept"] = chance.choice(operation.gives)
        body = b""
        if operation.media_type:
            value = drawing.of(operation.body, "body")
            if isinstance(value, dict):
                value |= {name: each for name, each in fixed.items() if name not in named}
            headers["content-type"], body = encoded(operation.media_type, value)
        return Ask(operation.name, operation.method, path, tuple(query), headers, body, named)

    def _value(self, operation: Operation, drawing: Drawing, parameter: dict[str, Any]) -> Any:
        if parameter["name"] == "fields" and operation.fields:
            chosen = drawing.chance.sample(operation.fields, min(2, len(operation.fields)))
            return ",".join(chosen)
        return drawing.of(parameter["schema"], parameter["name"])

    def _operations(self) -> Iterator[Operation]:
        for path, operations in self._document["paths"].items():
            for method in _METHODS:
                if method in operations:
                    yield self._operation(method, path, operations[method])

    def _operation(self, method: str, path: str, told: dict[str, Any]) -> Operation:
        content = told.get("requestBody", {}).get("content", {})
        media_type = next(iter(content), "")
        return Operation(
            method.upper(),
            path,
            told["x-access"],
            tuple(told.get("parameters", ())),
            media_type,
            content[media_type]["schema"] if media_type else None,
            tuple(self._members(told)),
            tuple(_success(told)),
        )

    def _members(self, told: dict[str, Any]) -> list[str]:
        schema = _success(told).get("application/json", {}).get("schema", {})
        reference = schema.get("$ref", "").rpartition("/")[2]
        found = self._document["components"]["schemas"].get(reference, {})
        return list(found.get("properties", ()))


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws values that fit a schema, now and then one that does not."""

    document: dict[str, Any]
    pools: Pools
    chance: random.Random

    def of_path(self, parameter: dict[str, Any], where: str) -> Any:
        """A value of a part of an address."""
        name, schema = parameter["name"], parameter["schema"]
        if "enum" in schema or name in self.pools:
            return self.of(schema, name)
        raise AssertionError(
            f"Nobody can say what {{{name}}} of {where} names. Add it to the pools of "
            "tests/leaking_asks.py, so that what is not the caller's is asked for too."
        )

    def of(self, schema: dict[str, Any], name: str = "") -> Any:  # noqa: PLR0911 -- one a shape
        """A value of a schema, for a field of this name."""
        if "$ref" in schema:
            part = schema["$ref"].rpartition("/")[2]
            return self.of(self.document["components"]["schemas"][part], name)
        if "properties" in schema:
            return self._object(schema)
        if choices := [each for each in _choices(schema) if each != {"type": "null"}]:
            return self.of(self.chance.choice(choices), name)
        if "const" in schema or "enum" in schema:
            return self.chance.choice(schema.get("enum", [schema.get("const")]))
        if name in self.pools and schema.get("type") not in {"object", "array"}:
            return self.pools[name]()
        match schema.get("type"):
            case "object":
                return {}
            case "array":
                most = min(schema.get("maxItems", 2), 2)
                least = schema.get("minItems", 0)
                count = max(least, self.chance.randint(0, most))
                return [self.of(schema.get("items", {}), name) for _ in range(count)]
            case "integer" | "number":
                least = int(schema.get("minimum", 0))
                return self.chance.randint(least, min(int(schema.get("maximum", 50)), least + 50))
            case "boolean":
                return self.chance.random() < 0.5
        return self._text(schema)

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        required = {*schema.get("required", ())}
        alternatives = [each["required"] for each in schema.get("oneOf", ())]
        others = {name for each in alternatives for name in each}
        required |= set(self.chance.choice(alternatives)) if alternatives else set()
        return {
            name: self.of(inner, name)
            for name, inner in schema["properties"].items()
            if name in required or (name not in others and self.chance.random() < _SOMETIMES)
        }

    def _text(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in {"date", "date-time"}:
            day = f"2026-{self.chance.randint(1, 12):02}-{self.chance.randint(1, 28):02}"
            return day if schema["format"] == "date" else f"{day}T12:00:00Z"
        wanted = schema.get("pattern", "")
        tried = ("fr", "en", "1", "village", "0a1b2c3d", "https://a.example/", "FR")
        fitting = [each for each in tried if re.search(wanted, each)]
        return str(self.chance.choice(fitting or [self.pools["query"]()]))


def spoilt(ask: Ask, chance: random.Random) -> Ask:
    """A request with one value that can't be used."""
    if ask.query and chance.random() < 0.6:
        place = chance.randrange(len(ask.query))
        changed = (ask.query[place][0], chance.choice(_WRONG))
        return replace(ask, query=(*ask.query[:place], changed, *ask.query[place + 1 :]))
    if ask.body and "json" in ask.headers.get("content-type", ""):
        value = json.loads(ask.body)
        if isinstance(value, dict) and value:
            value[chance.choice(list(value))] = chance.choice([*_WRONG, None, [], {"a": 1}])
            return replace(ask, body=json.dumps(value).encode())
        return replace(ask, body=ask.body[:-1])
    return replace(ask, query=(*ask.query, ("unknown", chance.choice(_WRONG))))


def pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """A parameter as it stands in an address, once for each of several values."""
    listed = value if isinstance(value, list) else [value]
    return [(name, str(each).lower() if isinstance(each, bool) else str(each)) for each in listed]


def header_value(value: Any) -> str:
    """A value as a header can hold it."""
    return str(value).encode("ascii", "ignore").decode() or "x"


def encoded(media_type: str, value: Any) -> tuple[str, bytes]:
    """A body of this media type."""
    if media_type == "application/json":
        return media_type, json.dumps(value).encode()
    assert media_type == "multipart/form-data", f"No body of {media_type} is known here."
    lines = []
    for name, each in (value if isinstance(value, dict) else {}).items():
        for part in each if isinstance(each, list) else [each]:
            file = '; filename="a.md"' if name == "file" else ""
            lines += ["--edge", f'Content-Disposition: form-data; name="{name}"{file}', "", part]
    return f"{media_type}; boundary=edge", "\r\n".join([*map(str, lines), "--edge--", ""]).encode()


def called(method: str, params: Mapping[str, Any]) -> Ask:
    """A request of MCP."""
    said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {**MCP_HEADERS, "content-type": "application/json"}
    told = str(params.get("name") or "")
    name = f"MCP {method} {told}".strip()
    return Ask(name, "POST", "/mcp", (), headers, json.dumps(said).encode())


class Everything:
    """One request of every operation of OpenAPI and of MCP, with values drawn from a base."""

    def __init__(
        self, interface: Interface, assistant: Assistant, shelf: Shelf, saved: Sequence[Saved]
    ) -> None:
        self.interface = interface
        self.assistant = assistant
        self.markers = shelf.markers
        self.nexts: list[str] = []  # cursors that somebody was given
        self._never = [shelf.markers.word() for _ in range(9)]
        self._shelf = shelf
        self._saved = saved

    def asks(self, seed: int, fixed: Pools) -> list[Ask]:
        """The same requests for the same seed, but for the values of the ``fixed`` pools."""
        chance = random.Random(seed)  # noqa: S311 -- nothing secret
        pools = {**self.pools(chance), **fixed}
        asks = [self.interface.ask(each, pools, chance) for each in self.interface.operations]
        return [*asks, *self.assistant.asks(pools, chance)]

    def filters(self, chance: random.Random) -> tuple[tuple[str, str], ...]:
        """Filters on calls, by values of what there is and of what never was."""
        pools = self.pools(chance)
        names = ("status", "programme", "theme", "action_type", "applicant", "country")
        chosen = chance.sample(names, chance.randint(0, 2))
        sort = [("sort", chance.choice(("budget", "newest")))] if chance.random() < 0.3 else []
        return (*((name, str(pools[name]())) for name in chosen), *sort)

    def words(self, chance: random.Random) -> str:
        """A question of words that stand everywhere, and of some that stand in one document."""
        contents = self._contents()
        spoken = chance.choice(contents).spoken if contents else ()
        return " ".join((*chance.sample(COMMON, 2), *spoken[: chance.randint(0, 3)]))

    def pools(self, chance: random.Random) -> Pools:
        """Values by the names of fields: what there is, whoever may see it, and what never was."""
        held, word = self._shelf.library.held, partial(chance.choice, self._never)

        def of_call(member: str) -> str:
            known = [getattr(each.call, member) for each in self._contents() if each.call]
            value = chance.choice([*known, word()])
            return str(value[0] if isinstance(value, tuple) else value)

        def document_id() -> str:
            return chance.choice([*held, f"{word()}-0a1b2c3d"])

        def identifier() -> str:
            return chance.choice([*self._shelf.calls, f"CALL-{word().upper()}-1"])

        numbers: Pools = dict.fromkeys(("number", "page"), lambda: chance.randint(1, 3))
        texts: Pools = dict.fromkeys(_TEXTS, lambda: self.words(chance))
        call_fields = {"theme": "themes", "programme": "programme", "action_type": "action_types"}
        return {
            **numbers,
            **texts,
            **{name: partial(of_call, member) for name, member in call_fields.items()},
            **{name: partial(chance.choice, values) for name, values in _OFFERED.items()},
            "document_id": document_id,
            "identifier": identifier,
            "version": lambda: chance.randint(1, 4),
            "secret": lambda: chance.choice([*(s.secret for s in self._saved), "oms_nothing"]),
            "issuer": lambda: f"Office {word()}",
            "cursor": lambda: chance.choice([*self.nexts, document_id(), "1"]),
        }

    def _contents(self) -> list[Content]:
        held = self._shelf.library.held.values()
        return [content for each in held for content in each.contents.values()]


class Assistant:
    """What MCP offers, as its own lists say; each thing is asked for by its schema."""

    def __init__(self, listed: Callable[[str], dict[str, Any]]) -> None:
        self.tools: list[dict[str, Any]] = listed("tools/list")["tools"]
        self.prompts: list[dict[str, Any]] = listed("prompts/list")["prompts"]
        templates = listed("resources/templates/list")["resourceTemplates"]
        self.templates = [str(each["uriTemplate"]) for each in templates]

    def asks(self, pools: Pools, chance: random.Random) -> list[Ask]:
        """One request of each kind, with values drawn for a caller."""
        cursor = {"cursor": pools["cursor"]()} if chance.random() < _SOMETIMES else {}
        return [
            called("tools/list", {}),
            called("resources/templates/list", {}),
            called("prompts/list", {}),
            called("resources/list", cursor),
            *(self.tool(tool, pools, chance) for tool in self.tools),
            *(self._prompt(prompt, pools) for prompt in self.prompts),
            *(self._read(template, pools, chance) for template in self.templates),
            *(self._completed(template, pools, chance) for template in self.templates),
        ]

    def tool(self, tool: dict[str, Any], pools: Pools, chance: random.Random, **fixed: Any) -> Ask:
        """A call of a tool; ``fixed`` are arguments."""
        schema = tool["inputSchema"]
        drawing = Drawing({"components": {"schemas": schema.get("$defs", {})}}, pools, chance)
        return called(
            "tools/call", {"name": tool["name"], "arguments": {**drawing.of(schema), **fixed}}
        )

    def _prompt(self, prompt: dict[str, Any], pools: Pools) -> Ask:
        arguments = {
            each["name"]: pools["query"]() for each in prompt["arguments"] if each["required"]
        }
        return called("prompts/get", {"name": prompt["name"], "arguments": arguments})

    def _read(self, template: str, pools: Pools, chance: random.Random) -> Ask:
        document_id, number = pools["document_id"](), pools["number"]()
        uris = {
            "evidence://documents/{document_id}": document_uri(document_id),
            "evidence://documents/{document_id}/pages/{number}": page_uri(document_id, number),
        }
        assert template in uris, f"Say in tests/leaking_asks.py how {template} is filled in."
        version = pools["version"]()
        query = f"?version={version}" if chance.random() < 0.5 else ""
        return called("resources/read", {"uri": uris[template] + query})

    def _completed(self, template: str, pools: Pools, chance: random.Random) -> Ask:
        begun = pools["document_id"]()[: chance.randint(0, 9)]
        argument = {"name": "document_id", "value": begun}
        reference = {"type": "ref/resource", "uri": template}
        return called("completion/complete", {"ref": reference, "argument": argument})


def decoded_cursor(text: str) -> str:
    """What a cursor says, where it is an encoded one."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode()
    except ValueError:
        return text


def _success(told: dict[str, Any]) -> dict[str, Any]:
    """What an operation gives where it succeeds, by media type."""
    success = next(s for status, s in told["responses"].items() if status.startswith("2"))
    content: dict[str, Any] = success.get("content", {})
    return content


def _choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or []
    return found or list(schema.get("allOf", ()))
