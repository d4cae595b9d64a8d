"""Saved searches: what is kept of them, who can be asked, and what a mail server may be."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kb.calls.mail import mail_address, make_mailer, one_line, public_address, smtp_server
from kb.calls.query import CallQuery
from kb.calls.searches import NewSearch, create, named, resolve, revoke
from kb.errors import NotFoundError, UsageError
from kb.model import Access, CallStatus, Visibility
from kb.record.database import open_database
from kb.record.digests import DigestsRecord, Parcel
from kb.record.searches import SearchesRecord, Tokens
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUERY = CallQuery(query="climat", status=(CallStatus.OPEN,), country=("FR",))
ADDRESS = "camille.ladder@example.org"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty system of record."""
    opened = open_database(f"sqlite:///{tmp_path / 'record.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def record(engine: Engine) -> SearchesRecord:
    """Its saved searches."""
    return SearchesRecord(engine)


def _made(record: SearchesRecord, name: str = "Climat", **values: Any) -> tuple[int, str]:
    search, secret = create(record, NewSearch(name, QUERY, **values), NOW, 7)
    return search.id, secret


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("record.db*"))


def test_a_search_is_found_by_its_secret_as_it_was_made(record: SearchesRecord) -> None:
    """Name, query, language and what it may show come back; it follows what comes after it."""
    new = NewSearch("Climat", QUERY, "en", Visibility.COALITION)
    _, secret = create(record, new, NOW, 7)
    found = resolve(record, secret, NOW)
    assert found is not None
    assert (found.name, found.language, found.created, found.told_until) == ("Climat", "en", NOW, 7)
    assert CallQuery.from_values(found.query) == QUERY
    assert found.access == Access((Visibility.PUBLIC, Visibility.COALITION))


def test_a_secret_is_long_recognisable_and_nowhere_in_the_database(
    record: SearchesRecord, tmp_path: Path
) -> None:
    """256 random bits after ``oms_``; whoever reads the database can open no feed with it."""
    secrets = {_made(record)[1] for _ in range(5)}
    assert len(secrets) == 5
    assert all(re.fullmatch(r"oms_[\w-]{43}", secret) for secret in secrets)
    kept = _bytes(tmp_path)
    assert not [secret for secret in secrets if secret.encode() in kept]
    hashes = [search for search in record.listed() if resolve(record, f"oms_{search.id}", NOW)]
    assert hashes == []


@pytest.mark.parametrize("wrong", ["", "oms_", "oms_' or 1=1 --", "é" * 300])
def test_what_is_no_secret_finds_nothing(record: SearchesRecord, wrong: str) -> None:
    """Neither an empty one nor the hash of a true one."""
    _made(record)
    assert resolve(record, wrong, NOW) is None
    assert revoke(record, wrong, NOW) is False


def test_a_revoked_secret_stops_working_at_once(record: SearchesRecord) -> None:
    """A search that is deleted is gone with all that belongs to it; others stay."""
    _, kept = _made(record, "Kept")
    _, secret = _made(record, address=ADDRESS)
    assert revoke(record, secret, NOW)
    assert resolve(record, secret, NOW) is None
    assert not revoke(record, secret, NOW)
    assert resolve(record, kept, NOW) is not None
    assert [search.name for search in record.listed()] == ["Kept"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": " \n "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"language": "de"}, "language"),
        ({"address": "camille"}, "e-mail"),
        ({"address": "a@example.org, b@example.org"}, "e-mail"),
        ({"address": "a@example.org\nBcc: b@example.org"}, "e-mail"),
    ],
)
def test_what_cannot_be_used_is_named(
    record: SearchesRecord, values: dict[str, Any], said: str
) -> None:
    """Nothing is kept of a search that is refused."""
    with pytest.raises(UsageError, match=said):
        create(record, NewSearch(**{"name": "Climat", "query": QUERY, **values}), NOW, 0)
    assert record.listed() == []


def test_a_name_is_kept_on_one_line(record: SearchesRecord) -> None:
    """A line break in a name can't become a header of a mail."""
    _made(record, "Climat\r\nBcc: somebody@example.org")
    assert [search.name for search in record.listed()] == ["Climat Bcc: somebody@example.org"]


def test_so_many_searches_are_kept_and_no_more(record: SearchesRecord) -> None:
    """The limit is told; who may save more than others still can; deleting one makes room."""
    first, _ = _made(record)
    _made(record)
    new = NewSearch("Climat", QUERY)
    with pytest.raises(UsageError, match="No more than 2 searches"):
        create(record, new, NOW, 7, 2)
    create(record, new, NOW, 7, 3)
    record.delete(first)
    with pytest.raises(UsageError, match="No more than 2 searches"):
        create(record, new, NOW, 7, 2)
    create(record, new, NOW, 7, 3)
    assert len(record.listed()) == 3


