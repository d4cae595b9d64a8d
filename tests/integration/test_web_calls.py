"""The pages of calls: found, narrowed, paged, in a calendar, shown in full, matched, followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from calls_making import CHECKED, brussels, made, record, take
from fakes import HashingEncoder, TickingClock
from lxml import html
from mailbox_server import Inbox
from starlette.testclient import TestClient

from api.app import create_app
from api.web import calls as pages
from kb.bootstrap import open_knowledge_base
from kb.keys import KeyRole, NewKey
from kb.model import Applicant, DeadlineModel, Link, Visibility
from kb.record.audit import Chosen
from kb.record.searches import SearchesRecord
from kb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

RIVERS, SOON, LATER = "HORIZON-CL6/2026:01", "LIFE-2026-SOON", "CERV-2026-LATER"
OVER, STANDING, SILENT = "LIFE-2025-OVER", "aides:échelles", "SILENT-1"
HIDDEN = "HIDDEN-2026"
PUBLIC = "https://calls.example.org"
COMING = {RIVERS, SOON, LATER, STANDING}
PUBLIC = "https://calls.example.org"
ALL = {*COMING, OVER, SILENT}
WHO = "Associations established in France may apply for rivers."
SHARE = "The grant covers at most 30 % of the eligible costs."
NASTY = '<img src=x onerror="alert(1)"> Citizens & ladders'
BEGAN = brussels("2026-01-15", "00:00")


def _calls() -> list[Any]:
    """One call of each status; two of them with sentences that state conditions."""
    return [
        record(
            made(
                RIVERS,
                title="Rivers and their people",
                programme="Horizon Europe",
                action_types=("HORIZON Research and Innovation Actions",),
                opens=BEGAN,
                deadlines=(brussels("2026-07-15"), brussels("2026-11-15")),
                deadline_model=DeadlineModel.TWO_STAGE,
                grant_min=1_000_000,
                grant_max=2_000_000,
                countries=("EU",),
                themes=("OCEAN",),
                url="https://portal.example/rivers",
                links=(Link("Apply", "javascript:alert(1)"), Link("Updates", "https://p.example/")),
            ),
            "Rivers are cleaned by the people who live beside them.",
            f"{WHO} {SHARE}",
            status="open",
        ),
        made(SOON, programme="LIFE", opens=BEGAN, deadlines=(brussels("2026-03-20"),), budget=100),
        made(
            LATER,
            title=NASTY,
            programme="CERV",
            opens=brussels("2026-05-01", "00:00"),
            deadlines=(brussels("2026-09-01"), brussels("2026-12-01")),
            deadline_model=DeadlineModel.CUT_OFFS,
            applicants=(Applicant.PUBLIC,),
            countries=("BE",),
        ),
        made(OVER, programme="LIFE", opens=BEGAN, deadlines=(brussels("2026-02-01"),)),
        record(
            made(STANDING, title="Prêter des échelles", rolling=True, countries=("FR",)),
            "La région prête des échelles aux associations.",
            source="aides-territoires",
            language="fr",
        ),
        made(SILENT),
    ]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base with a call of each status, and one for the coalition alone."""
    values: dict[str, Any] = {"home": tmp_path_factory.mktemp("calls"), "workers": 1}
    limits: dict[str, Any] = {"rate_anonymous": 10**6, "rate_key": 10**6}
    opened = open_knowledge_base(
        Settings(**values, **limits), clock=TickingClock(), encoder=HashingEncoder()
    )
    take(opened, _calls())
    hidden = made(HIDDEN, title="Hidden rivers", deadlines=(brussels("2026-06-01"),))
    take(opened, [hidden], visibility=Visibility.COALITION)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(kb: KnowledgeBase) -> Iterator[TestClient]:
    """A browser that asks for English pages."""
    headers = {"accept": "text/html", "accept-language": "en"}
    with (
        pytest.MonkeyPatch.context() as patched,
        TestClient(create_app(kb), headers=headers, follow_redirects=False) as opened,
    ):
        patched.setattr("api.rates.STRICT", {})
        yield opened


def parsed(text: str) -> Any:
    """A page as a tree; lxml's own types fit no use of it."""
    return html.fromstring(text)


def get(client: TestClient, path: str, answered: int = 200, /, **asked: Any) -> Any:
    """A page, parsed; it stands at the address that was asked."""
    response = client.get(path, params=asked or None)
    assert response.status_code == answered, response.text
    page = parsed(response.text)
    page.make_links_absolute(str(response.url))
    return page


def listed(page: Any) -> list[str]:
    """The identifiers of the calls on a page, in their order."""
    links = page.xpath("//*[contains(@class,'call-title')]/a/@href")
    links += page.xpath("//*[contains(@class,'due-call')]//a/@href")
    return [unquote(link.rpartition("/calls/")[2]) for link in links]


