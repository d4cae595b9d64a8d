"""What all messages of the service have in common."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A message of the service, or a part of one.

    A member that is not known is an error, so that tests find where the service and what is said
    of it have drifted apart. The client reads with ``extra="ignore"``: a newer service does not
    break it.
    """

    model_config = ConfigDict(extra="forbid")
