"""What a request was narrowed to, as the audit trail keeps it, in the words of the pages."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from api.web.calls_words import CallWords
from api.web.texts import later as _
from kb.themes import campaigns

if TYPE_CHECKING:
    from api.web.site import Site
    from kb.record.audit import Event


# What documents are named by: those that were shown are listed beside.
_NAMES: Final = ("document_id", "identifier")
# Said as they stand: a number behind a word.
_NUMBERS: Final = {
    "page": _("page %(n)s"),
    "version": _("version %(n)s"),
    "brief": _("brief %(n)s"),
}
_FIELDS: Final = {
    "applicant": _("Applicants"),
    "budget_max": _("Largest amount"),
    "budget_min": _("Smallest amount"),
    "country": _("Country"),
    "deadline_after": _("Deadline from"),
    "deadline_before": _("Deadline until"),
    "form": _("Format"),
    "issuer": _("Issuer"),
    "kind": _("Kind"),
    "language": _("Language"),
    "month": _("Month"),
    "order": _("Sort by"),
    "programme": _("Programme"),
    "since": _("From"),
    "sort": _("Sort by"),
    "status": _("Status"),
    "theme": _("Theme"),
    "until": _("To"),
    "year": _("Year"),
}
ORDERS: Final = {
    "newest": _("Recently added"),
    "date": _("Recently published"),
    "title": _("By title, A to Z"),
}
_DAYS: Final = {"since", "until", "deadline_after", "deadline_before"}
_MONEY: Final = {"budget_min", "budget_max"}


class AuditWords:
    """Says what requests were narrowed to in the language of a page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._calls = CallWords(site)

    def narrowed(self, event: Event) -> str:
        """What an event was narrowed to; nothing of one that was not."""
        told = {
            name: value
            for name, value in event.filters.items()
            if name not in _NAMES or not event.returned
        }
        return ", ".join(self._said(name, value) for name, value in told.items())

    def _said(self, name: str, value: Any) -> str:
        if name in _NUMBERS:
            return self._site.gettext(_NUMBERS[name], n=value)
        if name in _NAMES:
            return str(value)
        values = value if isinstance(value, list) else [value]
        said = ", ".join(self._value(name, str(each)) for each in values)
        label = self._site.gettext(_FIELDS[name]) if name in _FIELDS else name
        return self._site.gettext("%(field)s: %(value)s", field=label, value=said)

    def _value(self, name: str, value: str) -> str:  # noqa: PLR0911 -- one line a kind of value
        texts = self._site.texts
        if name == "kind":
            return self._site.kind_name(value)
        if name == "language":
            return texts.language_name(value)
        if name == "theme":
            return campaigns().label(value, self._site.language)
        if name == "status":
            return self._calls.status(value)
        if name == "order" and value in ORDERS:
            return self._site.gettext(ORDERS[value])
        try:
            if name in _DAYS:
                return texts.day(date.fromisoformat(value))
            if name in _MONEY:
                return texts.money(int(value))
        except ValueError:  # of an earlier release, say: told as it was kept
            return value
        return value.upper() if name == "form" else value