def test_a_search_is_named_by_name_or_number(record: SearchesRecord) -> None:
    """Two of one name are told apart by their numbers."""
    first, _ = _made(record, "Climat")
    second, _ = _made(record, "Climat")
    third, _ = _made(record, "Culture")
    assert named(record, "Culture").id == named(record, str(third)).id == third
    with pytest.raises(UsageError, match=f"{first}, {second}"):
        named(record, "Climat")
    with pytest.raises(NotFoundError, match="Sport"):
        named(record, "Sport")


def test_an_address_is_asked_three_times_a_day_and_its_spellings_count_as_one(
    record: SearchesRecord,
) -> None:
    """A fourth time its search is saved like the others, and the address is not kept at all."""
    spellings = (ADDRESS, "Camille.Ladder@Example.org", "camille.ladder+x@example.org", ADDRESS)
    ids = [_made(record, address=address)[0] for address in spellings]
    assert [search.id for search in record.waiting(NOW)] == ids[:3]
    _made(record, address="other@example.org")
    assert len(record.waiting(NOW)) == 4
    tomorrow = NOW + timedelta(days=1, seconds=1)
    search, _ = create(record, NewSearch("Later", QUERY, address=ADDRESS), tomorrow, 0)
    assert search.id in {waiting.id for waiting in record.waiting(NOW)}


def test_the_count_of_an_address_does_not_hold_it(record: SearchesRecord, engine: Engine) -> None:
    """What is counted is a keyed hash, and another base's key gives another one."""
    _made(record, address=ADDRESS)
    with engine.connect() as connection:
        rows = connection.execute(text("select * from given_addresses")).all()
    assert len(rows) == 1
    assert "ladder" not in str(rows)


def test_an_address_is_confirmed_by_its_token_until_that_expires(record: SearchesRecord) -> None:
    """Confirming twice is confirming once; another purpose's token confirms nothing."""
    search_id, _ = _made(record, address=ADDRESS)
    expires = NOW + timedelta(days=7)
    assert record.claim_question(search_id, Tokens("u" * 43, "c" * 43), expires) == ADDRESS
    assert record.claim_question(search_id, Tokens("v" * 43, "d" * 43), expires) is None
    record.question_sent(search_id)
    assert not record.confirm("u" * 43, NOW)
    assert not record.confirm("c" * 43, expires)
    assert record.asked_for("c" * 43, NOW) is not None
    assert record.listed()[0].mail == "asked"
    assert record.confirm("c" * 43, NOW)
    assert record.confirm("c" * 43, NOW)
    record.question_sent(search_id)
    record.release_question(search_id)
    assert record.listed()[0].mail == "confirmed"


def test_an_erased_address_is_in_no_byte_of_the_database(
    record: SearchesRecord, tmp_path: Path
) -> None:
    """Also where many were kept beside it; those stay."""
    for number in range(60):
        search_id, _ = _made(record, address=f"ladder{number:03}@example.org")
        record.claim_question(search_id, Tokens(f"u{number}", f"c{number}"), NOW)
    assert _bytes(tmp_path).count(b"@example.org") >= 60
    for number in range(0, 60, 2):
        assert record.erase_address_of(f"u{number}")
    kept = _bytes(tmp_path)
    assert not [number for number in range(0, 60, 2) if b"ladder%03d" % number in kept]
    assert not [number for number in range(1, 60, 2) if b"ladder%03d" % number not in kept]
    assert not record.erase_address_of("u0")
    assert record.forget_old(NOW, NOW) == 30
    assert b"@example.org" not in _bytes(tmp_path)
    assert len(record.listed()) == 60


def test_old_addresses_are_forgotten_but_not_confirmed_ones(record: SearchesRecord) -> None:
    """Seven days after an address was given nobody is going to confirm it."""
    confirmed, _ = _made(record, address=ADDRESS)
    record.claim_question(confirmed, Tokens("u", "c"), NOW + timedelta(days=7))
    record.confirm("c", NOW)
    _made(record, address="other@example.org")
    assert record.forget_old(NOW - timedelta(seconds=1), NOW) == 0
    assert record.count_old(NOW) == 1
    assert record.forget_old(NOW, NOW) == 1
    assert [search.mail for search in record.listed()] == ["confirmed", None]


def test_the_same_thing_is_claimed_once(record: SearchesRecord, engine: Engine) -> None:
    """Of two runs that want to tell the same, one gets nothing; a claim taken back is free."""
    search_id, _ = _made(record, address=ADDRESS)
    digests = DigestsRecord(engine)
    first = Parcel(search_id, {"news:1": "a", "news:2": "b"}, 2, "<1@x>", "t1")
    second = Parcel(search_id, {"news:2": "b", "news:3": "c"}, 3, "<2@x>", "t2")
    claim = digests.claim(first, NOW)
    assert claim is not None
    assert claim.address == ADDRESS
    assert digests.claim(second, NOW) is None
    assert digests.told(search_id) == {"news:1": "a", "news:2": "b"}
    digests.release(claim, first)
    assert digests.told(search_id) == {}
    again = digests.claim(second, NOW)
    assert again is not None
    digests.sent(again, second)
    assert digests.interrupted() == {}
    assert record.listed()[0].told_until == 3


