"""What secures the integrity of a document of a class."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import model_validator

from profiles.protection import Means
from profiles.section import Section

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
_STAMPED: Final = ("B-T", "B-LT", "B-LTA")


class SealingRules(Section):
    """What secures the document's integrity.

    Attributes:
        key: `installation` makes an Installationssignatur, neither seal nor personal
            signature; `organisation` makes the seal of the organisation with the key in its
            token, without which the work waits.
        timestamp: A timestamp is demanded; without a configured authority the work waits.
        level: The PAdES level (ETSI EN 319 142-1) that is made, never a lower or higher one.
            None makes B-T where an authority is configured or `timestamp` demands it, else B-B.
        means: What the class has to have, `a…` advanced or `q…` qualified, seal or signature of
            a person (`aes`, `qes`); the certificate is held against it. None asks nothing.
        stamp: `ts` a timestamp, `qts` a qualified one, `none` expressly none.
    """

    key: Literal["installation", "organisation"] = "installation"
    timestamp: bool = False
    level: Level | None = None
    means: Means | None = None
    stamp: Literal["none", "ts", "qts"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _level_brings_timestamp(cls, given: Any) -> Any:
        """Set `timestamp` where a level says so, that a recorded profile reads the same again."""
        if isinstance(given, dict) and (
            given.get("level") in _STAMPED or given.get("stamp") in ("ts", "qts")
        ):
            return {"timestamp": True, **given}
        return given

    @model_validator(mode="after")
    def _level_can_be_made(self) -> Self:
        if self.level is not None and self.timestamp != (self.level in _STAMPED):
            said = "true" if self.timestamp else "false"
            message = f'timestamp = {said} und level = "{self.level}" widersprechen sich'
            raise ValueError(message)
        if self.level in ("B-LT", "B-LTA") and self.key != "organisation":
            message = (
                f'level = "{self.level}" braucht key = "organisation": über den Schlüssel der '
                "Installation gibt niemand Sperrauskunft"
            )
            raise ValueError(message)
        self._means_can_be_had()
        return self

    def _means_can_be_had(self) -> None:
        if self.stamp is not None and self.timestamp != (self.stamp != "none"):
            said = "true" if self.timestamp else "false"
            message = f'timestamp = {said} und stamp = "{self.stamp}" widersprechen sich'
            raise ValueError(message)
        if self.means is not None and self.key != "organisation":
            message = (
                f'means = "{self.means}" braucht key = "organisation": die Installationssignatur '
                "ist weder Siegel noch Signatur"
            )
            raise ValueError(message)
