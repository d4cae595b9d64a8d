"""Digests by e-mail against a real mail server on this machine."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from mailbox_server import Inbox, free_port

from kb.calls.alerts import AlertsReport, Desk, Post, run_alerts
from kb.calls.finder import CallHit
from kb.calls.mail import SmtpMailer, SmtpServer
from kb.calls.matching import Shelf
from kb.calls.news import CallNews, NewsKind
from kb.calls.query import CallQuery
from kb.calls.searches import NewSearch, create
from kb.calls.status import status_at
from kb.model import Access, Call, CallStatus, Document, Kind, Metadata, Visibility
from kb.record.database import open_database
from kb.record.digests import DigestsRecord
from kb.record.searches import SearchesRecord, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from email.message import EmailMessage
    from pathlib import Path

    from kb.record.searches import SavedSearch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(days=5)
FAR = NOW + timedelta(days=90)
READER = "camille.ladder@example.org"
SENDER = "alertes@calls.example.org"
PUBLIC = "https://calls.example.org/kb"


@pytest.fixture
def inbox() -> Inbox:
    """What the server has accepted."""
    return Inbox()


@pytest.fixture
def serve(inbox: Inbox) -> Iterator[Callable[..., SmtpServer]]:
    """Starts mail servers that fill the inbox; keywords are aiosmtpd's."""
    yield inbox.serve
    inbox.close()


def _call(identifier: str = "LADDER-2026-01", **values: Any) -> Call:
    given: dict[str, Any] = {
        "identifier": identifier,
        "title": f"Ladders of {identifier}",
        "programme": "Programme for Ladders",
        "opens": NOW - timedelta(days=10),
        "deadlines": (FAR,),
        "url": f"https://portal.example.org/{identifier}",
        **values,
    }
    return Call(**given)


@dataclass
class Shop:
    """Calls with their news; it finds calls by status."""

    calls: dict[str, Call] = field(default_factory=dict)
    told: list[CallNews] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    asked: list[CallQuery] = field(default_factory=list)

    def put(self, call: Call, kind: NewsKind, *change: str | None) -> str:
        """Have a call with a piece of news."""
        document_id = call.identifier.lower()
        self.calls[document_id] = call
        name, before, after = (*change, None, None, None)[:3]
        number = len(self.told) + 1
        news = CallNews(number, document_id, call.identifier, call.title, NOW, kind)
        self.told.append(replace(news, field=name, before=before, after=after))
        return document_id

    def matches(self, asked: CallQuery, access: Access, now: datetime, most: int) -> list[CallHit]:
        """Find what somebody who follows a query is told of."""
        self.asked.append(asked)
        hits = []
        for key, document in self.of(0, list(self.calls), access).items():
            call = self.calls[key]
            status = status_at(call, now)
            deadline = call.deadlines[0].date()
            if asked.status and status.status not in asked.status:
                continue
            if asked.deadline_before and not asked.deadline_before >= deadline:
                continue
            hits.append(CallHit(document, call, status))
        return hits[:most]

    def news(
        self,
        generation: int,
        access: Access | None,
        *,
        after_id: int | None = None,
    ) -> list[CallNews]:
        """Read news."""
        shown = self.of(generation, list(self.calls), access or Access(()))
        return [
            each
            for each in self.told
            if each.document_id in shown and (each.id or 0) > (after_id or 0)
        ]

    def of(
        self, generation: int, document_ids: Sequence[str], access: Access
    ) -> dict[str, Document]:
        """Read calls."""
        del generation
        seen = Visibility.INTERNAL in access.visibilities
        return {
            key: _document(key, self.calls[key])
            for key in document_ids
            if seen or key not in self.hidden
        }


def _document(key: str, call: Call) -> Document:
    return Document(
        id=key,
        version=1,
        title=call.title,
        kind=Kind.CALL,
        visibility=Visibility.PUBLIC,
        language="en",
        metadata=Metadata(),
        source=key,
        paged=False,
        ingested=NOW,
        call=call,
    )


