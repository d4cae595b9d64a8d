"""``kb pull aides-territoires``: the aids for associations, page by page, with a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from ingest.calls.pulls.fetch import Ask
from ingest.calls.pulls.lists import kept_rows, rows_of
from ingest.calls.pulls.portal_api import unknown_shape
from kb.errors import SourceError, UsageError

if TYPE_CHECKING:
    from ingest.calls.pulls.fetch import Answer, Fetcher
    from ingest.calls.pulls.kept import KeptPage, KeptPages

PAGE_SIZE = 100
AUDIENCE = "association"
# The token that the API gives lasts for a day; a pull that goes on later needs another.
_NOT_KNOWN = 401


class AidesTerritoires:
    """Asks the API of Aides-territoires; the token stays out of addresses and messages."""

    def __init__(self, fetcher: Fetcher, base: str, token: str) -> None:
        if not token:
            raise UsageError(
                "Aides-territoires asks for a token: make one in your account there (“Mes "
                "informations”, API) and set KB_AIDES_TERRITOIRES_TOKEN."
            )
        self._fetcher, self._base, self._token = fetcher, base.rstrip("/"), token
        self._bearer = ""
        fetcher.hide(token)

    def first(self, size: int = PAGE_SIZE) -> str:
        """Where the list of aids for associations begins."""
        query: dict[str, str | int] = {"itemsPerPage": size, "targeted_audiences": AUDIENCE}
        return str(httpx.URL(f"{self._base}/aids/").copy_merge_params(query))

    def page(self, address: str) -> dict[str, Any]:
        """The page at an address, as it was answered.

        Raises:
            SourceError: It can't be had, or the token is refused.
        """
        if not self._bearer:
            self._connect()
        answer = self._ask(address, also=frozenset({_NOT_KNOWN}))
        if answer.status == _NOT_KNOWN:
            self._connect()
            answer = self._ask(address)
        found = answer.json()
        if not isinstance(found, dict):
            raise unknown_shape(address.partition("?")[0], "the answer", "an object", found)
        return found

    def keep(self, address: str, pages: KeptPages) -> KeptPage:
        """Fetch the page at an address, check its shape, and keep it.

        Raises:
            SourceError: As above, or the shape is not the known one, or the next page is said to
                lie on another host.
        """
        found = self.page(address)
        where = address.partition("?")[0]
        total, rows = rows_of(found, where, "count")
        after = found.get("next")
        if after is not None and not isinstance(after, str):
            raise unknown_shape(where, "next", "an address", after)
        following = self._following(after) if after else None
        return pages.keep(address, total, kept_rows(rows, "slug", "id", "url"), following)

    def _ask(self, address: str, also: frozenset[int] = frozenset()) -> Answer:
        bearer = {"Authorization": f"Bearer {self._bearer}"}
        return self._fetcher.answer(Ask(address, headers=bearer, also=also))

    def _connect(self) -> None:
        """Exchange the account's token for one that opens the list."""
        url = f"{self._base}/connexion/"
        answer = self._fetcher.answer(Ask(url, "POST", headers={"X-AUTH-TOKEN": self._token}))
        found = answer.json()
        bearer = found.get("token") if isinstance(found, dict) else None
        if not isinstance(bearer, str) or not bearer.isascii() or not bearer.isprintable():
            raise unknown_shape(url, "token", "a text", None if bearer is None else bearer)
        self._bearer = bearer
        self._fetcher.hide(bearer)

    def _following(self, after: str) -> str:
        """The address of the next page, on the same host and never less safe than this one."""
        base = httpx.URL(self._base)
        try:
            there = httpx.URL(f"{self._base}/aids/").join(after)
        except httpx.InvalidURL:
            raise unknown_shape(f"{self._base}/aids/", "next", "an address", after) from None
        if there.host != base.host:
            raise SourceError(
                f"{self._base}/aids/ says that its next page lies on {there.host}, another host: "
                "not followed. Nothing was taken in."
            )
        # Behind its proxy the service believes that it is asked without TLS, and says so.
        return str(there.copy_with(scheme=base.scheme, port=base.port))
