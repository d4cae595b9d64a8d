"""Saying what one thinks of an answer: whether it helped, what is wrong, what is missing."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import HTMLResponse

from api.access import OpenKnowledgeBase
from api.authentication import is_cross_site
from api.feedback import keep
from api.feedback_schemas import MAX_COMMENT, FeedbackRequest
from api.login import FormCaller
from api.problems import CrossSiteError
from api.web.site import Site
from kb.model import FeedbackKind

router = APIRouter(include_in_schema=False)

_MAX_FIELD: Final = 20_000
_SAID: Final[TypeAdapter[FeedbackRequest]] = TypeAdapter(FeedbackRequest)

Text = Annotated[str, Field(max_length=_MAX_FIELD)]


class Said(BaseModel):
    """What the form below an answer holds; ``cited`` is a citation as JSON."""

    kind: FeedbackKind | None = None
    question: Text = ""
    comment: Text = ""
    cited: Text = ""


@router.post("/feedback")
def take_feedback(
    said: Annotated[Said, Form()], request: Request, caller: FormCaller, kb: OpenKnowledgeBase
) -> HTMLResponse:
    """Keep what somebody says, and thank them.

    Raises:
        CrossSiteError: The form is of another site.
    """
    if is_cross_site(request.scope):
        raise CrossSiteError
    site = Site(request, caller)
    stated: dict[str, object] = {
        "kind": said.kind,
        "question": said.question.strip() or None,
        "comment": said.comment.strip() or None,
    }
    if said.kind is FeedbackKind.WRONG_CITATION:
        stated["citation"] = _cited(said.cited)
    try:
        keep(_SAID.validate_python(stated), caller, kb)
    except ValidationError as error:
        fields = {str(part) for found in error.errors() for part in found["loc"]}
        return site.page(
            "feedback.html", status=422, said=said, fault=_fault(fields, site), most=MAX_COMMENT
        )
    return site.page("feedback_taken.html", said=said)


def _cited(text: str) -> object:
    """The citation that the form holds, to be checked with the rest; nothing of what is none."""
    try:
        return TypeAdapter(dict[str, object]).validate_json(text)
    except ValidationError:
        return None


def _fault(fields: set[str], site: Site) -> str:
    if "citation" in fields:
        return site.gettext("Choose the quote that is wrong.")
    if "comment" in fields:
        return site.gettext(
            "Say it in words, in at most %(most)s characters.",
            most=site.texts.number(MAX_COMMENT),
        )
    return site.gettext("Choose what you want to say.")