def identifiers(page: Any) -> set[str]:
    """The same without their order."""
    return set(listed(page))


def said(page: Any, path: str = "//main") -> str:
    """The words of a part of a page."""
    return " ".join(" ".join(each.text_content() for each in page.xpath(path)).split())


def link(page: Any, words: str) -> str:
    """The path and query of a link, by its words."""
    [address] = {a.get("href") for a in page.xpath("//a") if words in a.text_content()}
    parts = urlsplit(str(address))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            ("4 calls", "Closes within 30 days", "20 March 2026, 17:00", "19 days left", "€100"),
        ),
        (
            "fr",
            ("4 appels", "Ferme dans les 30 jours", "20 mars 2026 à 17:00", "encore 19 jours"),
        ),
    ],
)
def test_the_list_shows_what_one_can_still_apply_for(
    client: TestClient, language: str, words: tuple[str, ...]
) -> None:
    """The next deadline first, each with its status, days left and money, in both languages."""
    page = get(client, "/calls", lang=language)
    client.cookies.clear()
    assert identifiers(page) == COMING
    assert listed(page)[0] == SOON
    for each in words:
        assert each in said(page)
    assert page.get("lang") == language
    assert page.xpath("//h3/a[contains(., 'Prêter')]/@lang") == ["fr"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "any"}, ALL),
        ({"status": "open"}, {RIVERS, SOON}),
        ({"status": "closing_soon"}, {SOON}),
        ({"status": "forthcoming"}, {LATER}),
        ({"status": "rolling"}, {STANDING}),
        ({"status": "closed"}, {OVER}),
        ({"status": "unknown"}, {SILENT}),
        ({"programme": "LIFE"}, {SOON}),
        ({"programme": "horizon"}, {RIVERS}),
        ({"applicant": "company"}, {RIVERS, SOON, STANDING} - {RIVERS}),
        ({"applicant": "association"}, {RIVERS, SOON, STANDING}),
        ({"country": "fr"}, {RIVERS, SOON, STANDING}),
        ({"country": "NO"}, {SOON}),
        ({"theme": "OCEAN"}, {RIVERS}),
        ({"deadline_before": "2026-07-15"}, {RIVERS, SOON}),
        ({"deadline_after": "2026-07-16"}, {LATER}),
        ({"budget_min": "1 500 000 €"}, {RIVERS, LATER, STANDING}),
        ({"budget_max": "5000"}, {SOON, LATER, STANDING}),
        ({"country": "FR", "status": "open", "budget_max": "5000"}, {SOON}),
        ({"programme": "", "country": " ", "deadline_after": ""}, COMING),
    ],
)
def test_each_filter_narrows_the_list(
    client: TestClient, asked: dict[str, str], found: set[str]
) -> None:
    """Calls that do not say who may apply, from where or for how much stay."""
    page = get(client, "/calls", **asked)
    assert identifiers(page) == found
    assert f"{len(found)} call" in said(page, "//h2")
    for name in (name for name, value in asked.items() if value.strip()):
        assert page.xpath(f"//a[@class='remove'][not(contains(@href, '{name}='))]")


def test_a_count_is_how_many_calls_a_choice_leaves(client: TestClient) -> None:
    """For every choice of every filter, beside what else is narrowed to."""
    asked = {"country": "FR", "budget_max": "5000000"}
    page = get(client, "/calls", **asked)
    tried = 0
    for name in ("status", "applicant", "country", "programme", "theme"):
        for option in page.xpath(f"//select[@name='{name}']/option"):
            if not (count := re.search(r"\((\d+)(?:\)$|, )", option.text_content().strip())):
                continue
            narrowed = {**asked, name: option.get("value")}
            assert f"{count[1]} call" in said(get(client, "/calls", **narrowed), "//h2"), narrowed
            tried += 1
    assert tried > 20


def test_a_choice_says_how_many_calls_are_expressly_for_it(client: TestClient) -> None:
    """Others stay since they do not say who may apply, and are told apart from these."""
    page = get(client, "/calls")
    options = {
        f"{name}={each.get('value')}": said(each, ".")
        for name in ("applicant", "country")
        for each in page.xpath(f"//select[@name='{name}']/option")
    }
    assert options["applicant=public"].endswith("(3, of which 1 says so)")
    assert options["applicant=company"].endswith("(2, none of which says so)")
    assert options["country=FR"].endswith("(3, of which 2 say so)")


