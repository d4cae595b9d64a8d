"""``kb pull ile-de-france``: the region's calls from its open data, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from ingest.calls.pulls.fetch import Ask
from ingest.calls.pulls.lists import kept_rows, rows_of
from ingest.calls.pulls.portal_api import unknown_shape

if TYPE_CHECKING:
    from ingest.calls.pulls.fetch import Fetcher
    from ingest.calls.pulls.kept import KeptPage, KeptPages

PAGE_SIZE = 100
# Pages end here; a longer list is exported as a whole.
MOST_ROWS = 10_000
_LARGEST_EXPORT = 512 * 1024 * 1024


class IleDeFrance:
    """Asks the Explore API (2.1) for the records of one dataset."""

    def __init__(self, fetcher: Fetcher, base: str) -> None:
        self._fetcher, self._base = fetcher, base.rstrip("/")

    def at(self, offset: int, size: int = PAGE_SIZE) -> str:
        """Where the page lies that begins at an offset."""
        query = {"limit": size, "offset": offset}
        return str(httpx.URL(f"{self._base}/records").copy_merge_params(query))

    def page(self, address: str) -> Any:
        """The page at an address, as it was answered.

        Raises:
            SourceError: It can't be had.
        """
        return self._fetcher.answer(Ask(address)).json()

    def keep(self, address: str, pages: KeptPages) -> KeptPage:
        """Fetch the page at an address, check its shape, and keep it.

        Raises:
            SourceError: As above, or the shape is not the known one.
        """
        where = f"{self._base}/records"
        total, rows = rows_of(self.page(address), where, "total_count")
        if total > MOST_ROWS:
            return self._export(address, pages)
        reached = int(httpx.URL(address).params.get("offset", "0")) + len(rows)
        after = self.at(reached) if rows and reached < total else None
        return pages.keep(
            address, total, kept_rows(rows, "id_aide", "reference_administrative"), after
        )

    def _export(self, address: str, pages: KeptPages) -> KeptPage:
        url = f"{self._base}/exports/json"
        rows = self._fetcher.answer(Ask(url, largest=_LARGEST_EXPORT)).json()
        if not isinstance(rows, list):
            raise unknown_shape(url, "the answer", "a list", rows)
        found = {"total_count": len(rows), "results": rows}
        total, rows = rows_of(found, url, "total_count")
        return pages.keep(address, total, kept_rows(rows, "id_aide", "reference_administrative"))
