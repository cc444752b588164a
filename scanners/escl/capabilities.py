"""What an eSCL device says of itself and of its state (Mopria eSCL 2.97, sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from scanners.device import DeviceGone, Feed

_LONGEST_TEXT: Final = 300
_DIGITS: Final = 9
_MOST: Final = 50  #: of anything a device lists
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
class JobState:
    """What a device told of one job.

    Attributes:
        state: Pending, Processing, Completed, Canceled, Aborted.
        made: Images it says it made; None where it does not say.
    """

    state: str
    made: int | None


@dataclass(frozen=True, kw_only=True)
class State:
    """What a device told under `ScannerStatus`.

    Attributes:
        device: Idle, Processing, Testing, Stopped, Down.
        feeder: ScannerAdfLoaded, ScannerAdfEmpty, ScannerAdfJam, …; None without one.
        jobs: Those it still knows, by their path.
    """

    device: str
    feeder: str | None
    jobs: dict[str, JobState]


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
    jobs = {
        path_of(_text(job, "JobUri") or ""): JobState(
            state=_text(job, "JobState") or "",
            made=_number(job, "ImagesCompleted"),
        )
        for job in _all(root, "JobInfo")
    }
    return State(
        device=_text(root, "State") or "",
        feeder=_text(root, "AdfState"),
        jobs=jobs,
    )


def path_of(location: str) -> str:
    """Return the path of an address a device gave; empty where it is none.

    A device names itself by any of its names, so the path alone counts: it is always asked of the
    device that was opened.
    """
    try:
        path = urlsplit(location).path.rstrip("/")
    except ValueError:
        return ""
    return path if path.startswith("/") else ""


def _source(root: Element, feed: Feed) -> Source | None:
    caps = next((each for name in _CAPS[feed] for each in _all(root, name)), None)
    if caps is None and feed is Feed.DUPLEX and "Duplex" in _texts(root, "AdfOption"):
        return _source(root, Feed.FEEDER)  # it feeds both sides and describes them once
    if caps is None:
        return None
    exact = {
        across
        for pair in _all(caps, "DiscreteResolution")
        if (across := _number(pair, "XResolution")) and across == _number(pair, "YResolution")
    }
    formats = [*_texts(caps, "DocumentFormatExt"), *_texts(caps, "DocumentFormat")]
    return Source(
        modes=tuple(_texts(caps, "ColorMode")),
        formats=tuple(dict.fromkeys(formats)),
        resolutions=tuple(sorted(exact)),
        span=_limits(caps, "XResolutionRange"),
        width_mm=(_number(caps, "MaxWidth") or 0) / _UNIT * _MM,
        height_mm=(_number(caps, "MaxHeight") or 0) / _UNIT * _MM,
    )


def _limits(caps: Element, of: str) -> tuple[int, int, int] | None:
    for found in _all(caps, of):
        low, high, step = (_number(found, name) or 0 for name in ("Min", "Max", "Step"))
        if high:
            return low, high, step or 1
    return None


def _parsed(document: bytes, wanted: str) -> Element:
    try:
        root: Element = fromstring(document)
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
    found = (element for element in root.iter() if _local(element) == name)
    return islice(found, _MOST)  # nested ten thousand deep they would take for ever


def _texts(root: Element, name: str) -> Iterator[str]:
    said = ((element.text or "").strip() for element in _all(root, name))
    return (text for text in said if text)


def _text(root: Element, name: str) -> str | None:
    """Return the first text of this name, as may be shown: one line of a sensible length."""
    found = next(_texts(root, name), None)
    return found and "".join(each for each in found if each.isprintable())[:_LONGEST_TEXT]


def _number(root: Element, name: str) -> int | None:
    found = _text(root, name) or ""
    return int(found) if found.isdecimal() and len(found) <= _DIGITS else None
