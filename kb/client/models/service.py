"""The service itself: what it holds, whether it is well, and what has gone wrong."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from kb.client.models.base import Shape


class GenerationState(Shape):
    """The published state that every request is answered from, as far as the caller sees it."""

    id: int
    created: datetime
    documents: int
    passages: int


class Status(Shape):
    """What the service holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": "0.1.0",
                    "generation": {
                        "id": 4,
                        "created": "2026-11-23T09:30:00+00:00",
                        "documents": 18,
                        "passages": 254,
                    },
                }
            ]
        }
    )

    version: str = Field(description="The version of this software.")
    generation: GenerationState | None = Field(description="Null as long as nothing is ingested.")


class Health(Shape):
    """The service runs."""

    status: Literal["alive"]


class Readiness(Shape):
    """The service is ready to answer: what was tried, and that it is well."""

    status: Literal["ready"]
    checks: dict[Literal["encoder", "index", "database"], Literal[True]]


class FieldError(Shape):
    """A field that can't be used."""

    field: str
    message: str


class Problem(Shape):
    """What went wrong, as in RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/request-not-understood",
                    "title": "Request not understood",
                    "status": 422,
                    "detail": "These fields can't be used: top_k.",
                    "instance": "/v1/search",
                    "request_id": "4f1c2a9be07d4d5f8c63a1b2c3d4e5f6",
                    "errors": [
                        {
                            "field": "top_k",
                            "message": "Input should be less than or equal to 100",
                        }
                    ],
                }
            ]
        }
    )

    type: str = Field(description="What kind of problem it is; it stays the same for programs.")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = Field(None, description="Names the request in the service's log.")
    errors: list[FieldError] | None = Field(None, description="The fields of a bad request.")