def test_closed_calls_that_are_left_out_are_counted_and_one_step_away(client: TestClient) -> None:
    """With the same question, and with the programmes that have no others."""
    page = get(client, "/calls", q="ladders")
    assert "1 closed call is left out" in said(page)
    closed = get(client, link(page, "See what has closed"))
    assert listed(closed) == [OVER]
    assert closed.xpath("//input[@name='q'][@type='search']/@value") == ["ladders"]
    assert "left out" not in said(closed)
    assert "left out" not in said(get(client, "/calls", status="any"))


def test_a_programme_whose_calls_are_all_closed_can_be_chosen(client: TestClient) -> None:
    """It shows no call, and leads to the closed ones."""
    page = get(client, "/calls", status="forthcoming")
    [option] = page.xpath("//select[@name='programme']/option[@value='LIFE']")
    assert said(option, ".") == "LIFE (1 closed call)"
    page = get(client, "/calls", status="forthcoming", programme="LIFE")
    assert listed(page) == []
    [option] = page.xpath("//select[@name='programme']/option[@selected]")
    assert said(option, ".") == "LIFE (1 closed call)"
    assert listed(get(client, link(page, "See what has closed"))) == [OVER]


def test_what_is_chosen_stands_in_the_form_and_in_every_link(client: TestClient) -> None:
    """The address holds the whole state: searching, the calendar and following keep it."""
    asked = {"q": "rivers", "programme": "horizon", "deadline_before": "2026-12-31"}
    page = get(client, "/calls", **asked)
    assert page.xpath("//input[@name='q'][@type='search']/@value") == ["rivers"]
    assert page.xpath("//input[@id='f-deadline_before']/@value") == ["2026-12-31"]
    chosen = page.xpath("//select[@name='programme']/option[@selected]/@value")
    assert chosen == ["Horizon Europe"]
    hidden = page.xpath("//form[@role='search']/input[@type='hidden']/@name")
    assert set(hidden) == {"programme", "deadline_before"}
    for words in ("Calendar", "Follow these calls", "Spreadsheet"):
        kept = parse_qs(urlsplit(link(page, words)).query)
        assert kept["deadline_before"] == ["2026-12-31"], words
        assert "rivers" in {*kept.get("q", ()), *kept.get("query", ())}
        assert client.get(link(page, words)).status_code == 200


