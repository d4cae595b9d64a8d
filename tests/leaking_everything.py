"""One request of everything there is: every operation, every page and all of MCP."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from leaking_asks import SOMETIMES, Ask, Drawing, Interface, Pools, called
from leaking_base import COMMON

from api.mcp.uris import document_uri, page_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from leaking import Saved
    from leaking_base import Content, Shelf
    from leaking_briefs import Briefs

# Ends the session of whoever asks: asked apart.
NEVER_DRAWN: Final = frozenset({"POST /logout"})
# The same value by another name.
_ALSO_CALLED: Final = {"identifier": "call", "address": "brief", "document_id": "after"}
_TEXTS: Final = (
    *("query", "q", "question", "description", "comment", "topic", "quote", "aims"),
    *("title", "text"),
)
_OFFERED: Final[Mapping[str, tuple[Any, ...]]] = {
    "status": ("open", "forthcoming", "closed", "rolling"),
    "applicant": ("association", "company"),
    "legal_form": ("association", "company"),
    "country": ("FR", "DE"),
    "language": ("fr", "en"),
    "kind": ("policy", "call", "note"),
    "year": (2025, 2026),
    "since": ("2025-06-01", "2026-01-10"),
    "until": ("2026-01-20", "2026-12-31"),
    "deadline_after": ("2026-03-01", "2026-04-10"),
    "deadline_before": ("2026-06-01", "2026-12-31"),
    "budget_min": (0, 9_710_000_000),
    "budget_max": (9_750_000_000, 9_900_000_000),
    "grant_min_eur": (0, 1000),
    "grant_max_eur": (50_000, 9_900_000_000),
    "partners_count": (0, 2),
    "revision": (1, 2, 3),
    "rate": ("", "50"),
    "expires": ("", "2027-01-01"),
    "collections": ("", "village"),
    "token": ("nothing",),
    "slug": ("not-found", "nothing"),
    "upload_id": ("0a1b2c3d", "0123456789abcdef"),
    "email": ("somebody@example.org",),
    "file": ("# Words",),
    "if-none-match": ("*", '"0a1b2c3d"'),
}


class Everything:
    """One request of every operation of OpenAPI and of MCP, with values drawn from a base."""

    def __init__(
        self,
        interface: Interface,
        assistant: Assistant,
        shelf: Shelf,
        saved: Sequence[Saved],
        briefs: Briefs,
    ) -> None:
        self.interface = interface
        self.assistant = assistant
        self.markers = shelf.markers
        self.nexts: list[str] = []  # cursors that somebody was given
        self.spare_keys: list[int] = []  # of nobody: they may end
        self._never = [shelf.markers.word() for _ in range(9)]
        self._shelf = shelf
        self._saved = saved
        self._briefs = briefs

    def asks(self, seed: int, fixed: Pools) -> list[Ask]:
        """The same requests for the same seed, but for the values of the ``fixed`` pools."""
        chance = random.Random(seed)  # noqa: S311 -- nothing secret
        also = {alias: fixed[name] for name, alias in _ALSO_CALLED.items() if name in fixed}
        pools = {**self.pools(chance), **fixed, **also}
        operations = (each for each in self.interface.operations if each.name not in NEVER_DRAWN)
        asks = [self.interface.ask(each, pools, chance) for each in operations]
        return [*asks, *self.assistant.asks(pools, chance)]

    def note_nexts(self, cursors: Sequence[str]) -> None:
        """Have the cursors that somebody was given asked for by anybody."""
        self.nexts = [*self.nexts, *cursors][-20:]

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
        choose, between = chance.choice, chance.randint

        def of_call(member: str) -> str:
            known = [getattr(each.call, member) for each in self._contents() if each.call]
            value = choose([*known, word()])
            return str(value[0] if isinstance(value, tuple) else value)

        def document_id() -> str:
            return choose([*held, f"{word()}-0a1b2c3d"])

        def identifier() -> str:
            return choose([*self._shelf.calls, f"CALL-{word().upper()}-1"])

        def issuer() -> str:
            stated = [each.stated["issuer"] for each in self._contents() if each.stated]
            return str(choose([*stated, f"Office {word()}"]))

        def address() -> str:
            return self._briefs.address(chance)

        def key_id() -> int:
            return choose([*self.spare_keys[-2:], 9999])

        def cited() -> str:
            cited = {"document_id": document_id(), "version": 1, "page": 1, "quote": word()}
            return json.dumps(cited)

        numbers: Pools = dict.fromkeys(("number", "page"), lambda: choose((1, 1, 2, 3)))
        texts: Pools = dict.fromkeys(_TEXTS, lambda: self.words(chance))
        call_fields = {"theme": "themes", "programme": "programme", "action_type": "action_types"}
        return {
            **numbers,
            **texts,
            **{name: partial(of_call, member) for name, member in call_fields.items()},
            **{name: partial(choose, values) for name, values in _OFFERED.items()},
            "document_id": document_id,
            **dict.fromkeys(("identifier", "call"), identifier),
            **dict.fromkeys(("address", "brief"), address),
            **dict.fromkeys(("key_id", "ended"), key_id),
            "version": lambda: between(1, 4),
            "secret": lambda: choose([*(s.secret for s in self._saved), "oms_nothing"]),
            "issuer": issuer,
            "cursor": lambda: choose([*self.nexts, document_id(), "1"]),
            "after": lambda: choose([*self.nexts, document_id(), ""]),
            "name": lambda: f"Name {word()}",
            "mark": lambda: f"{choose(('', '1.', '2.'))}{between(0, 30)}-{between(10, 60)}",
            "spans": lambda: f"{between(1, 2)}:{between(0, 9)}-{between(10, 30)}",
            "WantedSpan": lambda: {"page": between(1, 2), "start": 0, "end": between(5, 30)},
            "next": lambda: f"documents/{document_id()}",
            "cited": cited,
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
        cursor = {"cursor": pools["cursor"]()} if chance.random() < SOMETIMES else {}
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
        assert template in uris, f"Say in tests/leaking_everything.py how {template} is filled in."
        version = pools["version"]()
        query = f"?version={version}" if chance.random() < 0.5 else ""
        return called("resources/read", {"uri": uris[template] + query})

    def _completed(self, template: str, pools: Pools, chance: random.Random) -> Ask:
        begun = pools["document_id"]()[: chance.randint(0, 9)]
        argument = {"name": "document_id", "value": begun}
        reference = {"type": "ref/resource", "uri": template}
        return called("completion/complete", {"ref": reference, "argument": argument})
