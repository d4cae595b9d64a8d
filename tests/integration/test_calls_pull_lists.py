"""Pulling the portal's bulk file, Aides-territoires and Île-de-France."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_lists import BULK, Aids, Region, bulk_file, with_ranges
from local_source import LocalSource, Reply, Request
from pulling import (
    QUICK,
    counts,
    documents,
    kept,
    settings_of,
)

from ingest.calls.pulls.running import (
    pull_aides_territoires,
    pull_bulk,
    pull_ile_de_france,
)
from kb import maintenance
from kb.errors import SourceError, UsageError

if TYPE_CHECKING:
    from conftest import MakeKb

    from kb.bootstrap import KnowledgeBase

pytest_plugins = ("pull_base",)


@pytest.fixture
def kb(source: LocalSource, make_kb: MakeKb) -> KnowledgeBase:
    """An empty base whose sources are all on that server."""
    base: KnowledgeBase = make_kb(**settings_of(source))
    return base


def test_the_bulk_file_goes_on_where_it_broke_off(kb: KnowledgeBase, source: LocalSource) -> None:
    """A download that was cut is resumed with Range; the same version is not fetched again."""
    content = bulk_file(6)
    source.routes[BULK] = with_ranges(content, '"v1"')
    source.fault(BULK, Reply(200, content, {"ETag": '"v1"'}, cut=1000))
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 6}
    asked = source.asked(BULK)
    assert [request.headers.get("Range") for request in asked] == [None, "bytes=1000-"]
    assert asked[1].headers["If-Range"] == '"v1"'
    assert pull_bulk(kb, (), QUICK).report is None
    assert source.asked(BULK)[-1].headers["If-None-Match"] == '"v1"'
    assert kept(kb) == ["grantsTenders.json.state.json"]
    source.routes[BULK] = with_ranges(bulk_file(7), '"v2"')
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 1, "unchanged": 6}


def test_the_bulk_file_is_fetched_anew_if_it_changed_under_way(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """A server whose file is another now sends all of it, and no mixture is read."""
    source.routes[BULK] = with_ranges(bulk_file(6), '"v2"')
    source.fault(BULK, Reply(200, bulk_file(5), {"ETag": '"v1"'}, cut=1000))
    assert counts(pull_bulk(kb, (), QUICK)) == {"new": 6}


def test_tenders_and_other_programmes_in_the_bulk_file_stay_out(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """Only calls count, and of them those of the programmes asked for."""
    source.routes[BULK] = with_ranges(bulk_file(4), '"v1"')
    assert counts(pull_bulk(kb, ("43353764",), QUICK)) == {}
    source.routes[BULK] = with_ranges(bulk_file(4, kind=0), '"v2"')
    assert counts(pull_bulk(kb, (), QUICK)) == {}


def test_aids_come_with_a_token(kb: KnowledgeBase, source: LocalSource) -> None:
    """The account's token is exchanged once, pages follow their ``next``, and what ends is gone."""
    aids = Aids(source, 3)
    outcome = pull_aides_territoires(kb, QUICK)
    assert (counts(outcome), outcome.warnings) == ({"new": 3}, ())
    assert len(source.asked("/api/connexion/")) == 1
    assert len(source.asked("/api/aids/")) == 2
    assert not any("lent-ladder" in str(request.query) for request in source.requests)
    aids.aids.pop()
    outcome = pull_aides_territoires(kb, QUICK)
    assert counts(outcome) == {"unchanged": 2, "gone": 1}


def test_a_token_that_has_run_out_is_exchanged_again(
    kb: KnowledgeBase, source: LocalSource
) -> None:
    """A page that is refused in the middle is asked for with a new token."""
    aids = Aids(source, 3)
    first = aids._list  # noqa: SLF001 -- the server's own answer

    def running_out(request: Request) -> Reply:
        reply = first(request)
        if "page" not in request.query:
            aids.bearers.pop(0)
        return reply

    source.routes["/api/aids/"] = running_out
    assert counts(pull_aides_territoires(kb, QUICK)) == {"new": 3}
    assert len(source.asked("/api/connexion/")) == 2


def test_a_next_page_elsewhere_is_not_followed(kb: KnowledgeBase, source: LocalSource) -> None:
    """The bearer's token goes to no other host."""
    Aids(source, 3).next_host = "10.0.0.7"
    with pytest.raises(SourceError, match=r"next page lies on 10.0.0.7, another host"):
        pull_aides_territoires(kb, QUICK)
    assert documents(kb) == []


def test_a_wrong_token_is_told_without_it(source: LocalSource, make_kb: MakeKb) -> None:
    """The message says that the token was refused, not which it is; without one, how to get it."""
    Aids(source, 1)
    settings = settings_of(source)
    wrong = make_kb(**{**settings, "aides_territoires_token": "stolen-saw"})
    with pytest.raises(SourceError, match="answered 401") as caught:
        pull_aides_territoires(wrong, QUICK)
    assert "stolen-saw" not in str(caught.value)
    without = make_kb(**{**settings, "aides_territoires_token": ""})
    with pytest.raises(UsageError, match="KB_AIDES_TERRITOIRES_TOKEN"):
        pull_aides_territoires(without, QUICK)


def test_the_region_is_listed_by_offset(kb: KnowledgeBase, source: LocalSource) -> None:
    """Page by page; what is no longer listed is gone."""
    region = Region(source, 3)
    outcome = pull_ile_de_france(kb, QUICK)
    assert (counts(outcome), outcome.warnings) == ({"new": 3}, ())
    assert len(source.requests) == 2
    region.records.pop()
    assert counts(pull_ile_de_france(kb, QUICK)) == {"unchanged": 2, "gone": 1}


def test_a_long_list_of_the_region_is_exported(kb: KnowledgeBase, source: LocalSource) -> None:
    """Beyond what pages reach, the whole list is fetched at once."""
    region = Region(source, 3)
    region.total = 10_001
    assert counts(pull_ile_de_france(kb, QUICK)) == {"new": 3}
    assert source.requests[-1].path.endswith("/exports/json")


def test_a_purge_leaves_what_was_listed(kb: KnowledgeBase, source: LocalSource) -> None:
    """Of a purged call the titles go with the answers; what has gone since is still told."""
    region = Region(source, 3)
    pull_ile_de_france(kb, QUICK)
    kept_file = kb.settings.pulls / "listed.db"
    titles = [each.title for each in documents(kb)]
    assert not any(title.encode() in kept_file.read_bytes() for title in titles)
    maintenance.remove(kb, documents(kb)[0].id, purge=True)
    assert kept(kb) == ["listed.db"]
    region.records.pop()
    assert counts(pull_ile_de_france(kb, QUICK))["gone"] == 1