def test_pages_go_on_and_back_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is repeated or lost on the way, and the way back shows the same pages."""
    monkeypatch.setattr(pages, "PAGE", 2)
    page, seen = get(client, "/calls", status="any"), []
    while True:
        seen.append(listed(page))
        if not page.xpath("//a[@rel='next']"):
            break
        page = get(client, link(page, "Next calls"))
    assert [len(each) for each in seen] == [2, 2, 2]
    assert {name for each in seen for name in each} == ALL
    assert "5 to 6" in said(page, "//h2")
    for before in reversed(seen[:-1]):
        page = get(client, link(page, "Previous calls"))
        assert listed(page) == before
    assert not page.xpath("//a[@rel='prev']")


@pytest.mark.parametrize("after", ["x", "~", "eyJ4IjoxfQ", "a~b~c", "é" * 50])
def test_a_page_that_is_not_there_leads_to_the_first(client: TestClient, after: str) -> None:
    """A broken link is no dead end."""
    response = client.get("/calls", params={"after": after})
    assert response.status_code in {200, 422}
    assert identifiers(parsed(response.text)) == COMING
    if response.status_code == 422:
        assert "not there any more" in response.text


def test_a_question_shows_why_a_call_may_fit(client: TestClient) -> None:
    """The quote leads to its page, where exactly its words are marked."""
    page = get(client, "/calls", q="people who live beside rivers")
    assert listed(page)[0] == RIVERS
    quote = said(page, "(//article)[1]//blockquote")
    assert quote == "Rivers are cleaned by the people who live beside them."
    place = page.xpath("(//article)[1]//*[@class='why']//a/@href")[0]
    path = urlsplit(place)
    start, end = map(int, parse_qs(path.query)["mark"][0].split("-"))
    shown = client.get(f"/v1{path.path}").json()
    assert shown["text"][start:end] == quote
    assert client.get(f"{path.path}?{path.query}").status_code == 200


def test_what_is_only_near_is_said_to_be(client: TestClient) -> None:
    """A ranking hides nothing, so the page says where the words asked for are not used."""
    assert "only the nearest" in said(get(client, "/calls", q="zeppelins"))
    assert "only the nearest" not in said(get(client, "/calls", q="rivers"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deadline_after", "2026-02-31"),
        ("deadline_before", '"><script>alert(1)</script>'),
        ("budget_min", "-5"),
        ("budget_max", "many"),
        ("budget_max", "9" * 30),
        ("status", "ajar"),
        ("country", "Atlantis"),
        ("applicant", "\x00"),
        ("q", "x" * 1001),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field(
    client: TestClient, name: str, value: str
) -> None:
    """The rest of the page works, what was written is kept, and nothing of it becomes markup."""
    page = get(client, "/calls", 422, **{name: value})
    assert identifiers(page) == COMING
    assert page.xpath(f"//*[@id='e-{name}']")
    assert not page.xpath("//script[not(@src)]")
    if name.startswith(("deadline", "budget")):
        field = page.xpath(f"//input[@name='{name}']")[0]
        assert field.get("value") == value
        assert field.get("aria-describedby") == f"e-{name}"


@pytest.mark.parametrize(
    ("low", "high"), [("deadline_after", "deadline_before"), ("budget_min", "budget_max")]
)
def test_a_range_that_ends_before_it_begins_is_left_out(
    client: TestClient, low: str, high: str
) -> None:
    """Both ends are, and the page says so."""
    values = ("2026-09-01", "2026-01-01") if low.startswith("deadline") else ("9", "3")
    page = get(client, "/calls", 422, **dict(zip((low, high), values, strict=True)))
    assert identifiers(page) == COMING
    assert "both were left out" in said(page, f"//*[@id='e-{high}']")


def test_titles_and_links_of_a_source_are_no_markup(client: TestClient) -> None:
    """A title is shown as it is written, and what is no web address is no link."""
    page = get(client, "/calls", status="forthcoming")
    assert said(page, "//h3") == NASTY
    assert not page.xpath("//main//img")
    call = get(client, f"/calls/{RIVERS}")
    assert not [a for a in call.xpath("//a/@href") if a.startswith("javascript")]
    assert call.xpath("//a[@href='https://p.example/']")


# The calendar


def test_a_month_shows_its_deadlines_by_day(client: TestClient) -> None:
    """In a table with links to the days, with filters kept on the way to other months."""
    page = get(client, "/calls", view="calendar", month="2026-07", country="FR")
    assert "July 2026" in said(page, "//h2")
    assert listed(page) == [RIVERS]
    assert "Wednesday" in said(page, "//section[@id='day-2026-07-15']/h3")
    assert "first stage" in said(page, "//*[@class='due-call']")
    [cell] = page.xpath("//td[a]")
    assert " ".join(cell.text_content().split()) == "15 1 deadline"
    assert cell.xpath("a/@href")[0].endswith("#day-2026-07-15")
    assert page.xpath("//th[@scope='col']")
    assert page.xpath("//table/caption")
    kept = parse_qs(urlsplit(link(page, "August 2026")).query)
    assert (kept["month"], kept["country"]) == (["2026-08"], ["FR"])
    assert link(page, "June 2026")


def test_each_cut_off_stands_on_its_day(client: TestClient) -> None:
    """A call with several deadlines comes back, each time with its number."""
    for month, place in (("2026-09", "1 of 2"), ("2026-12", "2 of 2")):
        page = get(client, "/calls", view="calendar", month=month)
        assert f"cut-off {place}" in said(page, "//*[@class='due-call']")


def test_an_empty_month_leads_to_the_next_deadline(client: TestClient) -> None:
    """And to closed calls, which are left out at first."""
    page = get(client, "/calls", view="calendar", month="2026-04")
    assert "No deadline in this month" in said(page)
    assert "month=2026-07" in link(page, "15 July 2026")
    past = get(client, "/calls", view="calendar", month="2026-02")
    assert listed(past) == []
    closed = get(client, link(past, "closed calls"))
    assert listed(closed) == [OVER]


@pytest.mark.parametrize("month", ["", "2026-13", "x", "0000-00", "99999-01", "2026-3", "1850-01"])
def test_a_month_that_is_none_is_this_one_or_the_nearest(client: TestClient, month: str) -> None:
    """Whatever stands in the address, there is a calendar."""
    page = get(client, "/calls", view="calendar", month=month)
    assert page.xpath("//table[@class='month']//td")


def test_the_first_of_a_month_is_written_as_french_does(client: TestClient) -> None:
    """In the heading of its day."""
    page = get(client, "/calls", view="calendar", month="2026-12", lang="fr")
    client.cookies.clear()
    assert said(page, "//section[@id='day-2026-12-01']/h3") == "Mardi 1er décembre 2026"


def test_the_calendar_begins_today(client: TestClient) -> None:
    """With the day marked for eyes and for screen readers."""
    page = get(client, "/calls", view="calendar")
    assert "March 2026" in said(page, "//h2")
    assert said(page, "//td[@aria-current='date']") == "1"
    assert listed(page) == [SOON]


# One call


def test_a_call_is_shown_with_the_sentences_that_say_so(client: TestClient) -> None:
    """What may rule it out, conditions with their quotes, dates, texts, links, history."""
    page = get(client, f"/calls/{RIVERS}")
    assert said(page, "//h1") == "Rivers and their people"
    against = said(page, "//section[@aria-labelledby='against']")
    assert "30%" in against
    assert SHARE in against
    assert WHO in said(page, "//section[@aria-labelledby='for']")
    conditions = said(page, "//*[@class='conditions']")
    assert WHO in conditions
    assert "€2,000,000" in conditions
    assert "from the data of the source" in conditions
    dates = said(page, "//*[contains(@class,'dates')]")
    assert "15 July 2026, 17:00" in dates
    assert "next stage, by invitation" in dates
    assert "Ocean and waters" in said(page, "//section[@aria-labelledby='names']")
    assert "research and innovation (HORIZON)" in said(page, "//*[@aria-labelledby='names']")
    assert "Rivers are cleaned" in said(page, "//section[@aria-labelledby='texts']")
    assert "New call" in said(page, "//section[@aria-labelledby='history']")
    for place in page.xpath("//section[@aria-labelledby='conditions']//a/@href"):
        path = urlsplit(place)
        start, end = map(int, parse_qs(path.query)["mark"][0].split("-"))
        text = client.get(f"/v1{path.path}").json()["text"]
        assert text[start:end] in {WHO, SHARE}


def test_a_call_in_french_names_its_fields_in_french(client: TestClient) -> None:
    """Countries, who may apply and changes too."""
    page = get(client, f"/calls/{LATER}", lang="fr")
    client.cookies.clear()
    assert "Belgique" in said(page)
    assert "organismes publics" in said(page)
    assert "échéance 2 sur 2" in said(page, "//aside")
    assert "Nouvel appel" in said(page)
    assert "Pour une association en France" in said(page)


def test_who_may_apply_is_looked_up_where_the_call_is_published(make_kb: MakeKb) -> None:
    """Where nothing here says it; a closed call that its source shows as open is explained."""
    kb = make_kb()
    closed = made("OVER-1", url="https://portal.example/over", deadlines=(brussels("2026-02-01"),))
    before = brussels("2026-01-20")  # when it was open indeed
    seen = made("SEEN-1", deadlines=closed.deadlines)
    found = [record(closed, status="open"), record(seen, status="open", checked=before)]
    take(kb, [*found, made("BARE-1")])
    headers = {"accept": "text/html", "accept-language": "en"}
    with TestClient(create_app(kb), headers=headers) as client:
        page, bare = get(client, "/calls/OVER-1"), get(client, "/calls/BARE-1")
        early = get(client, "/calls/SEEN-1")
    [who] = page.xpath("//a[contains(., 'Who may apply')]/@href")
    assert who == "https://portal.example/over"
    assert "Closed to new applicants: the deadline has passed" in said(page)
    [check] = page.xpath("//a[contains(., 'Check on the call')]/@href")
    assert check == who
    assert not bare.xpath("//a[contains(., 'Who may apply')]")
    assert "Closed to new applicants" not in said(bare)
    assert "Closed to new applicants" not in said(early)
    assert parse_qs(urlsplit(link(page, "other documents")).query)["q"] == [closed.title]


def test_changes_of_a_call_are_told_from_what_to_what(make_kb: MakeKb) -> None:
    """With dates as the language writes them, newest first."""
    kb = make_kb()
    take(kb, [made("A-1", deadlines=(brussels("2026-04-15"),), grant_max=1000)])
    moved = made("A-1", deadlines=(brussels("2026-05-15"),), grant_max=1000)
    take(kb, [record(moved, checked=CHECKED.replace(day=28, hour=23))])
    with TestClient(create_app(kb), headers={"accept": "text/html"}) as client:
        rows = get(client, "/calls/a-1").xpath("//section[@aria-labelledby='history']//tbody/tr")
    told = [" ".join(cell.text_content() for cell in row) for row in rows]
    assert "Date limite 15 avril 2026 à 17:00 15 mai 2026 à 17:00" in told[0]
    assert "Nouvel appel" in told[-1]


@pytest.mark.parametrize("identifier", ["HORIZON-CL6%2F2026%3A01", "horizon-cl6/2026:01"])
def test_an_identifier_is_found_however_it_is_written(client: TestClient, identifier: str) -> None:
    """With its slash as one or as a sign, in any case; links of its page lead where they say."""
    page = get(client, f"/calls/{identifier}")
    assert said(page, "//h1") == "Rivers and their people"
    assert urlsplit(page.xpath("//a[contains(., 'All calls')]/@href")[0]).path == "/calls"


@pytest.mark.parametrize("path", ["/calls/{}", "/calls/deadlines.ics?call={}"])
def test_hidden_calls_are_not_told_from_none(client: TestClient, path: str) -> None:
    """One answer, which holds no word of either."""
    answers = [client.get(path.format(name)) for name in (HIDDEN, "NOTHING-2026")]
    assert {answer.status_code for answer in answers} == {404}
    texts = {re.sub(r"[0-9a-f]{32}|HIDDEN|NOTHING", "", answer.text) for answer in answers}
    assert len(texts) == 1
    assert "Hidden rivers" not in client.get("/calls?status=any&q=hidden+rivers").text


def test_the_deadlines_of_one_call_are_a_calendar(client: TestClient) -> None:
    """Its address is on the page; it holds this call and no other."""
    page = get(client, f"/calls/{LATER}")
    [address] = page.xpath("//input[@id='subscription']/@value")
    path = urlsplit(address)
    response = client.get(f"{path.path}?{path.query}")
    assert response.headers["content-type"].startswith("text/calendar")
    assert response.text.count("BEGIN:VEVENT") == 2
    assert "Rivers" not in response.text
    tag = {"If-None-Match": response.headers["etag"]}
    assert client.get(f"{path.path}?{path.query}", headers=tag).status_code == 304


# Matching

ABOUT: Final = {"description": "People who live beside rivers clean them.", "country": "FR"}


def test_a_description_ranks_calls_with_what_speaks_for_and_against_each(
    client: TestClient,
) -> None:
    """By quotes where a sentence says so, else by the source's data, which is said to be that."""
    response = client.post("/calls/match", data={**ABOUT, "grant_max_eur": "20 000 €"})
    assert response.status_code == 200, response.text
    page = parsed(response.text)
    found = {article.xpath(".//h3/a")[0].text: article for article in page.xpath("//article")}
    rivers = " ".join(found["Rivers and their people"].text_content().split())
    speaks, _, against = rivers.partition("What may rule it out")
    assert WHO in speaks
    assert SHARE in against
    assert "Smallest grant €1,000,000 from the data of the source" in against
    assert "Prêter des échelles" in found
    assert "Hidden rivers" not in found