class World:
    """A shop, a record of saved searches and a mail server; ``run`` sends digests."""

    def __init__(self, folder: Path, server: SmtpServer) -> None:
        self.folder = folder
        self.engine = open_database(f"sqlite:///{folder / 'record.db'}")
        self.searches = SearchesRecord(self.engine)
        self.shop = Shop()
        self.post: Post | None = Post(SmtpMailer(server, SENDER, timeout=5), PUBLIC)
        self.now = NOW

    def follow(
        self,
        name: str = "Échelles",
        *,
        confirmed: bool = True,
        address: str = READER,
        **values: Any,
    ) -> SavedSearch:
        """Save a search with an address, as if its reader had confirmed."""
        query = CallQuery(
            **values.pop("query", {"status": (CallStatus.OPEN, CallStatus.CLOSING_SOON)})
        )
        new = NewSearch(name, query, address=address, **values)
        search, _ = create(self.searches, new, self.now, len(self.shop.told))
        if confirmed:
            token = f"confirm-{search.id}"
            expires = self.now + timedelta(days=7)
            self.searches.claim_question(search.id, Tokens(f"u-{search.id}", token), expires)
            self.searches.question_sent(search.id)
            assert self.searches.confirm(token, self.now)
        return search

    def run(self, *, dry: bool = False) -> AlertsReport:
        """Send digests, a minute later each time."""
        self.now += timedelta(minutes=1)
        desk = Desk(
            self.searches, DigestsRecord(self.engine), Shelf(self.shop, self.shop, generation=1)
        )
        return run_alerts(desk, self.now, None if dry else self.post)

    def states(self) -> list[str]:
        """Run, and tell what became of each digest."""
        return [outcome.state for outcome in self.run().digests]

    @property
    def stored(self) -> bytes:
        """Every byte of the database."""
        return b"".join(path.read_bytes() for path in self.folder.glob("record.db*"))


@pytest.fixture
def world(tmp_path: Path, serve: Callable[..., SmtpServer]) -> Iterator[World]:
    """A world with a mail server that takes everything."""
    made = World(tmp_path, serve())
    yield made
    made.engine.dispose()


def _texts(mail: EmailMessage) -> tuple[str, str]:
    parts = list(mail.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    plain, html = (part.get_content() for part in parts)
    return plain, html


def _unsubscribe(mail: EmailMessage) -> str:
    address = str(mail["List-Unsubscribe"])
    assert address.startswith(f"<{PUBLIC}/v1/unsubscribe/")
    return address.strip("<>").rpartition("/")[2]


def test_a_new_call_that_matches_is_told_once(world: World, inbox: Inbox) -> None:
    """The digest goes to the confirmed address, in two parts, and a second run sends nothing."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    report = world.run()
    assert [outcome.state for outcome in report.digests] == ["sent"]
    assert report.exit_code == 0
    [mail] = inbox.mails
    assert inbox.recipients == [READER]
    assert (mail["From"].addresses[0].addr_spec, mail["To"]) == (SENDER, READER)
    assert mail["Subject"] == "Échelles : 1 nouveau"
    for text in _texts(mail):
        assert "Ladders of LADDER-2026-01" in text
        assert "Programme for Ladders" in text
        assert "Nouvel appel" in text
        assert "2026-05-30 14:00 (heure de Bruxelles), dans 90 jours" in text
        assert "https://portal.example.org/LADDER-2026-01" in text
        assert f"{PUBLIC}/calls/LADDER-2026-01" in text
    again = world.run()
    assert (again.digests, again.quiet, len(inbox.mails)) == ((), 1, 1)


def test_a_digest_is_in_the_language_of_its_search(world: World, inbox: Inbox) -> None:
    """French or English, subject, words and both parts."""
    world.follow("Ladders", language="en")
    world.shop.put(_call(), NewsKind.NEW)
    world.run()
    [mail] = inbox.mails
    assert (mail["Subject"], mail["Content-Language"]) == ("Ladders: 1 new", "en")
    plain, html = _texts(mail)
    assert "Next deadline: 2026-05-30 14:00 (Brussels time), in 90 days" in plain
    assert '<html lang="en">' in html


def test_a_digest_can_be_unsubscribed_from_with_one_click(world: World, inbox: Inbox) -> None:
    """The headers are those of RFC 8058, whole on their lines, and the link erases the address."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    world.run()
    [mail], [raw] = inbox.mails, inbox.raw
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = _unsubscribe(mail)
    assert f"List-Unsubscribe: <{PUBLIC}/v1/unsubscribe/{token}>\r\n".encode() in raw
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert raw.isascii()
    assert READER.encode() in world.stored
    assert world.searches.erase_address_of(token)
    world.shop.put(_call("LADDER-2026-02"), NewsKind.NEW)
    assert world.run().digests == ()
    assert len(inbox.mails) == 1
    assert READER.encode() not in world.stored
    assert b"camille" not in world.stored


def test_what_changed_is_said_and_what_is_not_worth_a_mail_is_not(
    world: World, inbox: Inbox
) -> None:
    """A field is told from what to what; texts, titles and addresses alone send nothing."""
    world.follow()
    call = _call()
    world.shop.put(call, NewsKind.CHANGED, "text")
    world.shop.put(call, NewsKind.CHANGED, "title", "Ladder", call.title)
    world.shop.put(call, NewsKind.CHANGED, "status", "open", "closed")
    assert world.run().digests == ()
    world.shop.put(call, NewsKind.CHANGED, "deadlines", "2026-04-01 17:00", "2026-05-30 14:00")
    world.shop.put(call, NewsKind.CHANGED, "budget", None, "1500000")
    world.shop.put(call, NewsKind.CHANGED, "text")
    assert world.states() == ["sent"]
    [mail] = inbox.mails
    assert mail["Subject"] == "Échelles : 1 modifié"
    plain, html = _texts(mail)
    for text in (plain, html):
        assert "Date limite : 2026-04-01 17:00 → 2026-05-30 14:00" in text
        assert "Budget : non précisé → 1\u202f500\u202f000\u00a0€" in text
        assert "texte" not in text.lower()
    assert plain.count("Ladders of") == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (NewsKind.REOPENED, "Appel rouvert"),
        (NewsKind.CHANGED, "Statut à la source : à venir → ouvert"),
    ],
)
def test_a_call_that_opens_again_is_told(
    world: World, inbox: Inbox, kind: NewsKind, said: str
) -> None:
    """Reopened, or said by its source to have opened."""
    world.follow()
    change = ("status", "forthcoming", "open") if kind is NewsKind.CHANGED else ()
    world.shop.put(_call(), kind, *change)
    world.run()
    assert said in _texts(inbox.mails[0])[0]


