"""Recognised words as ALTO, the format in which libraries and archives keep page layouts.

ALTO 4.4 (Library of Congress), measured in pixels of the upright page. The engine's blocks are not
kept, so each page is one block; words, their places, their lines, baselines and confidences are
what was recognised. A page without words (blank, or with a text of its own) is an empty page.
"""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ingest.product import PRODUCT
from workers.recognition.words import Box, Line, Words

MEDIA_TYPE: Final = "application/alto+xml"
_NAMESPACE: Final = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA: Final = f"{_NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_HUNDRED: Final = 100


@dataclass(frozen=True, kw_only=True)
class LaidPage:
    """A page of a document.

    Attributes:
        number: Its place in the document, from 1.
        image: Name of the image: its SHA-256.
        words: None where nothing was recognised.
        engine: Name and version of what read it, None where nothing did.
    """

    number: int
    image: str
    words: Words | None
    engine: str | None = None


def alto(pages: Iterable[LaidPage]) -> bytes:
    """Return the ALTO file of a document, UTF-8."""
    root = ET.Element(
        "alto",
        {
            "xmlns": _NAMESPACE,
            "xmlns:xsi": _XSI,
            "xsi:schemaLocation": _SCHEMA,
            "SCHEMAVERSION": "4.4",
        },
    )
    description = ET.SubElement(root, "Description")
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    layout = ET.Element("Layout")
    engines: dict[str, None] = {}
    for page in pages:
        _page(layout, page)
        if page.engine is not None:
            engines[page.engine] = None
    for number, engine in enumerate(engines, 1):
        _processing(description, number, engine)
    root.append(layout)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _processing(description: ET.Element, number: int, engine: str) -> None:
    processing = ET.SubElement(description, "Processing", {"ID": f"OCR{number}"})
    ET.SubElement(processing, "processingCategory").text = "contentGeneration"
    ET.SubElement(processing, "processingStepDescription").text = "text recognition"
    software = ET.SubElement(processing, "processingSoftware")
    ET.SubElement(software, "softwareCreator").text = PRODUCT
    ET.SubElement(software, "softwareName").text = engine


def _page(layout: ET.Element, page: LaidPage) -> None:
    words = page.words
    attributes = {"ID": f"P{page.number}", "PHYSICAL_IMG_NR": str(page.number)}
    if words is None:
        attributes |= {"WIDTH": "0", "HEIGHT": "0", "PAGECLASS": "no recognised text"}
        ET.SubElement(layout, "Page", attributes)
        return
    attributes |= {"WIDTH": str(words.width), "HEIGHT": str(words.height)}
    confidence = words.confidence()
    if confidence is not None:
        attributes["PC"] = f"{confidence / _HUNDRED:.3f}"
    holder = ET.SubElement(layout, "Page", attributes)
    holder.append(ET.Comment(f" image sha256 {page.image} "))
    place = _place((0, 0, words.width, words.height))
    space = ET.SubElement(holder, "PrintSpace", place)
    if words.lines:
        block = ET.SubElement(space, "TextBlock", {"ID": f"P{page.number}B1", **place})
        for number, line in enumerate(words.lines, 1):
            _line(block, f"P{page.number}L{number}", line)


def _line(block: ET.Element, name: str, line: Line) -> None:
    attributes = {"ID": name, **_place(line.box)}
    if line.baseline is not None:
        left, _, right, bottom = line.box
        slope, lift = line.baseline
        start = bottom - lift
        end = start + slope * (right - left)
        attributes["BASELINE"] = f"{left},{start:.0f} {right},{end:.0f}"
    element = ET.SubElement(block, "TextLine", attributes)
    for number, word in enumerate(line.words, 1):
        if number > 1:
            ET.SubElement(element, "SP")
        confidence = min(max(word.confidence / _HUNDRED, 0.0), 1.0)
        ET.SubElement(
            element,
            "String",
            {
                "ID": f"{name}W{number}",
                "CONTENT": _written(word.text),
                "WC": f"{confidence:.3f}",
                **_place(word.box),
            },
        )


def _place(box: Box) -> dict[str, str]:
    left, top, right, bottom = box
    return {
        "HPOS": str(left),
        "VPOS": str(top),
        "WIDTH": str(max(right - left, 0)),
        "HEIGHT": str(max(bottom - top, 0)),
    }


def _written(text: str) -> str:
    """Return the text without what XML 1.0, 2.2, cannot write: controls and halves."""
    return "".join(each for each in text if unicodedata.category(each) not in {"Cc", "Cs"})
