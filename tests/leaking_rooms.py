"""What pages count and list must be: worked out from what may be seen, and read from their HTML."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from leaking import as_json
from leaking_asks import Ask
from leaking_counts import others_of_work
from lxml import html

from kb.calls.dates import BRUSSELS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

    from leaking import Caller, Service, Watch
    from leaking_base import Content, Seen

_CALLS: Final = "/calls/"
_QUESTION: Final = "Which losses does the guarantee cover?"
_MOST_BARS: Final = 60
_COUNT: Final = re.compile(r"\(([0-9,]+)\)\s*$")


class Rooms:
    """Compares what pages tell a caller with what there is for them."""

    def __init__(self, service: Service, watch: Watch, staff: Caller) -> None:
        self._service = service
        self._watch = watch
        self._staff = staff

    def check(self, caller: Caller, chance: random.Random) -> None:
        """Compare every page that counts or lists, for one caller."""
        seen = self._watch.library.seen_by(caller.access)
        counts = self._counts(seen)
        self._front(caller, seen, counts)
        self._export(caller)
        self._library(caller, seen, counts)
        self._titles(caller, seen, chance)
        current = sorted(seen.current)
        drawn = chance.sample(current, min(len(current), 2))
        translated = (k for k in current if others_of_work(k, self._watch.library.held))
        for document_id in dict.fromkeys((*drawn, *translated)):
            self._document(caller, seen, document_id)
        self._calls(caller, seen)
        self._months(caller, seen)
        self._brief(caller, seen)

    def _page(self, caller: Caller, path: str, *query: tuple[str, str], name: str = "") -> Any:
        ask = Ask(f"GET {name or path}", "GET", path, (*query, ("lang", "en")))
        response = self._service.send(ask, caller).response
        self._watch.look(ask, caller, response)
        assert response.status_code == 200, response.text
        return html.fromstring(response.text)

    def _same(self, what: str, found: object, expected: object) -> None:
        assert found == expected, f"{what}: {found} instead of {expected}"
        self._watch.counts.checks[f"pages: {what}"] += 1

    def _content(self, seen: Seen, document_id: str) -> Content:
        return self._watch.library.held[document_id].contents[seen.current[document_id]]

    def _counts(self, seen: Seen) -> dict[str, Counter[str]]:
        """Documents by what the library counts them by: as staff are told of each one."""
        ask = Ask("GET /v1/documents", "GET", "/v1/documents", (("limit", "100"),))
        listed = as_json(self._service.send(ask, self._staff).response)
        assert listed["next"] is None, "too many documents for one page"
        counts: dict[str, Counter[str]] = {}
        for document in listed["documents"]:
            if document["id"] in seen.current:
                themes = document["themes"]
                for field in ("kind", "language", "issuer"):
                    counts.setdefault(field, Counter()).update(filter(None, [document[field]]))
                counts.setdefault("theme", Counter()).update(themes)
        return counts

    def _front(self, caller: Caller, seen: Seen, counts: Mapping[str, Counter[str]]) -> None:
        """The number of documents, and of those that each filter leaves."""
        page = self._page(caller, "/")
        searched = _number(page, r"([0-9,]+) documents? (?:is|are) searched")
        self._same("documents searched", searched, len(seen.current))
        page = self._page(caller, "/", ("q", _QUESTION))
        if seen.current:
            self._same("documents read", _number(page, r"Reading ([0-9,]+) doc"), len(seen.current))
            for field in ("kind", "language", "issuer"):
                self._same(f"choices of {field}", _choices(page, field), dict(counts[field]))

    def _export(self, caller: Caller) -> None:
        """The file of an answer holds its quotes: none that was taken out for its reader."""
        query = (("q", _QUESTION), ("format", "markdown"), ("lang", "en"))
        ask = Ask("GET /export", "GET", "/export", query)
        response = self._service.send(ask, caller).response
        self._watch.look(ask, caller, response)
        assert response.status_code in {200, 404}, response.text
        self._same("quotes left out of an export", response.text.count("be shown here"), 0)

    def _library(self, caller: Caller, seen: Seen, counts: Mapping[str, Counter[str]]) -> None:
        """The charts, the number of documents, and every page of the list."""
        page = self._page(caller, "/documents", ("order", "title"))
        total = _number(page, r"([0-9,]+) documents? in all")
        self._same("documents in all", total, len(seen.current))
        for field in ("kind", "language", "issuer", "theme"):
            shown, expected = _bars(page, field), counts.get(field, Counter())
            of_shown = {value: expected[value] for value in shown}
            self._same(f"bars of {field}", shown, of_shown)
            self._same(f"number of bars of {field}", len(shown), min(len(expected), _MOST_BARS))
        listed: list[str] = []
        while True:
            listed += _listed(page)
            following = page.xpath("//a[@rel='next']/@href")
            if not following:
                break
            after = parse_qs(urlsplit(following[0]).query)["after"][0]
            page = self._page(caller, "/documents", ("order", "title"), ("after", after))
        self._same("documents listed", sorted(listed), sorted(seen.current))

    def _titles(self, caller: Caller, seen: Seen, chance: random.Random) -> None:
        """A word of a title finds those of it that may be seen, and counts no others."""
        held = chance.choice([*self._watch.library.held.values()])
        word = _in_title(chance.choice([*held.contents.values()]))
        page = self._page(caller, "/documents", ("q", word))
        expected = [each for each in seen.current if _in_title(self._content(seen, each)) == word]
        self._same("found by title", sorted(_listed(page)), sorted(expected))
        counted = page.xpath("string(//h2[@id='listed'])")
        self._same("counted by title", int(counted.split()[0]), len(expected))

    def _document(self, caller: Caller, seen: Seen, document_id: str) -> None:
        """Versions and translations that may be seen."""
        page = self._page(caller, f"/documents/{document_id}", name="/documents/{document_id}")
        rows = page.xpath("//section[@aria-labelledby='versions']//tbody/tr")
        own = [key for key in seen.versions if key[0] == document_id]
        self._same("rows of versions", len(rows), len(own) if len(own) > 1 else 0)
        links = page.xpath("//section[@aria-labelledby='translations']//a/@href")
        others = sorted(others_of_work(document_id, seen.current))
        self._same("translations", sorted(each.rpartition("/")[2] for each in links), others)

    def _calls(self, caller: Caller, seen: Seen) -> None:
        """The number of calls, the choices of each filter, and every page of the list."""
        calls = self._visible(seen)
        page = self._page(caller, "/calls", ("status", "any"))
        total = page.xpath("string(//h2[@id='found'])").split()[0]
        self._same("calls", int(total), len(calls))
        counted = {
            "programme": Counter(call.programme for call in calls),
            "theme": Counter(theme for call in calls for theme in call.themes),
            "applicant": Counter(str(each) for call in calls for each in call.applicants),
            "country": Counter(each for call in calls for each in call.countries),
        }
        for field, expected in counted.items():
            shown = _choices(page, field)
            # An association is a kind of NGO too, and so on.
            named = {v: n for v, n in shown.items() if field != "applicant" or v in expected}
            self._same(f"choices of {field} of calls", named, dict(expected))
        statuses = _choices(page, "status")
        self._same("calls of any status", statuses["any"], len(calls))
        listed: list[str] = []
        while True:
            links = page.xpath("//article[@class='call']//a/@href")
            listed += [each.rpartition("/")[2] for each in links if _CALLS in each]
            following = page.xpath("//a[@rel='next']/@href")
            if not following:
                break
            asked = parse_qs(urlsplit(following[0]).query)
            page = self._page(caller, "/calls", ("status", "any"), ("after", asked["after"][0]))
        expected_ids = {call.identifier for call in calls}
        self._same("calls listed", set(listed) & expected_ids, expected_ids)

    def _months(self, caller: Caller, seen: Seen) -> None:
        """The deadlines of a month."""
        for month in ("2026-04", "2026-06"):
            query = (("status", "any"), ("view", "calendar"), ("month", month))
            page = self._page(caller, "/calls", *query)
            days = (
                each.astimezone(BRUSSELS).date()
                for call in self._visible(seen)
                for each in call.deadlines
            )
            expected = sum(f"{day:%Y-%m}" == month for day in days)
            shown = _number(page, r"([0-9,]+) deadlines?\b")
            self._same("deadlines of a month", shown, expected)

    def _brief(self, caller: Caller, seen: Seen) -> None:
        """A quote of what may not be seen is one that can't be shown."""
        kept = self._watch.briefs.made()
        named = [(each.document_id, each.version) for each in kept.references]
        quoted = [each for each in named if each in seen.versions]
        for address in kept.addresses:
            at, name = f"/briefs/{address}", "/briefs/{address}"
            page = self._page(caller, at, ("view", "read"), name=name)
            shown = page.xpath("//div[@class='quote']/blockquote")
            self._same("quotes of a brief", len(shown), len(quoted))
            gaps = page.text_content().count("A quote can't be shown here")
            self._same("quotes that can't be shown", gaps, len(kept.references) - len(quoted))

    def _visible(self, seen: Seen) -> list[Any]:
        contents = (self._content(seen, document_id) for document_id in seen.current)
        return [content.call for content in contents if content.call is not None]


