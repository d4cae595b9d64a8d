"""Requests of operations and pages, by their schemas.

A value is drawn by its schema, or by its name from what a caller may and may not see. What is new
is asked by its schema, and fails the test where its address needs a value that nobody can draw.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from leaking_pages import FORM, HTML

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from kb.model import Access

# Gives the values that a field of this name may have, for one caller.
Pools = dict[str, "Callable[[], Any]"]

# What is kept of these shows in what is answered next, or their answer holds a new secret.
WRITES: Final = frozenset(
    {
        "POST /v1/searches",
        "DELETE /v1/searches/{secret}",
        "POST /v1/feedback",
        "POST /v1/documents",
        "POST /feedback",
        "POST /briefs",
        "POST /briefs/add",
        "POST /briefs/{address}",
        "POST /calls/follow",
        "POST /searches/{secret}/delete",
    }
)
# Says how much a calendar program, which has no key, is told.
_OF_WHAT_IS_PUBLIC: Final = frozenset({"GET /calls/follow", "POST /calls/follow"})
# What would end what others still need: asked apart.
ENDS: Final = frozenset({"DELETE /v1/searches/{secret}", "POST /searches/{secret}/delete"})
MCP_HEADERS: Final = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
SOMETIMES: Final = 0.2
_MOSTLY: Final = 0.7
# How many parameters a request states that needs none.
_STATED: Final = 1.5
_WRONG: Final = ("", "-1", "0", "x", "99999999999", "null", "é", "a" * 2001)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the OpenAPI document; ``reach`` is whom it answers.

    ``fields`` are the members of its response, ``gives`` the media types that it may have. A page
    is for people: it is no part of the document.
    """

    method: str
    path: str
    reach: str
    parameters: tuple[dict[str, Any], ...] = ()
    media_type: str = ""
    body: Any = None
    fields: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    is_page: bool = False

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

    def __init__(self, document: dict[str, Any]) -> None:
        self._document: dict[str, Any] = json.loads(json.dumps(document))
        self.operations = tuple(self._operations())

    def operation(self, method: str, path: str) -> Operation:
        """The operation at an address."""
        named = (method.upper(), path)
        return next(each for each in self.operations if (each.method, each.path) == named)

    def ask(self, operation: Operation, pools: Pools, chance: random.Random, **fixed: Any) -> Ask:
        """A request of an operation; ``fixed`` are values of parameters or body by name."""
        often = _MOSTLY if operation.media_type == FORM else SOMETIMES
        drawing = Drawing(self._document, pools, chance, often)
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
        if operation.is_page:
            headers |= _of_browser(path, pools, chance)
        elif len(operation.gives) > 1:
            headers["accept"] = chance.choice(operation.gives)
        body = b""
        if operation.media_type:
            value = drawing.of(operation.body, "body")
            if isinstance(value, dict):
                value |= {name: each for name, each in fixed.items() if name not in named}
            headers["content-type"], body = encoded(operation.media_type, value)
        return Ask(operation.name, operation.method, path, tuple(query), headers, body, named)

    def stated(self, operation: Operation) -> set[str]:
        """The names of all that a request of an operation may say."""
        names = {str(parameter["name"]) for parameter in operation.parameters}
        body = operation.body or {}
        if "$ref" in body:
            body = self._document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        return names | set(body.get("properties", ()))

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
            "x-page" in told,
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
    often: float = SOMETIMES  # that what may be left out is stated

    def of_path(self, parameter: dict[str, Any], where: str) -> Any:
        """A value of a part of an address."""
        name, schema = parameter["name"], parameter["schema"]
        if "enum" in schema or name in self.pools:
            return self.of(schema, name)
        raise AssertionError(
            f"Nobody can say what {{{name}}} of {where} names. Add it to the pools of "
            "tests/leaking_everything.py, so that what is not the caller's is asked for too."
        )

    def of(self, schema: dict[str, Any], name: str = "") -> Any:  # noqa: PLR0911 -- one a shape
        """A value of a schema, for a field of this name."""
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2], name)
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

    def _named(self, part: str, name: str) -> Any:
        if part in self.pools:
            return self.pools[part]()
        return self.of(self.document["components"]["schemas"][part], name)

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        required = {*schema.get("required", ())}
        alternatives = [each["required"] for each in schema.get("oneOf", ())]
        others = {name for each in alternatives for name in each}
        required |= set(self.chance.choice(alternatives)) if alternatives else set()
        return {
            name: self.of(inner, name)
            for name, inner in schema["properties"].items()
            if name in required or (name not in others and self.chance.random() < self.often)
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
    if ask.body and ask.headers.get("content-type") == FORM:
        fields = parse_qsl(ask.body.decode(), keep_blank_values=True)
        place = chance.randrange(len(fields))
        fields[place] = (fields[place][0], chance.choice(_WRONG))
        return replace(ask, body=urlencode(fields).encode())
    return replace(ask, query=(*ask.query, ("unknown", chance.choice(_WRONG))))


def tells_what_is_public(ask: Ask, access: Access) -> bool:
    """Whether an answer tells of public documents also those who see but a collection of them."""
    return ask.name in _OF_WHAT_IS_PUBLIC and access.collections is not None


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
    if media_type == FORM:
        return media_type, urlencode(value, doseq=True).encode()
    assert media_type == "multipart/form-data", f"No body of {media_type} is known here."
    lines = []
    for name, each in (value if isinstance(value, dict) else {}).items():
        for part in each if isinstance(each, list) else [each]:
            file = '; filename="a.md"' if name == "file" else ""
            lines += ["--edge", f'Content-Disposition: form-data; name="{name}"{file}', "", part]
    return f"{media_type}; boundary=edge", "\r\n".join([*map(str, lines), "--edge--", ""]).encode()


def _of_browser(path: str, pools: Pools, chance: random.Random) -> dict[str, str]:
    """What a browser says: that it shows pages, and which brief it adds to."""
    headers = {"accept": HTML} if chance.random() < _MOSTLY else {}
    if path.startswith("/briefs") and chance.random() < _MOSTLY:
        headers["cookie"] = f"kb_brief={pools['address']()}"
    return headers


def called(method: str, params: Mapping[str, Any]) -> Ask:
    """A request of MCP."""
    said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {**MCP_HEADERS, "content-type": "application/json"}
    told = str(params.get("name") or "")
    name = f"MCP {method} {told}".strip()
    return Ask(name, "POST", "/mcp", (), headers, json.dumps(said).encode())


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
