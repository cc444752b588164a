"""The request for a scan and what it demands of the device (Mopria eSCL 2.97, section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from xml.sax.saxutils import escape

from scanners.device import Effective, Feed, Mode, ScanSettings, SettingRefused
from scanners.escl.capabilities import Capabilities, Source

_MODES: Final = MappingProxyType(
    {
        Mode.BITONAL: {1: "BlackAndWhite1"},
        Mode.GREY: {8: "Grayscale8", 16: "Grayscale16"},
        Mode.COLOUR: {8: "RGB24", 16: "RGB48"},
    }
)
#: In order of preference: an image keeps the page one thing; PDF where there is nothing else.
_FORMATS: Final = ("image/jpeg", "image/tiff", "image/png", "application/pdf")
_BITONAL_FORMATS: Final = ("image/tiff", "application/pdf", "image/png", "image/jpeg")
_UNIT: Final = 300
_MM: Final = 25.4
_TOLERANCE_MM: Final = 1.0
_REQUEST: Final = """<?xml version="1.0" encoding="UTF-8"?>
<scan:ScanSettings xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"
 xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm">
<pwg:Version>{version}</pwg:Version>
<pwg:ScanRegions><pwg:ScanRegion>
<pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>
<pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>
<pwg:Width>{width}</pwg:Width><pwg:Height>{height}</pwg:Height>
</pwg:ScanRegion></pwg:ScanRegions>
<pwg:InputSource>{source}</pwg:InputSource>
<scan:ColorMode>{mode}</scan:ColorMode>
<scan:XResolution>{dpi}</scan:XResolution><scan:YResolution>{dpi}</scan:YResolution>
<pwg:DocumentFormat>{format}</pwg:DocumentFormat>
<scan:DocumentFormatExt>{format}</scan:DocumentFormatExt>
{optional}<scan:BlankPageDetectionAndRemoval>false</scan:BlankPageDetectionAndRemoval>
</scan:ScanSettings>
"""


def request(
    able: Capabilities, settings: ScanSettings
) -> tuple[bytes, Mapping[str, Effective], str]:
    """Return the request, what is asked for by our names, and the media type of pages.

    Raises:
        SettingRefused: The device cannot do what is demanded; the text names it.
    """
    source = able.sources.get(settings.feed)
    if source is None:
        raise _refused("source", settings.feed, ", ".join(able.sources))
    mode = _mode(source, settings)
    if not _has_resolution(source, settings.dpi):
        raise _refused("resolution", settings.dpi, _resolutions(source))
    media_type = _format(source, settings)
    taken = _paper(source, settings)
    threshold = _threshold(able, settings)
    named = "Platen" if settings.feed is Feed.FLATBED else "Feeder"
    duplex = settings.feed is Feed.DUPLEX
    optional = [] if settings.feed is Feed.FLATBED else [("Duplex", str(duplex).lower())]
    optional += [] if threshold is None else [("Threshold", str(threshold))]
    width, height = settings.size_mm
    body = _REQUEST.format(
        version=escape(able.version),
        width=min(_units(width), _units(source.width_mm)),
        height=min(_units(height), _units(source.height_mm)),
        source=named,
        mode=mode,
        dpi=settings.dpi,
        format=media_type,
        optional="".join(f"<scan:{name}>{value}</scan:{name}>\n" for name, value in optional),
    )
    asked: dict[str, tuple[str, Any, Any]] = {
        "source": ("InputSource", str(settings.feed), named),
        "duplex": ("Duplex", duplex, duplex),
        "mode": ("ColorMode", str(settings.mode), mode),
        "resolution": ("XResolution", settings.dpi, settings.dpi),
        "paper": ("ScanRegion", settings.paper, taken),
        "format": ("DocumentFormatExt", None, media_type),
        "blank pages": ("BlankPageDetectionAndRemoval", False, False),
    }
    if settings.threshold is not None and settings.mode is Mode.BITONAL:
        asked["threshold"] = ("Threshold", settings.threshold, threshold)
    effective = {
        ours: Effective(option=option, requested=wanted, effective=made)
        for ours, (option, wanted, made) in asked.items()
    }
    return body.encode(), effective, media_type


def _mode(source: Source, settings: ScanSettings) -> str:
    mode = _MODES[settings.mode].get(settings.depth)
    if mode is None or mode not in source.modes:
        wanted = f"{settings.mode}, {settings.depth} Bit"
        raise _refused("mode", wanted, ", ".join(source.modes))
    return mode


def _format(source: Source, settings: ScanSettings) -> str:
    wanted = _BITONAL_FORMATS if settings.mode is Mode.BITONAL else _FORMATS
    media_type = next((each for each in wanted if each in source.formats), None)
    if media_type is None:
        raise _refused("format", ", ".join(wanted), ", ".join(source.formats))
    return media_type


def _paper(source: Source, settings: ScanSettings) -> str:
    """Return the paper, or the area that is taken in place of a paper that was only wished."""
    (width, height), across, down = settings.size_mm, source.width_mm, source.height_mm
    if width <= across + _TOLERANCE_MM and height <= down + _TOLERANCE_MM:
        return settings.paper
    offered = f"{across:.0f} × {down:.0f} mm"
    if "paper" not in settings.wished:
        raise _refused("paper", settings.paper, offered)
    return offered


def _threshold(able: Capabilities, settings: ScanSettings) -> int | None:
    """Return the threshold to ask for, None to leave it to the device."""
    wanted, limits = settings.threshold, able.threshold
    if wanted is None or settings.mode is not Mode.BITONAL:
        return None
    if limits is not None and _on_step(limits, wanted):
        return wanted
    if "threshold" in settings.wished:
        return None
    raise _refused("threshold", wanted, "" if limits is None else _said(limits))


def _units(millimetres: float) -> int:
    return round(millimetres / _MM * _UNIT)


def _has_resolution(source: Source, dpi: int) -> bool:
    return dpi in source.resolutions if source.span is None else _on_step(source.span, dpi)


def _resolutions(source: Source) -> str:
    if source.span is not None:
        return _said(source.span)
    return ", ".join(str(each) for each in source.resolutions)


def _on_step(limits: tuple[int, int, int], value: int) -> bool:
    low, high, step = limits
    return low <= value <= high and (value - low) % step == 0


def _said(limits: tuple[int, int, int]) -> str:
    return "{} bis {} in Schritten von {}".format(*limits)


def _refused(ours: str, wanted: object, offered: str) -> SettingRefused:
    text = (
        f"Das Gerät kann die Einstellung {ours} = {wanted} nicht; es bietet: "
        f"{offered or 'nichts'}. Es wurde kein Blatt eingezogen. Bitte ein anderes Profil oder "
        "Gerät wählen."
    )
    return SettingRefused(f"{ours}={wanted} refused, offered {offered}", operator_text=text)