def test_calls_that_break_a_stated_limit_stand_under_a_heading_of_their_own(
    client: TestClient,
) -> None:
    """However near they are; a share of the costs is no limit that somebody stated."""
    rivers = "//section[@aria-labelledby='{}']//h3[contains(., 'Rivers')]"
    page = parsed(client.post("/calls/match", data=ABOUT).text)
    assert page.xpath(rivers.format("found"))
    assert "1 closed call is left out" in said(page)
    page = parsed(client.post("/calls/match", data={**ABOUT, "grant_max_eur": "20000"}).text)
    assert not page.xpath(rivers.format("found"))
    assert page.xpath(rivers.format("beyond"))
    assert "Ruled out by your limits" in said(page, "//h2")
    assert "Prêter" in said(page, "//section[@aria-labelledby='found']")


def test_no_call_is_proposed_where_all_break_the_limits(make_kb: MakeKb) -> None:
    """The page says so, and shows them as what they are."""
    kb = make_kb()
    large = {"grant_min": 2_000_000, "deadlines": (brussels("2026-06-01"),)}
    take(kb, [made("LARGE-1", **large), made("LARGE-2", **large)])
    with TestClient(create_app(kb), headers={"accept": "text/html"}) as client:
        page = parsed(client.post("/calls/match", data={**ABOUT, "grant_max_eur": "20000"}).text)
    assert "Aucun appel ouvert ne convient" in said(page, "//h2[@id='found']")
    assert not page.xpath("//section[@aria-labelledby='found']//article")
    assert len(page.xpath("//section[@aria-labelledby='beyond']//article")) == 2
    assert "Écartés par vos limites" in said(page, "//h2")