@pytest.mark.parametrize("kind", [NewsKind.CLOSED, NewsKind.GONE])
def test_the_end_of_a_call_is_told_to_those_who_were_told_of_it(
    world: World, inbox: Inbox, kind: NewsKind
) -> None:
    """A closed call matches no search for open ones: only who was told of it hears of its end."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    world.run()
    world.follow("Other", address="other@example.org")
    closed = _call(deadlines=(NOW - timedelta(days=1),))
    world.shop.put(closed, kind)
    assert world.states() == ["sent"]
    assert inbox.recipients == [READER, READER]
    plain, _ = _texts(inbox.mails[1])
    assert ("Appel retiré" if kind is NewsKind.GONE else "Appel fermé par la source") in plain


def test_the_end_of_a_call_that_may_not_be_seen_any_more_is_not_told(
    world: World, inbox: Inbox
) -> None:
    """What was made internal since says nothing more to the public."""
    world.follow()
    document_id = world.shop.put(_call(), NewsKind.NEW)
    world.run()
    world.shop.hidden.add(document_id)
    world.shop.put(_call(deadlines=(NOW,)), NewsKind.CLOSED)
    assert world.run().digests == ()
    assert len(inbox.mails) == 1


def test_a_call_that_is_over_is_new_to_nobody_who_did_not_ask(world: World, inbox: Inbox) -> None:
    """A search without a status finds closed calls too; told are they if it asks for closed."""
    world.follow(query={})
    closed = world.follow("Fermés", query={"status": (CallStatus.CLOSED,)})
    world.shop.put(_call(deadlines=(NOW - timedelta(days=9),)), NewsKind.NEW)
    assert [outcome.search_id for outcome in world.run().digests] == [closed.id]
    assert len(inbox.mails) == 1


def test_a_deadline_within_seven_days_is_told_once_and_again_if_it_moves(
    world: World, inbox: Inbox
) -> None:
    """A reminder is about one deadline; that of a call that doesn't match is told to nobody."""
    world.follow()
    world.shop.calls["ladder"] = _call(deadlines=(NOW + timedelta(days=8),))
    assert world.run().digests == ()
    world.now = NOW + timedelta(days=2)
    assert world.states() == ["sent"]
    plain, _ = _texts(inbox.mails[0])
    assert inbox.mails[0]["Subject"] == "Échelles : 1 échéance"
    assert "Rappel : la date limite approche" in plain
    assert "dans 6 jours" in plain
    world.now = NOW + timedelta(days=4)
    assert world.run().digests == ()
    world.shop.calls["ladder"] = _call(deadlines=(NOW + timedelta(days=9),))
    assert world.states() == ["sent"]
    world.shop.calls["closed"] = _call(deadlines=(NOW + timedelta(days=9),), opens=FAR)
    assert world.run().digests == ()


