"""What a profile asks of the scanner, before the first sheet moves.

What a device would do to the image by itself (leave blank pages out, straighten, crop, remove
specks) is no key of a profile: drivers switch it off and record it, because a replacing scan is
the paper and nothing else (BSI TR-03138 V1.5, A.NB.1). Blank pages are left out later, recorded,
by `[separation]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from profiles.section import Section

Wish = Literal["paper", "threshold"]

#: Our choice; enough for recognition of usual print.
_USUAL_DPI: Final = 300
_USUAL_DEPTH: Final = 8
#: How sheets are fed where the profile says how they lie; None: nobody knows, so no back is lost.
_FEEDS: Final = MappingProxyType(
    {None: "duplex", "duplex": "duplex", "simplex": "feeder", "fronts_then_backs": "feeder"}
)
#: Ways of feeding that deliver what the stack is then taken for.
_FITTING: Final = MappingProxyType(
    {
        "duplex": ("duplex",),
        "simplex": ("feeder", "flatbed"),
        "fronts_then_backs": ("feeder", "flatbed"),
    }
)


class ScanRules(Section):
    """What is demanded of the scanner: what it cannot do is refused, never rounded.

    Attributes:
        dpi: Both axes; None: 300, or more where `[checking].minimum_dpi` asks for more.
        depth: Bits a sample; None: 1 for bitonal, else 8.
        feed: `feeder` takes fronts only, `duplex` front and back of each sheet; None follows
            `[separation].sides`, and is `duplex` where that says nothing.
        paper: The area that is scanned, upright.
        threshold: For bitonal, 0 … 255; None leaves it to the device.
        timeout: Seconds without a byte after which the device counts as stalled.
        wished: Of these the scan goes on without what the device cannot do; it is recorded.
    """

    dpi: int | None = Field(None, ge=50, le=2400)
    mode: Literal["bitonal", "grey", "colour"] = "colour"
    depth: Literal[1, 8, 16] | None = None
    feed: Literal["flatbed", "feeder", "duplex"] | None = None
    paper: Literal["A3", "A4", "A5", "letter"] = "A4"
    threshold: int | None = Field(None, ge=0, le=255)
    timeout: float = Field(60.0, ge=1, le=3600)
    wished: Annotated[tuple[Wish, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        bitonal = self.mode == "bitonal"
        if self.depth is not None and (self.depth == 1) != bitonal:
            message = f'depth = {self.depth} und mode = "{self.mode}" widersprechen sich'
            raise ValueError(message)
        if self.threshold is not None and not bitonal:
            raise ValueError('threshold wirkt nur mit mode = "bitonal"')
        if len(set(self.wished)) < len(self.wished):
            raise ValueError("wished nennt einen Schlüssel mehrfach")
        if "threshold" in self.wished and self.threshold is None:
            raise ValueError('wished nennt "threshold", aber threshold steht nicht da')
        return self

    def asked(self, *, sides: str | None, minimum_dpi: int) -> dict[str, Any]:
        """Return what is asked of a device, every value said: a JSON object.

        Its keys are those of `scanners.device.ScanSettings`, whose `from_json` reads it.

        Args:
            sides: `[separation].sides`.
            minimum_dpi: `[checking].minimum_dpi`.
        """
        return {
            "dpi": self.dpi or max(_USUAL_DPI, minimum_dpi),
            "mode": self.mode,
            "depth": self.depth or (1 if self.mode == "bitonal" else _USUAL_DEPTH),
            "feed": self.feed or _FEEDS[sides],
            "paper": self.paper,
            "threshold": self.threshold,
            "timeout": self.timeout,
            "wished": list(self.wished),
        }


def asked_by(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the kept content of a profile's version asks of a device, see `ScanRules.asked`.

    Versions from before there was a section `[scan]` ask what its defaults do.
    """
    rules = ScanRules.model_validate(content.get("scan", {}))
    sides = content.get("separation", {}).get("sides")
    return rules.asked(sides=sides, minimum_dpi=content.get("checking", {}).get("minimum_dpi", 0))


def contradictions(
    rules: ScanRules, *, sides: str | None, minimum_dpi: int, scanned: bool
) -> Iterator[str]:
    """Yield German sentences on what does not fit the other sections of the profile.

    Args:
        rules: Of the profile.
        sides: `[separation].sides`.
        minimum_dpi: `[checking].minimum_dpi`.
        scanned: Whether arrivals under the profile come from paper at all.
    """
    if not scanned and rules != ScanRules():
        yield '[scan] wirkt nur mit intake.origin = "scan"; bitte entfernen'
    if rules.dpi is not None and rules.dpi < minimum_dpi:
        yield (
            f"scan.dpi = {rules.dpi} liegt unter checking.minimum_dpi = {minimum_dpi}: jede Seite "
            "würde beanstandet; bitte eines von beiden ändern"
        )
    if rules.feed is not None and sides is not None and rules.feed not in _FITTING[sides]:
        yield f'scan.feed = "{rules.feed}" und separation.sides = "{sides}" widersprechen sich'