def test_nothing_that_was_described_is_kept(client: TestClient, kb: KnowledgeBase) -> None:
    """Neither in the address nor in the audit trail, which knows that something was asked."""
    described = "Zwillingsflüsse, sagt niemand sonst."
    response = client.post("/calls/match", data={"description": described})
    assert described in response.text
    assert not response.url.query
    assert kb.trail.flush(30)
    events = [each for each in kb.trail.record.stream(Chosen()) if each.action == "match"]
    assert events
    assert all(each.query is None and not each.filters for each in events)
    files = b"".join(path.read_bytes() for path in kb.settings.home.glob("record.db*"))
    assert "Zwillingsflüsse".encode() not in files


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("description", ""),
        ("description", "x" * 5001),
        ("aims", "\n".join(map(str, range(30)))),
        ("legal_form", "any"),
        ("legal_form", "<b>club</b>"),
        ("country", "XX"),
        ("grant_min_eur", "a lot"),
        ("grant_max_eur", "-3"),
        ("partners_count", "1001"),
    ],
)
def test_a_description_that_cannot_be_used_is_kept_in_the_form(
    client: TestClient, name: str, value: str
) -> None:
    """The error stands beside the field and is named at the top."""
    response = client.post("/calls/match", data={**ABOUT, name: value})
    assert response.status_code == 422
    page = parsed(response.text)
    assert page.xpath(f"//*[@role='alert']//a[@href='#{name}']")
    field = page.xpath(f"//*[@id='{name}']")[0]
    assert f"e-{name}" in field.get("aria-describedby")
    assert field.get("aria-invalid") == "true"
    assert ABOUT["description"] in response.text or name == "description"


