"""What the service has taken note of: a saved search, feedback."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, JsonValue

from kb.client.models.base import Shape
from kb.model import FeedbackKind


class Feeds(Shape):
    """The secret addresses of a search, for calendars and feed readers."""

    ics: str
    atom: str


class CreatedSearch(Shape):
    """A search that was saved. Its secret is shown this once; whoever has it can read and delete.

    `email` is `to_be_confirmed` where an address was given.
    """

    name: str
    query: dict[str, JsonValue]
    language: str
    created: datetime
    secret: str
    feeds: Feeds
    email: Literal["to_be_confirmed"] | None


class FeedbackReceived(Shape):
    """Feedback that is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "helpful", "received": "2026-11-23T09:30:00+00:00"}]
        }
    )

    kind: FeedbackKind
    received: datetime