def test_a_new_call_with_a_near_deadline_is_told_in_one_mail(world: World, inbox: Inbox) -> None:
    """Its reminder does not come as a second mail the next day."""
    world.follow()
    world.shop.put(_call(deadlines=(SOON,)), NewsKind.NEW)
    world.run()
    plain, _ = _texts(inbox.mails[0])
    assert "Nouvel appel" in plain
    assert "Rappel" in plain
    world.now += timedelta(days=1)
    assert world.run().digests == ()


def test_only_what_came_after_the_search_is_told(world: World) -> None:
    """Whoever begins to follow is not told of everything there ever was."""
    world.shop.put(_call(), NewsKind.NEW)
    world.follow()
    assert world.run().digests == ()


def test_addresses_that_are_not_confirmed_get_nothing_and_are_erased(
    world: World, inbox: Inbox
) -> None:
    """One question is sent; after seven days without an answer the address is gone."""
    world.follow(confirmed=False)
    world.shop.put(_call(), NewsKind.NEW)
    report = world.run()
    assert (report.asked, report.digests) == (1, ())
    [mail] = inbox.mails
    plain, html = _texts(mail)
    assert f"{PUBLIC}/v1/searches/confirm/" in plain
    assert f"{PUBLIC}/v1/searches/confirm/" in html
    _unsubscribe(mail)
    assert "chelles" not in f"{mail['Subject']}{plain}{html}"
    assert world.run().asked == 0
    world.now += timedelta(days=7)
    assert world.run(dry=True).erased == 1
    assert READER.encode() in world.stored
    assert world.run().erased == 1
    assert READER.encode() not in world.stored


def test_a_dry_run_sends_and_changes_nothing(world: World, inbox: Inbox) -> None:
    """It says what would be sent."""
    world.follow()
    world.follow(confirmed=False, address="other@example.org")
    world.shop.put(_call(), NewsKind.NEW)
    for _ in range(2):
        report = world.run(dry=True)
        assert [outcome.state for outcome in report.digests] == ["planned"]
        assert report.digests[0].subject == "Échelles : 1 nouveau"
    assert inbox.mails == []
    assert READER not in str(report.as_json())
    assert world.states() == ["sent"]


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("on_recipient", "550 <ADDRESS> is unknown"),
        ("on_recipient", "451 try later"),
        ("on_data", "554 no"),
        ("on_data", "452 full"),
    ],
)
def test_a_mail_that_was_refused_is_sent_by_the_next_run(
    world: World, inbox: Inbox, where: str, answer: str
) -> None:
    """For now or for good: nothing is lost, others get theirs, and the report holds no address."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    setattr(inbox, where, answer)
    report = world.run()
    assert [outcome.state for outcome in report.digests] == ["refused"]
    assert report.exit_code == 1
    assert answer[:3] in report.digests[0].reason
    assert READER not in str(report)
    setattr(inbox, where, "250 OK")
    assert world.states() == ["sent"]
    assert len(inbox.mails) == 1
    assert world.run().digests == ()


def test_a_server_that_is_away_ends_the_run_and_loses_nothing(world: World, inbox: Inbox) -> None:
    """One line says so; the next run sends everything."""
    world.follow("One")
    world.follow("Two", address="other@example.org")
    world.shop.put(_call(), NewsKind.NEW)
    away, world.post = (
        world.post,
        Post(SmtpMailer(SmtpServer("127.0.0.1", free_port(), "none"), SENDER, timeout=2), PUBLIC),
    )
    report = world.run()
    assert report.digests == ()
    assert len(report.trouble) == 1
    assert "KB_SMTP_URL" in report.trouble[0]
    assert report.exit_code == 1
    world.post = away
    assert world.states() == ["sent", "sent"]
    assert inbox.recipients == [READER, "other@example.org"]


def test_a_server_that_goes_before_the_mail_is_whole_has_not_taken_it(
    world: World, inbox: Inbox
) -> None:
    """The next run sends it."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    inbox.hang_up = "recipient"
    assert world.states() == ["refused"]
    inbox.hang_up = None
    assert world.states() == ["sent"]


