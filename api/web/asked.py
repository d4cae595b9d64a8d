"""What the addresses and forms of pages say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

# A line that people may write into a field: without control signs, which no database takes all of.
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
# Where a list goes on: behind what is numbered so.
Number = Annotated[int, Field(ge=1, lt=10**18)]


class Stated(BaseModel):
    """Parameters of an address, all of them optional: a form also sends its empty fields."""

    @field_validator("*", mode="before")
    @classmethod
    def _stated(cls, value: Any) -> Any:
        return value or None
