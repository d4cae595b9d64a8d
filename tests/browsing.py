"""What browser tests share: visitors, who notice every error and every foreign request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pytest
from fakes import TickingClock
from serving import served

from api.app import create_app
from ingest.run import ingest
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    from kb.bootstrap import KnowledgeBase

CHROMIUM = Path("/usr/bin/chromium")
CORPUS = Path(__file__).parents[1] / "corpus"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
# WCAG 2.2 at A and AA, and what axe advises beside it.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visitor:
    """Somebody with a browser of their own; use as a context manager.

    ``complaints`` are errors of scripts and violations of the policy; leaving checks that there are
    none, and that nobody but the service was asked for anything.
    """

    def __init__(self, browser: Browser, service: str, **options: Any) -> None:
        options = {"locale": "fr-FR", "viewport": DESKTOP, **options}
        self._context = browser.new_context(base_url=service, **options)
        self._service = service
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._context.on("request", self._noted)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> Self:
        """Begin the visit."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """End it; where the test has not failed already, all must have been well."""
        self._context.close()
        if kind is None:
            assert self.complaints == [], self.complaints
            foreign = {each for each in self.asked if urlsplit(each)[:2] != self._origin}
            assert foreign == set(), foreign

    def faults(self) -> list[str]:
        """What axe finds wrong with the page that is open, each with where it is."""
        from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 -- browser tests alone need it

        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
        return [
            f"{each['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        measured: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return measured

    @property
    def _origin(self) -> tuple[str, str]:
        parts = urlsplit(self._service)
        return parts.scheme, parts.netloc

    def _noted(self, request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https", "ws"}:
            self.asked.append(request.url)

    def _heard(self, message: ConsoleMessage) -> None:
        # A page of an error is one on purpose, and the browser says so.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@dataclass(frozen=True, slots=True)
class Demo:
    """The service of the demo: its base, its address, and a key of each role."""

    kb: KnowledgeBase
    address: str
    staff: str
    partner: str


# Of a module, not of the session: while Playwright is there, no other loop can run in its thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which talks to nobody by itself."""
    if not CHROMIUM.exists():
        pytest.skip(f"browser tests are left out: {CHROMIUM} is absent; apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- as above

    quiet = ["background-networking", "component-update", "sync"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
            + [f"--disable-{name}" for name in quiet],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The starter corpus and its calls, read with the default encoder, and served."""
    del browser  # without one the documents need not be read
    values: dict[str, Any] = {
        "home": tmp_path_factory.mktemp("demo"),
        "workers": 2,
        "rate_anonymous": 100_000,
        "rate_key": 100_000,
    }
    kb = open_knowledge_base(Settings(**values), clock=TickingClock())
    report = ingest(kb, [CORPUS / "starter", CORPUS / "calls"])
    assert report.exit_code == 0, report.as_json()
    now = kb.clock()
    _, staff = kb.keys.create(NewKey("Équipe", KeyRole.STAFF), now)
    _, partner = kb.keys.create(NewKey("Réseau", KeyRole.PARTNER), now)
    with served(create_app(kb)) as address:
        yield Demo(kb, address, staff, partner)
    kb.close()