def test_a_number_that_is_none_is_told_with_the_name_of_its_field(client: TestClient) -> None:
    """So that two of them can be told apart in the list at the top."""
    wrong = {"grant_max_eur": "much", "partners_count": "some"}
    page = parsed(client.post("/calls/match", data={**ABOUT, **wrong}).text)
    told = said(page, "//*[@role='alert']")
    assert "Largest grant that you could manage: write a whole number, for example 20,000." in told
    assert "Partners that you could bring: write a whole number, for example 3." in told


def test_the_countries_of_the_union_stand_before_others(client: TestClient) -> None:
    """Each once, by name."""
    page = get(client, "/calls/match")
    union, others = page.xpath("//select[@name='country']/optgroup")
    assert union.get("label") == "European Union"
    assert [each.text for each in union][:2] == ["Austria", "Belgium"]
    assert len(union) == 27
    assert "NO" in others.xpath("option/@value")
    assert page.xpath("//select[@name='country']//option[@selected]/@value") == ["FR"]


def test_a_form_that_is_too_long_is_refused(client: TestClient) -> None:
    """Before it comes to a field."""
    assert client.post("/calls/match", data={"description": "x" * 200_000}).status_code == 413
    assert client.post("/calls/match", data={"aims": "x" * 20_000}).status_code == 422


# Following


def test_calendar_and_feed_of_the_filters_are_read_by_anybody(client: TestClient) -> None:
    """The addresses on the page hold the filters and answer without a key."""
    page = get(client, "/calls/follow", q="rivers", programme="horizon")
    assert "This service sends no e-mails" in said(page)
    for form in ("ics", "atom"):
        [address] = page.xpath(f"//input[@id='{form}']/@value")
        path = urlsplit(address)
        response = client.get(f"{path.path}?{path.query}", headers={"accept": "*/*"})
        assert response.status_code == 200
        assert "Rivers and their people" in response.text
        assert SOON not in response.text


def test_the_page_tells_how_many_dates_the_calendar_holds(client: TestClient) -> None:
    """As many as are in the file; and how its address comes into a calendar."""
    for asked, words in (
        ({}, "It holds 5 dates today"),
        ({"programme": "horizon"}, "It holds 2 dates today"),
        ({"theme": "nothing of the kind"}, "It holds no date today"),
    ):
        page = get(client, "/calls/follow", **asked)
        assert words in said(page)
        [address] = page.xpath("//input[@id='ics']/@value")
        file = client.get(urlsplit(address).path + "?" + urlsplit(address).query)
        held = re.search(r"holds (\d+) dates", said(page))
        assert file.text.count("BEGIN:VEVENT") == (int(held[1]) if held else 0)
        assert "iPhone" in said(page, "//details")


@pytest.fixture
def mailing(make_kb: MakeKb) -> Iterator[tuple[TestClient, Inbox, KnowledgeBase]]:
    """A service that sends mails, and the mailbox that they come to."""
    inbox = Inbox()
    port = inbox.serve().port
    kb = make_kb(
        smtp_url=f"smtp://127.0.0.1:{port}?tls=none",
        mail_from="alertes@calls.example.org",
        public_url=PUBLIC,
    )
    take(kb, _calls())
    headers = {"accept": "text/html", "accept-language": "en"}
    with TestClient(create_app(kb), headers=headers, follow_redirects=False) as client:
        yield client, inbox, kb
    inbox.close()


