"""The words for what is known of calls, as the pages of one language say them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from babel.dates import format_date

from kb.analysis import fold
from kb.calls.dates import BRUSSELS
from kb.calls.news import BETWEEN, FIELD_NAMES, KIND_NAMES, NewsKind, in_words
from kb.calls.places import ANY, ASSOCIATED, EU
from kb.model import DeadlineModel
from kb.themes import campaigns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.web.site import Site
    from kb.calls.news import CallNews
    from kb.calls.status import Status
    from kb.model import Call

_PLACES: Final = {EU, ASSOCIATED, ANY}
_MONEY: Final = {"budget", "grant_min", "grant_max"}
# A day, or a moment in Brussels, as reasons and news write it in either language.
_MOMENT: Final = re.compile(r"\b(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}))?\b")


class CallWords:
    """Says fields, values, statuses and changes of calls in the language of a page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._texts = site.texts
        _ = site.gettext
        self._statuses = {
            "open": _("Open"),
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
        }

    def status(self, status: str) -> str:
        """A status, or several with commas between."""
        return ", ".join(self._statuses.get(each, each) for each in str(status).split(","))

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
        """A theme: a campaign of ours by its name, or as the call's source writes it."""
        return campaigns().label(theme, self._texts.language)

    def money(self, euros: float | None) -> str:
        """Whole euros; nothing of none."""
        return self._texts.money(euros)

    def day(self, day: date | None) -> str:
        """A day; nothing of none."""
        return self._texts.day(day)

    def weekday(self, day: date) -> str:
        """A day with its weekday: ``mardi 17 mars 2026``."""
        return str(format_date(day, "full", locale=self._texts.locale))

    def month(self, day: date) -> str:
        """The month of a day: ``mars 2026``."""
        return str(format_date(day, "LLLL y", locale=self._texts.locale))

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
            return _("%(low)s to %(high)s a project", low=self.money(low), high=self.money(high))
        if low and high:
            return _("%(amount)s a project", amount=self.money(high))
        if high:
            return _("up to %(amount)s a project", amount=self.money(high))
        if low:
            return _("from %(amount)s a project", amount=self.money(low))
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

    def sorting(self, name: str) -> str:
        """A name as lists are sorted by it: without case and accents."""
        return fold(name)
