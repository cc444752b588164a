"""The request for a scan and what it demands of the device (Mopria eSCL 2.97, section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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
{duplex}{threshold}<scan:BlankPageDetectionAndRemoval>false</scan:BlankPageDetectionAndRemoval>
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
    mode = _MODES[settings.mode].get(settings.depth)
    if mode is None or mode not in source.modes:
        wanted = f"{settings.mode}, {settings.depth} Bit"
        raise _refused("mode", wanted, ", ".join(source.modes))
    if not _has_resolution(source, settings.dpi):
        raise _refused("resolution", settings.dpi, _resolutions(source))
    wanted_formats = _BITONAL_FORMATS if settings.mode is Mode.BITONAL else _FORMATS
    media_type = next((each for each in wanted_formats if each in source.formats), None)
    if media_type is None:
        raise _refused("format", ", ".join(wanted_formats), ", ".join(source.formats))
    width, height = settings.size_mm
    if width > source.width_mm + _TOLERANCE_MM or height > source.height_mm + _TOLERANCE_MM:
        offered = f"{source.width_mm:.0f} × {source.height_mm:.0f} mm"
        raise _refused("paper", settings.paper, offered)
    named = "Platen" if settings.feed is Feed.FLATBED else "Feeder"
    duplex = settings.feed is Feed.DUPLEX
    body = _REQUEST.format(
        version=able.version,
        width=min(_units(width), _units(source.width_mm)),
        height=min(_units(height), _units(source.height_mm)),
        source=named,
        mode=mode,
        dpi=settings.dpi,
        format=media_type,
        duplex=""
        if settings.feed is Feed.FLATBED
        else f"<scan:Duplex>{str(duplex).lower()}</scan:Duplex>\n",
        threshold=_threshold(settings),
    )
    asked = {
        "source": Effective(option="InputSource", requested=str(settings.feed), effective=named),
        "duplex": Effective(option="Duplex", requested=duplex, effective=duplex),
        "mode": Effective(option="ColorMode", requested=str(settings.mode), effective=mode),
        "resolution": Effective(
            option="XResolution", requested=settings.dpi, effective=settings.dpi
        ),
        "format": Effective(option="DocumentFormatExt", requested=None, effective=media_type),
        "blank pages": Effective(
            option="BlankPageDetectionAndRemoval", requested=False, effective=False
        ),
    }
    return body.encode(), asked, media_type


def _threshold(settings: ScanSettings) -> str:
    if settings.threshold is None or settings.mode is not Mode.BITONAL:
        return ""
    return f"<scan:Threshold>{settings.threshold}</scan:Threshold>\n"


def _units(millimetres: float) -> int:
    return round(millimetres / _MM * _UNIT)


def _has_resolution(source: Source, dpi: int) -> bool:
    if source.span is not None:
        low, high, step = source.span
        return low <= dpi <= high and (dpi - low) % step == 0
    return dpi in source.resolutions


def _resolutions(source: Source) -> str:
    if source.span is not None:
        return "{} bis {} in Schritten von {}".format(*source.span)
    return ", ".join(str(each) for each in source.resolutions)


def _refused(ours: str, wanted: object, offered: str) -> SettingRefused:
    text = (
        f"Das Gerät kann die Einstellung {ours} = {wanted} nicht; es bietet: "
        f"{offered or 'nichts'}. Es wurde kein Blatt eingezogen. Bitte ein anderes Profil oder "
        "Gerät wählen."
    )
    return SettingRefused(f"{ours}={wanted} refused, offered {offered}", operator_text=text)