def test_a_server_that_goes_after_the_mail_was_whole_leaves_a_doubt(
    world: World, inbox: Inbox
) -> None:
    """It may have arrived: it is said once and not sent twice."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    inbox.hang_up = "data"
    report = world.run()
    assert [outcome.state for outcome in report.digests] == ["doubtful"]
    assert report.exit_code == 1
    inbox.hang_up = None
    again = world.run()
    assert (again.digests, again.exit_code, len(inbox.mails)) == ((), 0, 1)


class _Crashing(SmtpMailer):
    """Sends, and is cut off before anybody can note it."""

    def send(self, message: EmailMessage, recipient: str) -> None:
        """Send."""
        super().send(message, recipient)
        raise KeyboardInterrupt


def test_a_run_that_is_cut_off_after_sending_sends_nothing_twice(
    world: World, inbox: Inbox
) -> None:
    """The next run says once that the digest may not have arrived, and tells what is newer."""
    search = world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    sound = world.post
    assert sound is not None
    server = sound.mailer._server  # type: ignore[attr-defined]  # noqa: SLF001 -- the same server
    world.post = Post(_Crashing(server, SENDER), PUBLIC)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert len(inbox.mails) == 1
    world.post = sound
    world.shop.put(_call("LADDER-2026-02"), NewsKind.NEW)
    assert [outcome.state for outcome in world.run(dry=True).digests] == ["doubtful", "planned"]
    report = world.run()
    assert [outcome.state for outcome in report.digests] == ["doubtful", "sent"]
    assert report.digests[0].search_id == search.id
    assert report.exit_code == 1
    plain, _ = _texts(inbox.mails[1])
    assert "LADDER-2026-02" in plain
    assert "LADDER-2026-01" not in plain
    assert (world.run().digests, world.run().exit_code) == ((), 0)


def test_the_same_digest_has_the_same_message_id(world: World, inbox: Inbox) -> None:
    """So that a mail program shows one that came twice once; others have others."""
    world.follow("One")
    world.follow("Two")
    world.shop.put(_call(), NewsKind.NEW)
    seen: list[str] = []

    class Noting(_Crashing):
        def send(self, message: EmailMessage, recipient: str) -> None:
            del recipient
            seen.append(message["Message-ID"])

    assert world.post is not None
    inbox.on_data = "451 later"
    world.run()
    noting = Noting(SmtpServer("localhost", 1, "none"), SENDER)
    world.post = Post(noting, PUBLIC)
    world.run()
    assert len(set(seen)) == 2
    assert all(
        found.startswith("<digest-") and found.endswith("@calls.example.org>") for found in seen
    )


def test_the_message_id_of_a_refused_digest_is_used_again(world: World) -> None:
    """What is sent again is the same mail."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    seen: list[str] = []

    class Refusing(SmtpMailer):
        def send(self, message: EmailMessage, recipient: str) -> None:
            seen.append(message["Message-ID"])
            super().send(message, recipient)

    world.post = Post(Refusing(SmtpServer("127.0.0.1", free_port(), "none"), SENDER), PUBLIC)
    world.run()
    world.run()
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_names_and_titles_add_no_header_and_no_markup(world: World, inbox: Inbox) -> None:
    """Line breaks and tags in them are text."""
    world.follow("Nom\r\nBcc: victim@example.org")
    evil = "Ladders\r\nBcc: victim@example.org\n\n<script>alert(1)</script> & more"
    call = _call("a/b?c\nd", title=evil, url="javascript:alert(1)", programme="<b>P</b>")
    world.shop.put(call, NewsKind.NEW)
    world.run()
    [mail] = inbox.mails
    assert mail["Bcc"] is None
    assert inbox.recipients == [READER]
    plain, html = _texts(mail)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;P&lt;/b&gt;" in html
    assert "javascript:" not in plain + html
    assert f"{PUBLIC}/calls/a%2Fb%3Fc%0Ad" in plain


def test_a_line_that_is_a_dot_does_not_end_a_mail(world: World, inbox: Inbox) -> None:
    """SMTP ends a mail with a dot: one in a mail is doubled on the way."""
    world.follow("Points")
    world.shop.put(_call(title="."), NewsKind.NEW)
    world.run()
    plain, html = _texts(inbox.mails[0])
    assert plain.splitlines()[2:4] == [".", "  - Programme : Programme for Ladders"]
    assert html.rstrip().endswith("</html>")


