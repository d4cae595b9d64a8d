"""What routes leave in the audit trail: a dependency that knows who asks, and under which id."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from api.access import CurrentCaller, OpenKnowledgeBase
from kb.audited import Audit

__all__ = ["Audit", "Audited", "stated"]


async def request_audit(request: Request, caller: CurrentCaller, kb: OpenKnowledgeBase) -> Audit:
    """The trail of this request."""
    return Audit(kb, caller, request.state.request_id)


Audited = Annotated[Audit, Depends(request_audit)]


def stated(asked: BaseModel, *without: str) -> dict[str, Any]:
    """What a request states beside the question, which is one of the fields to leave out."""
    values = asked.model_dump(mode="json", exclude=set(without), exclude_defaults=True)
    return {name: value for name, value in values.items() if value not in (None, [], "")}
