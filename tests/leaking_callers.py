"""Those who ask: keys of every kind, sessions and saved searches, and the end of each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from leaking import ANYBODY, SEES, Caller, Saved, as_json
from leaking_asks import Ask, called
from leaking_markers import found_in

from kb.keys import KeyRole, NewKey
from kb.model import Access

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from leaking import Service, Watch
    from leaking_markers import Markers

# What each key is narrowed to, by the place of a collection; null is no limit.
KINDS: Final[Mapping[str, tuple[KeyRole, tuple[int, ...] | None]]] = {
    "partner": (KeyRole.PARTNER, None),
    "staff": (KeyRole.STAFF, None),
    "partner of a collection": (KeyRole.PARTNER, (0,)),
    "partner of two collections": (KeyRole.PARTNER, (0, 1)),
    "staff of a collection": (KeyRole.STAFF, (1,)),
    "staff of no collection": (KeyRole.STAFF, ()),
}
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
JSON: Final = {"content-type": "application/json"}


class Callers:
    """Everybody who asks one base, through two processes that serve it."""

    def __init__(
        self,
        services: Sequence[Service],
        watch: Watch,
        markers: Markers,
        collections: Sequence[str],
    ) -> None:
        self._services = services
        self._watch = watch
        self._markers = markers
        self._collections = collections
        self._kb = services[0].kb
        self.anonymous = Caller("anonymous")
        self.all = [self.anonymous]
        self._expiring: dict[str, datetime] = {}
        for kind in KINDS:
            self.with_key(kind)
        self.staff = next(each for each in self.all if each.is_whole_staff)

    def any(self, chance: random.Random) -> Caller:
        """Somebody whose key is good, or who has none."""
        return chance.choice([each for each in self.all if not each.refused])

    def with_key(self, kind: str, expires: datetime | None = None) -> Caller:
        """Somebody with a new key."""
        role, places = KINDS[kind]
        within = None if places is None else tuple(self._collections[place] for place in places)
        named = self._markers.word()
        self._watch.secret.add(named)
        _, text = self._kb.keys.create(NewKey(named, role, within, expires), self._kb.clock())
        own = frozenset((named, *(within or ())))
        headers = _sent(text, apart=len(self.all) % 2 == 0)
        caller = Caller(kind, role, Access(SEES[role], within), headers, own=own, key=named)
        self.all.append(caller)
        return caller

    def sign_in(self, by: Caller, chance: random.Random) -> None:
        """A browser in which somebody signs in with their key."""
        key = by.headers.get("x-api-key") or by.headers["authorization"].removeprefix("Bearer ")
        ask = Ask("POST /login", "POST", "/login", (), FORM, f"key={key}".encode())
        response = chance.choice(self._services).send(ask, self.anonymous).response
        assert response.status_code == 303, response.text
        cookie = response.headers["set-cookie"].partition(";")[0]
        caller = replace(by, name=f"{by.name}, signed in", headers={"cookie": cookie})
        session = Ask("GET /v1/session", "GET", "/v1/session")
        told = as_json(chance.choice(self._services).send(session, caller).response)
        assert told["role"] == (by.role or "anonymous")
        caller.headers["x-csrf-token"] = told["csrf_token"]
        self.all.append(caller)

    def sign_out(self, chance: random.Random) -> None:
        """A session ends: its cookie is worth nothing in any process."""
        signed_in = [each for each in self.all if "cookie" in each.headers and each.key]
        if not signed_in:
            return
        caller = chance.choice(signed_in)
        ask = Ask("POST /logout", "POST", "/logout", (), FORM)
        assert self._services[0].send(ask, caller).response.status_code == 303
        self._nothing_works([caller], [])
        self._turn_anonymous(caller)

    def save_search(self, by: Caller, query: Mapping[str, Any]) -> None:
        """A search that somebody saves, with the feeds of it."""
        named = self._markers.word()
        body = json.dumps({"name": named, "query": query, "language": "fr"}).encode()
        ask = Ask("POST /v1/searches", "POST", "/v1/searches", (), JSON, body)
        answered = self._services[0].send(ask, by)
        self._watch.look(ask, by, answered.response)
        secret = as_json(answered.response)["secret"]
        self._watch.secret.add(named)
        own = frozenset((named, *found_in(ask.said)))
        self._watch.saved.append(Saved(secret, by.key, by.access, own))

    def delete_search(self, chance: random.Random) -> None:
        """A search ends: its address is one that never was."""
        if not self._watch.saved:
            return
        saved = self._watch.saved.pop(chance.randrange(len(self._watch.saved)))
        named = {"secret": saved.secret}
        ask = chance.choice(
            (
                Ask(
                    "DELETE /v1/searches/{secret}",
                    "DELETE",
                    f"/v1/searches/{saved.secret}",
                    named=named,
                ),
                Ask(
                    "POST /searches/{secret}/delete",
                    "POST",
                    f"/searches/{saved.secret}/delete",
                    named=named,
                ),
            )
        )
        status = chance.choice(self._services).send(ask, self.anonymous).response.status_code
        assert status in {204, 303}, f"a search can't be deleted: {status}"
        self._watch.ended.append(saved.secret)
        self._nothing_works([], [saved])

    def revoke(self, chance: random.Random) -> None:
        """A key ends, and with it its sessions and searches, in every process."""
        with_keys = {each.key for each in self.all if each.key and not each.refused}
        name = chance.choice(sorted(with_keys - {self.staff.key}))
        self._kb.keys.revoke(name, self._kb.clock())
        self._end(name)

    def rotate(self, chance: random.Random) -> None:
        """A key gets another text: the old one ends, and searches go on with the name."""
        caller = chance.choice([each for each in self.all if each.brings_key and not each.refused])
        if caller is self.staff:
            return
        old = replace(caller, headers=dict(caller.headers), refused=True, access=ANYBODY)
        _, text = self._kb.keys.rotate(caller.key, self._kb.clock())
        caller.headers = _sent(text, apart="x-api-key" in caller.headers)
        self.all.append(old)
        mine = (each for each in self.all if each.key == caller.key)
        sessions = [each for each in mine if "cookie" in each.headers]
        self._nothing_works([old, *sessions], [])
        for each in sessions:
            self._turn_anonymous(each)

    def let_expire(self, kind: str, chance: random.Random) -> datetime:
        """A key with a session and a search that is to end at the moment returned."""
        expires = self._kb.clock() + timedelta(minutes=1)
        caller = self.with_key(kind, expires)
        self.save_search(caller, {})
        self.sign_in(caller, chance)
        self._expiring[caller.key] = expires
        return expires

    def expire(self) -> None:
        """Keys whose day has come have ended."""
        for name, expires in list(self._expiring.items()):
            if expires <= self._kb.clock():
                del self._expiring[name]
                if any(each.key == name and not each.refused for each in self.all):
                    self._end(name)

    def _end(self, name: str) -> None:
        ended = [each for each in self.all if each.key == name and not each.refused]
        searches = [each for each in self._watch.saved if each.key == name]
        for saved in searches:
            self._watch.saved.remove(saved)
            self._watch.ended.append(saved.secret)
        self._nothing_works(ended, searches)
        for each in ended:
            if "cookie" in each.headers:
                self._turn_anonymous(each)
            else:
                each.refused, each.access = True, ANYBODY

    def _turn_anonymous(self, caller: Caller) -> None:
        """A cookie that has ended is none."""
        caller.name = f"{caller.name} once"
        caller.role, caller.access, caller.own = None, ANYBODY, frozenset()
        caller.key = ""

    def _nothing_works(self, ended: Sequence[Caller], searches: Sequence[Saved]) -> None:
        """Neither key, session nor search opens anything, in any process."""
        for service in self._services:
            for caller in ended:
                self._opens_nothing(service, caller)
            for saved in searches:
                for path in (
                    f"/v1/feeds/{saved.secret}/calls.ics",
                    f"/v1/feeds/{saved.secret}/calls.atom",
                    f"/searches/{saved.secret}",
                ):
                    ask = Ask("GET of a search that has ended", "GET", path)
                    status = service.send(ask, self.anonymous).response.status_code
                    assert status == 404, f"a search of a key that has ended: {status}"
                path = f"/v1/searches/{saved.secret}"
                ask = Ask("DELETE /v1/searches/{secret}", "DELETE", path)
                assert service.send(ask, self.anonymous).response.status_code == 404
                self._watch.counts.checks["a search that has ended"] += 1

    def _opens_nothing(self, service: Service, caller: Caller) -> None:
        asks = (
            Ask("GET /v1/session", "GET", "/v1/session"),
            Ask("GET /v1/documents", "GET", "/v1/documents"),
            Ask("GET /v1/calls", "GET", "/v1/calls"),
            Ask("GET /v1/audit", "GET", "/v1/audit"),
            Ask("GET /metrics", "GET", "/metrics"),
            Ask("GET /documents", "GET", "/documents"),
            Ask("GET /staff", "GET", "/staff"),
            called("resources/list", {}),
        )
        for ask in asks:
            found, expected = service.send(ask, caller), service.send(ask, self.anonymous)
            told = f"{ask.name} as {caller.name}, whose key has ended"
            if "cookie" in caller.headers:
                assert found.as_seen({}) == expected.as_seen({}), f"{told}: {found.as_seen({})}"
            else:
                assert found.response.status_code == 401, f"{told}: {found.response.text[:400]}"
            self._watch.counts.checks["a key or session that has ended"] += 1


def _sent(text: str, *, apart: bool) -> dict[str, str]:
    """A key in one of the two headers that take it."""
    return {"x-api-key": text} if apart else {"authorization": f"Bearer {text}"}
