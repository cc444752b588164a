"""What every section of a profile has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Section(BaseModel):
    """A table of a profile's file: unknown keys are refused, and nothing is converted.

    Strict: "no" is not False and "3" is not 3. Only arrays may become tuples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