def test_a_mail_has_an_end_and_says_how_much_it_leaves_out(world: World, inbox: Inbox) -> None:
    """A hundred calls are shown; all of them count as told."""
    world.follow()
    for number in range(103):
        world.shop.put(_call(f"L-{number:03}"), NewsKind.NEW)
    world.run()
    plain, _ = _texts(inbox.mails[0])
    assert plain.count("Ladders of") == 100
    assert "3 autres appels" in plain
    assert inbox.mails[0]["Subject"] == "Échelles : 103 nouveaux"
    assert world.run().digests == ()


def test_equal_searches_are_looked_up_once(world: World) -> None:
    """Many people follow the same."""
    for number in range(5):
        world.follow(address=f"reader{number}@example.org")
    world.shop.put(_call(), NewsKind.NEW)
    assert world.states() == ["sent"] * 5
    assert len(world.shop.asked) == 1


def test_a_search_that_cannot_be_read_does_not_stop_the_others(world: World, inbox: Inbox) -> None:
    """A filter that a later version dropped is named in the report."""
    search = world.follow("Old")
    world.follow("Sound", address="other@example.org")
    with world.engine.begin() as connection:
        connection.exec_driver_sql(
            "update saved_searches set query = '{\"ladder\": 1}' where id = ?", (search.id,)
        )
    world.shop.put(_call(), NewsKind.NEW)
    report = world.run()
    assert [outcome.state for outcome in report.digests] == ["failed", "sent"]
    assert "ladder" in report.digests[0].reason
    assert report.exit_code == 1
    assert inbox.recipients == ["other@example.org"]


def test_an_address_is_asked_again_if_the_server_refused(world: World, inbox: Inbox) -> None:
    """The question waits for the next run and its first links are void."""
    world.follow(confirmed=False)
    inbox.on_data = "451 later"
    report = world.run()
    assert (report.asked, len(report.trouble), report.exit_code) == (0, 1, 1)
    assert READER not in str(report)
    inbox.on_data = "250 OK"
    assert world.run().asked == 1
    assert len(inbox.mails) == 1


@dataclass(frozen=True)
class Certificate:
    """A certificate of 127.0.0.1 that its own key signs."""

    file: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a server shows it with."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.file, self.key)
        return made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A fresh certificate."""
    folder = tmp_path_factory.mktemp("certificate")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.file)),
        ],
        check=True,
        capture_output=True,
    )
    return made


def _accepts(_server: object, _session: object, _envelope: object, _way: str, given: Any) -> Any:
    right = LoginPassword(b"kb", b"lent ladder")
    return AuthResult(success=given == right, handled=False)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_is_checked_before_a_password_is_given(
    world: World,
    serve: Callable[..., SmtpServer],
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
) -> None:
    """A server that nobody vouches for gets nothing; one that is trusted gets login and mail."""
    secure: dict[str, Any] = (
        {"ssl_context": certificate.context(), "auth_require_tls": False}
        if security == "tls"
        else {"tls_context": certificate.context(), "require_starttls": True}
    )
    server = serve(security, authenticator=_accepts, auth_required=True, **secure)
    server = replace(server, user="kb", password="lent ladder")  # noqa: S106 -- of this test
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    world.post = Post(SmtpMailer(server, SENDER, timeout=5), PUBLIC)
    assert "certificate verify failed" in world.run().trouble[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    wrong = replace(server, password="other")  # noqa: S106 -- as above
    world.post = Post(SmtpMailer(wrong, SENDER, timeout=5), PUBLIC)
    [said] = world.run().trouble
    assert "535" in said
    world.post = Post(SmtpMailer(server, SENDER, timeout=5), PUBLIC)
    assert world.states() == ["sent"]


def test_a_server_without_starttls_gets_no_mail(
    world: World, serve: Callable[..., SmtpServer], inbox: Inbox
) -> None:
    """A mail is never sent in the clear because somebody on the way took encryption out."""
    world.follow()
    world.shop.put(_call(), NewsKind.NEW)
    world.post = Post(SmtpMailer(serve("starttls"), SENDER, timeout=5), PUBLIC)
    assert "STARTTLS" in world.run().trouble[0]
    assert inbox.mails == []
