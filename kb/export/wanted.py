"""Quotes that somebody chose, as answers give their citations: by place, and with their words."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kb.briefs.model import Reference
from kb.model import Span

MAX_SPANS: Final = 50
MAX_QUOTE: Final = 20_000  # characters
_MAX_NUMBER: Final = 1_000_000
_MAX_OFFSET: Final = 100_000_000


def _a_number(value: Any) -> Any:
    """A number of JSON: neither a text with digits nor a truth."""
    if isinstance(value, str | bool):
        raise ValueError("Input should be a valid integer")  # noqa: TRY004 -- pydantic's own
    return value


Number = Annotated[int, Field(ge=1, le=_MAX_NUMBER), BeforeValidator(_a_number)]
Offset = Annotated[int, Field(ge=0, le=_MAX_OFFSET), BeforeValidator(_a_number)]


class WantedSpan(BaseModel):
    """`page_text[start:end]` of one page, or of one section of a format without pages."""

    page: Number | None = Field(None, description="The physical page, 1-based.")
    section: Number | None = Field(None, description="The section of a format without pages.")
    start: Offset
    end: Offset


class WantedQuote(BaseModel):
    """A quote by its place; a citation as an answer gives it is one, other members pass."""

    model_config = ConfigDict(title="WantedQuote")

    document_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
    version: Number = Field(description="The version that is quoted.")
    spans: list[WantedSpan] = Field(
        min_length=1, max_length=MAX_SPANS, description="Where the words stand, in reading order."
    )
    quote: str | None = Field(
        None,
        max_length=MAX_QUOTE,
        description="The words as they were given: where the page has others, there is no quote.",
    )

    def reference(self) -> Reference:
        """The quote as a brief holds it."""
        spans = (Span(each.page, None, each.section, each.start, each.end) for each in self.spans)
        return Reference(self.document_id, self.version, tuple(spans))

    def is_given_by(self, quote: str) -> bool:
        """Whether a page's words are those that were given, however they are spaced."""
        return self.quote is None or _unspaced(self.quote) == _unspaced(quote)


def _unspaced(text: str) -> str:
    return "".join(text.split())
