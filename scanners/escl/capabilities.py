"""What an eSCL device says of itself and of its state (Mopria eSCL 2.97, sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from scanners.device import DeviceGone, Feed

_LARGEST: Final = 1 << 20
_UNIT: Final = 300  #: escl:ThreeHundredthsOfInches
_MM: Final = 25.4
#: Where each way of feeding is described.
_CAPS: Final = {
    Feed.FLATBED: ("PlatenInputCaps",),
    Feed.FEEDER: ("AdfSimplexInputCaps",),
    Feed.DUPLEX: ("AdfDuplexInputCaps",),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One way of feeding and what it can do.

    Attributes:
        modes: As eSCL names them: BlackAndWhite1, Grayscale8, RGB24 …
        formats: Media types of documents.
        resolutions: Discrete ones; empty where a range is given.
        span: Lowest, highest and step of a range; None where discrete.
        width_mm, height_mm: The largest area.
    """

    modes: tuple[str, ...]
    formats: tuple[str, ...]
    resolutions: tuple[int, ...]
    span: tuple[int, int, int] | None
    width_mm: float
    height_mm: float


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a device told under `ScannerCapabilities`.

    Attributes:
        threshold: Lowest, highest and step of the threshold for bitonal; None without one.
    """

    version: str
    model: str
    vendor: str
    serial: str | None
    firmware: str | None
    sources: dict[Feed, Source]
    threshold: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What a device told under `ScannerStatus`.

    Attributes:
        device: Idle, Processing, Testing, Stopped, Down.
        feeder: ScannerAdfLoaded, ScannerAdfEmpty, ScannerAdfJam, …; None without one.
        completed: By job's path, how many images it says it made; absent where it does not.
    """

    device: str
    feeder: str | None
    completed: dict[str, int]


def capabilities(document: bytes) -> Capabilities:
    """Read the capabilities.

    Raises:
        DeviceGone: It is no such document.
    """
    root = _parsed(document, "ScannerCapabilities")
    return Capabilities(
        version=_text(root, "Version") or "2.0",
        model=_text(root, "MakeAndModel") or "",
        vendor=_text(root, "Manufacturer") or "",
        serial=_text(root, "SerialNumber"),
        firmware=_text(root, "FirmwareVersion"),
        sources={feed: source for feed in _CAPS if (source := _source(root, feed)) is not None},
        threshold=_limits(root, "ThresholdSupport"),
    )


def state(document: bytes) -> State:
    """Read the state.

    Raises:
        DeviceGone: It is no such document.
    """
    root = _parsed(document, "ScannerStatus")
    completed: dict[str, int] = {}
    for job in _all(root, "JobInfo"):
        path, images = _text(job, "JobUri"), _text(job, "ImagesCompleted")
        if path and images and images.isdecimal():
            completed[path] = int(images)
    return State(
        device=_text(root, "State") or "",
        feeder=_text(root, "AdfState"),
        completed=completed,
    )


def _source(root: Element, feed: Feed) -> Source | None:
    for name in _CAPS[feed]:
        for caps in _all(root, name):
            exact = sorted(
                {
                    int(across)
                    for pair in _all(caps, "DiscreteResolution")
                    if (across := _text(pair, "XResolution") or "").isdecimal()
                    and across == _text(pair, "YResolution")
                }
            )
            return Source(
                modes=tuple(_texts(caps, "ColorMode")),
                formats=tuple(
                    dict.fromkeys(
                        [*_texts(caps, "DocumentFormatExt"), *_texts(caps, "DocumentFormat")]
                    )
                ),
                resolutions=tuple(exact),
                span=_limits(caps, "XResolutionRange"),
                width_mm=_number(caps, "MaxWidth") / _UNIT * _MM,
                height_mm=_number(caps, "MaxHeight") / _UNIT * _MM,
            )
    return None


def _limits(caps: Element, of: str) -> tuple[int, int, int] | None:
    for found in _all(caps, of):
        low, high, step = (_number(found, name) for name in ("Min", "Max", "Step"))
        if high:
            return low, high, step or 1
    return None


def _parsed(document: bytes, wanted: str) -> Element:
    try:
        root: Element = fromstring(document[:_LARGEST])
    except (ParseError, DefusedXmlException, ValueError) as error:
        message = f"no eSCL {wanted}: {error}"
        raise DeviceGone(message) from error
    if _local(root) != wanted:
        message = f"no eSCL {wanted} but {_local(root)}"
        raise DeviceGone(message)
    return root


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if _local(element) == name)


def _texts(root: Element, name: str) -> Iterator[str]:
    said = ((element.text or "").strip() for element in _all(root, name))
    return (text for text in said if text)


def _text(root: Element, name: str) -> str | None:
    return next(_texts(root, name), None)


def _number(root: Element, name: str) -> int:
    found = _text(root, name) or ""
    return int(found) if found.isdecimal() else 0
