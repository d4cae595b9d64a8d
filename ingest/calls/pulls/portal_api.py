"""How the search of the EU portal is asked, in windows that it can list, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ingest.calls.pulls.fetch import MISSING, OK, UNCHANGED, Answer, Ask, read_json
from kb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from ingest.calls.pulls.fetch import Fetcher, Files

# Grants, calls of external action, and calls by which projects pass money on; 0 are tenders.
TYPES = ("1", "2", "8")
FORTHCOMING, OPEN, CLOSED = "31094501", "31094502", "31094503"
PAGE_SIZE = 100
# A query is not answered beyond these rows, so that a longer list has to be asked for in parts.
MOST_ROWS = 10_000
LIVE = "SEDIA"  # the other values of DATASOURCE are a stale index and answered questions
_EARLIEST_YEAR, _YEARS_AHEAD = 2013, 3
_LARGEST_DETAILS = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the portal's list: rows of these types, statuses, programmes, years of opening.

    ``without`` are the programmes that the rows must not be of. ``since`` asks for a deadline on
    that day or later.
    """

    types: tuple[str, ...] = TYPES
    statuses: tuple[str, ...] = (FORTHCOMING, OPEN)
    programmes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    year: int | None = None
    since: date | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The window as a query; conditions other than these are refused by the portal."""
        must: list[dict[str, Any]] = [
            {"terms": {"type": list(self.types)}},
            {"terms": {"status": list(self.statuses)}},
        ]
        if self.programmes:
            must.append({"terms": {"frameworkProgramme": list(self.programmes)}})
        if self.year is not None:
            first, last = f"{self.year}-01-01T00:00:00.000+0000", f"{self.year}-12-31T23:59:59.999"
            must.append({"range": {"startDate": {"gte": first, "lte": f"{last}+0000"}}})
        if self.since is not None:
            # In any other form a date matches every row, without a word.
            day = f"{self.since.isoformat()}T00:00:00.000+0000"
            must.append({"range": {"deadlineDate": {"gte": day}}})
        bounds: dict[str, Any] = {"must": must}
        if self.without:
            bounds["must_not"] = [{"terms": {"frameworkProgramme": list(self.without)}}]
        return {"bool": bounds}

    @property
    def name(self) -> str:
        """The window in words, for messages."""
        told = [f"types {', '.join(self.types)}", f"statuses {', '.join(self.statuses)}"]
        told += [f"programme {', '.join(self.programmes)}"] if self.programmes else []
        told += ["no known programme"] if self.without else []
        told += [f"opening in {self.year}"] if self.year is not None else []
        return "; ".join(told)

    def parts(self, programmes: Sequence[str], this_year: int) -> tuple[Window, ...]:
        """Smaller windows that hold the same rows; none where it can't be divided further.

        By status and by type first, of which every row has one; by programme then, with a window
        for rows that have none of ``programmes``; at last by the year of opening.
        """
        if len(self.statuses) > 1:
            return tuple(replace(self, statuses=(status,)) for status in self.statuses)
        if len(self.types) > 1:
            return tuple(replace(self, types=(type_,)) for type_ in self.types)
        codes = self.programmes or tuple(programmes)
        if len(self.programmes) != 1 and not self.without and codes:
            parts = tuple(replace(self, programmes=(code,)) for code in codes)
            return parts if self.programmes else (*parts, replace(self, without=codes))
        if self.year is None:
            years = range(_EARLIEST_YEAR, this_year + _YEARS_AHEAD + 1)
            return tuple(replace(self, year=year) for year in years)
        return ()


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of a list, checked: how many rows the whole list has, and the rows of the page."""

    total: int
    rows: tuple[dict[str, Any], ...]