def _in_title(content: Content) -> str:
    """A word that the title of a content has, and of no other."""
    return content.spoken[2 if content.call is None else 0]


def _number(page: Any, pattern: str) -> int:
    """A number that a page tells in words; 0 where it doesn't."""
    found = re.search(pattern, page.text_content())
    return int(found.group(1).replace(",", "")) if found else 0


def _choices(page: Any, field: str) -> dict[str, int]:
    """The values of a select with the numbers beside them."""
    found: dict[str, int] = {}
    for option in page.xpath(f"//select[@name='{field}']/option"):
        if counted := _COUNT.search(option.text_content()):
            found[option.get("value")] = int(counted.group(1).replace(",", ""))
    return found


def _bars(page: Any, field: str) -> dict[str, int]:
    """The bars of a chart by their values."""
    found: dict[str, int] = {}
    for bar in page.xpath("//a[@class='bar']"):
        asked = parse_qs(urlsplit(bar.get("href")).query)
        if field in asked:
            count = bar.xpath("string(.//span[@class='count']/text())")
            found[asked[field][0]] = int(count.replace(",", ""))
    return found


def _listed(page: Any) -> list[str]:
    links: Iterable[str] = page.xpath("//ol[contains(@class, 'documents')]//h3/a/@href")
    return [each.rpartition("/")[2] for each in links]
