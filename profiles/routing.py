"""What a profile says about the way to a department."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from profiles.section import Section, Text

#: Department names are folder names of the outbox: no dots, no separators, no spaces.
DEPARTMENT_PATTERN: Final = r"[a-z0-9äöüß][a-z0-9äöüß_-]{0,62}"

Department = Annotated[str, Field(pattern=f"^{DEPARTMENT_PATTERN}$")]


def is_department(name: str) -> bool:
    """Tell whether `name` may become a folder of the outbox."""
    return re.fullmatch(DEPARTMENT_PATTERN, name) is not None


class RoutingRule(Section):
    """One department and what points to it; each condition stands for itself.

    Attributes:
        barcode: Regular expression for the whole value of any code on any page.
        case_reference: Regular expression searched in the text; its first group, if it has
            one, is the Aktenzeichen.
        keywords: Words or phrases searched in the text, upper or lower case.
    """

    department: Department
    barcode: Text | None = None
    case_reference: Text | None = None
    keywords: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @field_validator("barcode", "case_reference")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                message = f"kein gültiger regulärer Ausdruck: {error}"
                raise ValueError(message) from error
            if compiled.fullmatch("") is not None:
                message = "der Ausdruck trifft auch auf leeren Text zu und damit auf alles"
                raise ValueError(message)
        return pattern

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.barcode is None and self.case_reference is None and not self.keywords:
            message = "die Regel braucht barcode, case_reference oder keywords"
            raise ValueError(message)
        return self


class RoutingRules(Section):
    """Which department gets the document.

    Attributes:
        default: The basket for everything no rule knows.
    """

    default: Department = "poststelle"
    rules: Annotated[tuple[RoutingRule, ...], Field(strict=False)] = ()
