"""The words for what is known of calls, as the pages of one language say them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from babel.dates import format_date

from api.web.calls_codes import actions, themes
from kb.analysis import fold
from kb.calls.dates import BRUSSELS, brussels_day
from kb.calls.news import BETWEEN, FIELD_NAMES, KIND_NAMES, NewsKind, in_words, web_address
from kb.calls.places import ANY, ASSOCIATED, EU
from kb.calls.programmes import purpose
from kb.calls.query import Sort
from kb.calls.status import SAID_OPEN, said
from kb.model import Applicant, DeadlineModel
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.web.site import Site
    from kb.calls.news import CallNews
    from kb.calls.status import Status
    from kb.model import Call

_PLACES: Final = {EU, ASSOCIATED, ANY}
_MONEY: Final = {"budget", "grant_min", "grant_max"}
_MOST_KEYWORDS: Final = 20
# A day, or a moment in Brussels, as reasons and news write it in either language.
_MOMENT: Final = re.compile(r"\b(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}))?\b")


class CallWords:
    """Says fields, values, statuses and changes of calls in the language of a page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._texts = site.texts
        _ = site.gettext
        self._statuses = {
            "open": _("Open now"),
            "closing_soon": _("Closes within 30 days"),
            "forthcoming": _("Opens later"),
            "rolling": _("Open all the time"),
            "closed": _("Closed"),
            "unknown": _("Status unknown"),
            "any": _("All, closed ones too"),
        }
        self._labels = {
            "status": _("Status"),
            "theme": _("Theme"),
            "country": _("Country"),
            "deadlines": _("Deadline"),
            "funder": _("Funder"),
            "identifier": _("Identifier"),
            "keywords": _("Keywords"),
            "languages": _("Languages"),
            "topic_id": _("Topic"),
            "subject": _("Near your subject"),
        }
        self._themes, self._actions = themes(_), actions(_)
        self._orders = {
            Sort.RELEVANCE: _("Closest first"),
            Sort.DEADLINE: _("Next deadline first"),
            Sort.BUDGET: _("Largest amounts first"),
            Sort.NEWEST: _("Newest first"),
        }
        self._kinds = {
            Applicant.ASSOCIATION: _("an association"),
            Applicant.NGO: _("a non-governmental organisation"),
            Applicant.FOUNDATION: _("a foundation"),
            Applicant.SOCIAL_ENTERPRISE: _("a social enterprise"),
            Applicant.PUBLIC: _("a public body"),
            Applicant.COMPANY: _("a company"),
            Applicant.SME: _("a small or medium company"),
            Applicant.RESEARCH: _("a research organisation"),
            Applicant.EDUCATION: _("a school or university"),
            Applicant.INTERNATIONAL: _("an international organisation"),
        }
        # As sources that have no French of their own name them; others stay as they are.
        self._named = {
            "eu-portal": _("EU Funding & Tenders Portal"),
            "operation-milliard": "Opération Milliard",
            "aides-territoires": "Aides-territoires",
            "Portal page": _("Page on the EU portal"),
            "Call documents": _("Call documents"),
            "Questions and answers": _("Questions and answers"),
            "Updates": _("Updates"),
            "Submission": _("Submission"),
            "Description": _("Description"),
            "Destination": _("What the programme aims at"),
            "Conditions": _("Conditions"),
            "Support": _("Help for applicants"),
        }

    def status(self, status: str) -> str:
        """A status, or several with commas between."""
        return ", ".join(self._statuses.get(each, each) for each in str(status).split(","))

    def kinds(self) -> list[tuple[str, str]]:
        """What an organisation may be, with its name; neither anybody nor one person."""
        return [(kind.value, name) for kind, name in self._kinds.items()]

    def label(self, field: str) -> str:
        """What a field of a call is called."""
        if field in self._labels:
            return self._labels[field]
        return FIELD_NAMES[field][self._texts.language]

    def value(self, field: str, value: str) -> str:
        """A value of a field, as facts and news hold it."""
        if field in _MONEY:
            return self.money(int(value))
        if field == "countries":
            return ", ".join(map(self._country, value.split(BETWEEN)))
        if field in {"deadlines", "opens"}:
            return ", ".join(self.in_full(each) for each in value.split(BETWEEN))
        return in_words(field, value, self._texts.language).replace(" %", "\u00a0%")

    def _country(self, code: str) -> str:
        if code in _PLACES:
            return in_words("countries", code, self._texts.language)
        return self._texts.country_name(code)

    def values(self, field: str, values: Iterable[str]) -> str:
        """Several values of a field, each once."""
        return ", ".join(self.value(field, value) for value in dict.fromkeys(values))

    def theme(self, theme: str) -> str:
        """A theme: of ours by its name, a mark of the portal in words, or as its source has it."""
        return self._themes.get(theme) or campaigns().label(theme, self._texts.language)

    def action(self, action: str) -> str:
        """A type of action: ``project grants (CERV)``, or as its source has it."""
        words = action.split()
        for begin in range(len(words)):
            if kind := self._actions.get(" ".join(words[begin:])):
                return f"{kind} ({' '.join(words[:begin])})" if begin else kind
        return action

    def counted(self, name: str, count: int, silent: int) -> str:
        """A choice with how many calls it leaves, and how many of these say that they are for it.

        ``silent`` ones say nothing of it: they stay whatever is chosen.
        """
        stating = count - silent
        if not stating:
            return self._site.gettext(
                "%(name)s (%(count)s, none of which says so)",
                name=name,
                count=self._texts.number(count),
            )
        return self._site.ngettext(
            "%(name)s (%(count)s, of which %(num)s says so)",
            "%(name)s (%(count)s, of which %(num)s say so)",
            stating,
            name=name,
            count=self._texts.number(count),
        )

    def closed(self, programme: str, count: int) -> str:
        """A programme that has closed calls alone, with how many."""
        return self._site.ngettext(
            "%(name)s (%(num)s closed call)",
            "%(name)s (%(num)s closed calls)",
            count,
            name=programme,
        )

    def money(self, euros: float | None) -> str:
        """Whole euros; nothing of none."""
        return self._texts.money(euros)

    def day(self, day: date | None) -> str:
        """A day; nothing of none."""
        return self._texts.day(day)

    def day_of(self, moment: datetime) -> str:
        """The day in Brussels of an aware moment."""
        return self._texts.day(brussels_day(moment))

    def weekday(self, day: date) -> str:
        """A day with its weekday: ``mardi 17 mars 2026``."""
        return f"{format_date(day, 'EEEE', locale=self._texts.locale)} {self.day(day)}"

    def month(self, day: date) -> str:
        """The month of a day: ``mars 2026``."""
        return str(format_date(day, "LLLL y", locale=self._texts.locale))

    def hour(self, moment: datetime) -> str:
        """The hour in Brussels: ``17:00``."""
        return f"{moment.astimezone(BRUSSELS):%H:%M}"

    def weekdays(self) -> list[tuple[str, str]]:
        """The days of a week from Monday, short and in full."""
        names = self._texts.locale.days["stand-alone"]
        return [(str(names["abbreviated"][day]), str(names["wide"][day])) for day in range(7)]

    def left(self, status: Status) -> str:
        """How long there is to apply; nothing where there is no deadline."""
        days = status.days_left
        if days is None:
            return ""
        if days == 0:
            return self._site.gettext("today")
        return self._site.ngettext("%(num)s day left", "%(num)s days left", days)

    def money_for(self, call: Call) -> str:
        """What a project may get, or else what the whole call has; nothing where neither is known.

        What one project gets is what an association has to compare with.
        """
        _, low, high = self._site.gettext, call.grant_min, call.grant_max
        if low and high and low != high:
            return _("%(low)s to %(high)s per project", low=self.money(low), high=self.money(high))
        if low and high:
            return _("%(amount)s per project", amount=self.money(high))
        if high:
            return _("up to %(amount)s per project", amount=self.money(high))
        if low:
            return _("from %(amount)s per project", amount=self.money(low))
        if call.budget and call.budget_shared:
            return _("%(amount)s shared by several topics", amount=self.money(call.budget))
        return _("%(amount)s in all", amount=self.money(call.budget)) if call.budget else ""

    def deadline(self, call: Call, place: int) -> str:
        """What the deadline at a place (from 1) of a call is; nothing where it is the only one."""
        _ = self._site.gettext
        if call.deadline_model is DeadlineModel.TWO_STAGE:
            return _("first stage") if place == 1 else _("next stage, by invitation")
        if len(call.deadlines) > 1:
            return _("cut-off %(place)s of %(count)s", place=place, count=len(call.deadlines))
        return ""

    def in_full(self, text: str) -> str:
        """A sentence with its days and moments written as the language does."""
        return _MOMENT.sub(self._written, text)

    def _written(self, found: re.Match[str]) -> str:
        try:
            day = date.fromisoformat(found[1])
        except ValueError:
            return found[0]
        if found[2] is None:
            return self.day(day)
        hour = datetime.strptime(found[2], "%H:%M").time()  # noqa: DTZ007 -- an hour has no zone
        return self._texts.moment(datetime.combine(day, hour, BRUSSELS))

    def reason(self, status: Status) -> str:
        """Why a call has its status."""
        language = self._texts.language
        return self.in_full(status.reasons.get(language) or status.reasons["en"])

    def still_listed(self, call: Call) -> bool:
        """Whether the source checked last said after every deadline that a call is open."""
        source = said(call)
        return (
            source is not None
            and source.status == SAID_OPEN
            and all(source.checked > deadline for deadline in call.deadlines)
        )

    def change(self, news: CallNews) -> tuple[str, str | None, str | None]:
        """A piece of news: what it is about, and for a changed value what it was and is."""
        language = self._texts.language
        if news.kind is not NewsKind.CHANGED or news.field is None:
            return KIND_NAMES[news.kind][language], None, None
        if news.before is None and news.after is None:
            return self._site.gettext("The text has changed"), None, None
        was, now = (
            self._site.gettext("not stated") if value is None else self.value(news.field, value)
            for value in (news.before, news.after)
        )
        return self.label(news.field), was, now

    def order(self, order: Sort) -> str:
        """An order of calls."""
        return self._orders[order]

    def named(self, name: str) -> str:
        """A source, link or text by the name that it has there, translated where it is known."""
        return self._named.get(name, name)

    def address(self, call: Call) -> str:
        """The address of a call's page; the slashes of an identifier are none of the path's."""
        return self._site.url("/calls/") + quote(call.identifier, safe="")

    def purpose(self, call: Call) -> str:
        """What its programme and strand pay for, in words of ours; nothing where it is unknown."""
        found = purpose(call.identifier)
        return "" if found is None else str(getattr(found, self._texts.language))

    def links(self, call: Call) -> list[tuple[str, str]]:
        """What a call's sources name on the web, each address once."""
        found: dict[str, str] = {}
        for name, url in (("Portal page", call.url), *((e.name, e.url) for e in call.links)):
            if address := web_address(url):
                found.setdefault(address, self.named(name))
        return [(name, address) for address, name in found.items()]

    def names(self, call: Call) -> list[tuple[str, str]]:
        """What a call is filed under: field and value, where there is one."""
        said = {
            "identifier": call.identifier,
            "call_id": call.call_id if call.call_id != call.identifier else None,
            "call_title": call.call_title if call.call_title != call.title else None,
            "topic_id": call.topic_id if call.topic_id != call.identifier else None,
            "funder": call.funder,
            "action_types": ", ".join(map(self.action, call.action_types)),
            "deadline_model": call.deadline_model
            and self.value("deadline_model", call.deadline_model),
            "themes": ", ".join(map(self.theme, call.themes)),
            "keywords": ", ".join(call.keywords[:_MOST_KEYWORDS]),
            "languages": ", ".join(map(self._texts.language_name, call.languages)),
        }
        labels = {"themes": "theme"}
        return [(self.label(labels.get(k, k)), value) for k, value in said.items() if value]

    def sorting(self, name: str) -> str:
        """A name as lists are sorted by it: without case and accents."""
        return fold(name)
