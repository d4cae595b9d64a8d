"""On whose behalf a request is answered, what it leaves in the trail, and where it can lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.mcp.uris import DOCUMENTS

if TYPE_CHECKING:
    from kb.audited import Audit
    from kb.model import Access

# What addresses in the JSON of every door begin with when they lead into this service.
_OURS = "/v1/documents/"


@dataclass(frozen=True, slots=True)
class Asking:
    """A request with its trail, and the address of the HTTP service as its caller reaches it.

    There may be no such address, where the server is a process on the caller's machine.
    """

    audit: Audit
    address: str | None = None

    @property
    def access(self) -> Access:
        """What the caller may see."""
        return self.audit.caller.access

    def reachable(self, shape: Any) -> Any:
        """The same JSON with addresses that lead somewhere from outside the service.

        Those into this service become whole, or name a resource where there is no HTTP service.
        """
        if isinstance(shape, list):
            return [self.reachable(each) for each in shape]
        if not isinstance(shape, dict):
            return shape
        made = {name: self.reachable(value) for name, value in shape.items()}
        url = made.get("url")
        if isinstance(url, str) and url.startswith(_OURS):
            base = DOCUMENTS if self.address is None else f"{self.address}{_OURS}"
            made["url"] = base + url.removeprefix(_OURS)
        return made