class PortalApi:
    """Asks the portal; answers of a shape that is not known are errors that name the field."""

    def __init__(self, fetcher: Fetcher, api: str, data: str) -> None:
        self._fetcher = fetcher
        self._api, self._data = api.rstrip("/"), data.rstrip("/")

    def search(
        self, window: Window, number: int, language: str, size: int = PAGE_SIZE
    ) -> dict[str, Any]:
        """One page (1-based) of a window's list, as it was answered.

        Raises:
            SourceError: The portal can't be reached, refuses, or answers no JSON object.
        """
        params: dict[str, str | int] = {"apiKey": LIVE, "text": "***"}
        params |= {"pageSize": size, "pageNumber": number}
        return self._post("search", params, window, language)

    def page(self, window: Window, number: int, language: str) -> ListPage:
        """One page, with its shape checked.

        Raises:
            SourceError: As above, or the shape is not the known one.
        """
        return checked_page(self.search(window, number, language), f"{self._api}/search", number)

    def facets(self, window: Window, language: str) -> dict[str, Any]:
        """The values that the fields of a window's rows have.

        Raises:
            SourceError: As above.
        """
        return self._post("facet", {"apiKey": LIVE, "text": "***"}, window, language)

    def details_url(self, identifier: str) -> str:
        """Where the details of a topic lie; the file is named in lower case."""
        return f"{self._data}/topicDetails/{quote(identifier.lower(), safe='')}.json"

    def details(self, identifier: str, conditions: Mapping[str, str] | None = None) -> Answer:
        """The details of a topic: status 200, 304 where ``conditions`` still hold, or 404.

        Raises:
            SourceError: As above.
        """
        url = self.details_url(identifier)
        also = frozenset({MISSING, UNCHANGED} if conditions else {MISSING})
        answer = self._fetcher.answer(
            Ask(url, headers=conditions or {}, also=also, largest=_LARGEST_DETAILS)
        )
        if answer.status == OK:
            topic_of(answer.content, url)
        return answer

    def _post(
        self, name: str, params: dict[str, str | int], window: Window, language: str
    ) -> dict[str, Any]:
        url = f"{self._api}/{name}"
        parts = {
            "query": window.query,
            "languages": [language],
            "sort": {"field": "startDate", "order": "ASC"},
        }
        # Files, not fields: as plain fields the portal answers 500, in the address it ignores them.
        files: Files = {
            part: (f"{part}.json", json.dumps(value).encode(), "application/json")
            for part, value in parts.items()
        }
        found = self._fetcher.answer(Ask(url, "POST", params=params, files=files)).json()
        if not isinstance(found, dict):
            raise unknown_shape(url, "the answer", "an object", found)
        return found


def checked_page(answer: dict[str, Any], url: str, number: int = 1) -> ListPage:
    """Check the shape of a page of rows, as far as everything else depends on it.

    Raises:
        SourceError: A field is missing or something else than it was; the message names it.
    """
    total, rows = answer.get("totalResults"), answer.get("results")
    where = f"{url} (page {number})"
    if not isinstance(total, int) or isinstance(total, bool):
        raise unknown_shape(where, "totalResults", "a number", total)
    if not isinstance(rows, list):
        raise unknown_shape(where, "results", "a list", rows)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise unknown_shape(where, f"results[{index}]", "an object", row)
        metadata = row.get("metadata")
        if not isinstance(metadata, dict):
            raise unknown_shape(where, f"results[{index}].metadata", "an object", metadata)
        for field, value in metadata.items():
            if not isinstance(value, list):
                raise unknown_shape(where, f"results[{index}].metadata.{field}", "a list", value)
    return ListPage(total, tuple(rows))


def topic_of(content: bytes, url: str) -> dict[str, Any]:
    """The details of a topic out of its file.

    Raises:
        SourceError: The file holds something else.
    """
    found = read_json(content, url)
    topic = found.get("TopicDetails") if isinstance(found, dict) else None
    if not isinstance(topic, dict):
        raise unknown_shape(url, "TopicDetails", "an object", topic)
    return topic


def unknown_shape(where: str, field: str, wanted: str, found: Any) -> SourceError:
    """The error that says which field has another shape than the one that is known."""
    said = "missing" if found is None else f"{_KINDS.get(type(found), 'something else')}"
    return SourceError(
        f"{where} answered in a shape that is not known: {field} is {said}, not {wanted}. Nothing "
        "was taken in; --check compares the source with what is known of it."
    )


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
}
