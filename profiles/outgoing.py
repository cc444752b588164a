"""What a profile says about documents that leave the house under its seal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Millimetres = Annotated[int, Field(ge=0, le=1000)]
Extent = Annotated[int, Field(ge=10, le=400)]


class OutgoingRules(BaseModel):
    """Makes a profile one for outgoing documents, and says where a visible seal is put.

    The place is this system's own choice; no clause asks for one. It has to be left free by
    the house's templates, because nothing looks whether something stands there.

    Attributes:
        page: The page with the visible seal.
        left: Millimetres between the left edges of page and seal.
        bottom: Millimetres between the lower edges.
        width: Of the seal, in millimetres.
        height: Of the seal, in millimetres.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    page: Literal["first", "last"] = "last"
    left: Millimetres = 20
    bottom: Millimetres = 12
    width: Extent = 90
    height: Extent = 18