def test_alerts_are_asked_for_confirmed_and_deleted_by_pages(mailing: Any) -> None:
    """From the filters over the mail and its button to the page that ends it."""
    client, inbox, kb = mailing
    page = get(client, "/calls/follow", programme="CERV", status="any")
    assert page.xpath("//input[@name='name']/@value") == ["All, closed ones too, CERV"]
    asked = {"name": "Rights", "email": "reader@example.org"}
    kept = client.post("/calls/follow?programme=CERV&sort=budget", data=asked)
    assert kept.status_code == 303, kept.text
    [search] = SearchesRecord(kb.engine).listed()
    assert search.query["programme"] == ["CERV"]
    assert (search.name, search.language, "sort" in search.query) == ("Rights", "en", False)
    place = urlsplit(str(kept.url.join(kept.headers["location"])))
    shown = client.get(f"{place.path}?{place.query}")
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert "reader@example.org" not in shown.text
    assert "Look into your mailbox" in shown.text
    assert inbox.recipients == ["reader@example.org"]
    mail = next(inbox.mails[-1].iter_parts()).get_content()
    [confirm] = re.findall(rf"{PUBLIC}(/v1/searches/confirm/\S+)", mail)
    assert "Confirm the address" in client.get(confirm).text
    assert "The address is confirmed" in client.post(confirm).text
    feed = parsed(shown.text).xpath("//input[@id='atom']/@value")[0]
    assert client.get(urlsplit(feed).path).status_code == 200
    gone = client.post(f"{place.path}/delete")
    assert gone.status_code == 303
    told = client.get(str(gone.url.join(gone.headers["location"])))
    assert "The search is deleted" in told.text
    for path in (place.path, urlsplit(feed).path):
        assert client.get(path).status_code == 404
    assert client.post(f"{place.path}/delete").status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "email"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_what_cannot_be_followed_is_said_beside_its_field(
    mailing: Any, changed: dict[str, str], field: str
) -> None:
    """Nothing is kept or sent."""
    client, inbox, kb = mailing
    asked = {"name": "Rights", "email": "reader@example.org", **changed}
    response = client.post("/calls/follow?programme=CERV", data=asked)
    assert response.status_code == 422
    page = parsed(response.text)
    assert page.xpath(f"//*[@id='e-{field}']")
    assert page.xpath("//form[@method='post']/@action")[0].endswith("programme=CERV")
    assert SearchesRecord(kb.engine).listed() == []
    assert inbox.mails == []


def test_another_site_follows_for_nobody(mailing: Any) -> None:
    """A form of another page is refused, so that it can send no mails to people."""
    client, inbox, _ = mailing
    asked = {"name": "Rights", "email": "reader@example.org"}
    refused = client.post("/calls/follow", data=asked, headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403
    assert inbox.mails == []


def test_a_member_sees_and_follows_what_is_for_the_coalition(
    client: TestClient, kb: KnowledgeBase
) -> None:
    """By a form with the session's token, at addresses that are secret."""
    key = kb.keys.create(NewKey("Réseau", KeyRole.PARTNER), kb.clock())[1]
    member = TestClient(client.app, headers=dict(client.headers), follow_redirects=False)
    assert member.post("/login", data={"key": key}).status_code == 303
    page = get(member, "/calls", q="hidden rivers")
    assert HIDDEN in listed(page)
    call = get(member, f"/calls/{HIDDEN}")
    assert not call.xpath("//input[@id='subscription']")
    form = get(member, "/calls/follow", q="hidden rivers")
    token = form.xpath("//input[@name='csrf_token']/@value")[0]
    asked = {"name": "Ours", "csrf_token": token}
    without = member.post("/calls/follow?q=hidden+rivers", data={"name": "Ours"})
    assert without.status_code == 403
    kept = member.post("/calls/follow?q=hidden+rivers", data=asked)
    assert kept.status_code == 303
    shown = member.get(str(kept.url.join(kept.headers["location"])))
    [feed] = parsed(shown.text).xpath("//input[@id='ics']/@value")
    assert "Hidden rivers" in client.get(urlsplit(feed).path).text


@pytest.mark.parametrize("path", ["/searches/oms_nothing", "/searches/x", "/searches/%00"])
def test_a_secret_that_is_none_finds_nothing(client: TestClient, path: str) -> None:
    """Like any address at which there is nothing."""
    assert client.get(path).status_code == 404


# All of them


def test_an_empty_base_says_so(make_kb: MakeKb) -> None:
    """In words, not as an error of programs."""
    with TestClient(create_app(make_kb()), headers={"accept": "text/html"}) as client:
        for path in ("/calls", "/calls?view=calendar&month=2026-07"):
            assert "pas encore d’appel" in said(get(client, path, 503))
        assert client.post("/calls/match", data=ABOUT).status_code == 503
        assert client.get("/calls/follow").status_code == 200
        assert client.get("/calls/X-1").status_code == 404


def test_every_look_leaves_a_trace(client: TestClient, kb: KnowledgeBase) -> None:
    """Of a list and a call as over the interface for programs."""
    client.get("/calls?" + urlencode({"q": "rivers that leave a trace", "country": "FR"}))
    client.get(f"/calls/{SOON}")
    assert kb.trail.flush(30)
    events = list(kb.trail.record.stream(Chosen()))
    [asked] = [each for each in events if each.query == "rivers that leave a trace"]
    assert (asked.action, asked.filters["country"]) == ("calls", ["FR"])
    assert asked.returned
    assert [each for each in events if each.filters.get("identifier") == SOON]