def test_nothing_is_claimed_for_an_address_that_is_gone(
    record: SearchesRecord, engine: Engine
) -> None:
    """Whoever unsubscribes while a run is on gets nothing more."""
    search_id, _ = _made(record, address=ADDRESS)
    record.erase_address(search_id)
    digests = DigestsRecord(engine)
    assert digests.claim(Parcel(search_id, {"news:1": "a"}, 1, "<1@x>", "t"), NOW) is None
    assert digests.told(search_id) == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 587, "starttls", "", "")),
        ("smtps://mail.example.org", ("mail.example.org", 465, "tls", "", "")),
        (
            "smtp://u%40x:p%2Fw@mail.example.org:25",
            ("mail.example.org", 25, "starttls", "u@x", "p/w"),
        ),
        ("smtp://localhost:1025?tls=none", ("localhost", 1025, "none", "", "")),
    ],
)
def test_a_mail_server_is_read_from_its_address(
    url: str, expected: tuple[str, int, str, str, str]
) -> None:
    """Mails are encrypted unless the server is this machine."""
    server = smtp_server(url)
    assert (server.host, server.port, server.security, server.user, server.password) == expected
    assert expected[-1] == "" or expected[-1] not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://u:lent-ladder@mail.example.org:port",
        "smtp://u:lent-ladder@mail.example.org?tls=none",
        "smtp://u:lent-ladder@mail.example.org?tls=maybe",
        "smtps://u:lent-ladder@localhost?tls=none",
        "smtp://u:lent-ladder/x@mail.example.org",
    ],
)
def test_a_bad_mail_server_is_refused_without_its_password(url: str) -> None:
    """The message names the setting and not what may be secret."""
    with pytest.raises(UsageError, match="KB_SMTP_URL") as caught:
        smtp_server(url)
    assert "lent-ladder" not in str(caught.value)


def test_mails_need_a_server_a_sender_and_a_public_address(tmp_path: Path) -> None:
    """Without a server nothing is sent; with one, what is missing is named."""
    given: dict[str, Any] = {"home": tmp_path}
    assert make_mailer(Settings(**given)) is None
    given |= {"smtp_url": "smtp://localhost:1025?tls=none"}
    with pytest.raises(UsageError, match="KB_PUBLIC_URL"):
        make_mailer(Settings(**given))
    given |= {"public_url": "https://calls.example.org/"}
    with pytest.raises(UsageError, match="KB_MAIL_FROM"):
        make_mailer(Settings(**given))
    made = make_mailer(Settings(**given, mail_from="alertes@example.org"))
    assert made is not None
    assert made.sender == "alertes@example.org"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "calls.example.org",
        "http://calls.example.org",
        "https://",
        "https://x.org/?a=1",
        "ftp://x",
    ],
)
def test_links_in_mails_begin_with_a_secure_address(url: str) -> None:
    """One-click unsubscribing needs https (RFC 8058)."""
    with pytest.raises(UsageError, match="KB_PUBLIC_URL"):
        public_address(url)
    assert public_address("https://calls.example.org/kb/") == "https://calls.example.org/kb"
    assert public_address("http://localhost:8000") == "http://localhost:8000"


def test_an_address_is_kept_as_it_is_written_to() -> None:
    """A domain with accents is written in ASCII, as every mail server takes it."""
    assert mail_address("zoé".replace("é", "e") + "@école.example.com").startswith("zoe@xn--")


def test_one_line_holds_no_control_characters() -> None:
    """Line breaks of every kind become spaces."""
    assert one_line("a\r\nb\u2028c\x00d \x85e\u202ef") == "a b c d e f"


def test_erasing_waits_for_no_reader(record: SearchesRecord, engine: Engine) -> None:
    """Whoever unsubscribes while somebody reads has the page soon; later the log is cleared."""
    search_id, _ = _made(record, address=ADDRESS)
    with engine.connect() as reader:
        reader.exec_driver_sql("begin")
        reader.execute(text("select * from search_addresses")).all()
        started = time.perf_counter()
        assert record.erase_address(search_id)
        assert time.perf_counter() - started < 3
        reader.rollback()
    record.forget_old(NOW, NOW)
    kept = b"".join(path.read_bytes() for path in Path(engine.url.database or "").parent.iterdir())
    assert ADDRESS.encode() not in kept
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == 10000


def test_an_address_that_cannot_be_kept_is_not_in_the_error(tmp_path: Path) -> None:
    """What fails in the database is logged without the values that were to be kept."""
    engine = open_database(f"sqlite:///{tmp_path / 'record.db'}")
    with pytest.raises(IntegrityError) as caught:
        SearchesRecord(engine).give_address(99, "camille@ladder.example", NOW, 5)
    assert "camille" not in str(caught.value)
    engine.dispose()
