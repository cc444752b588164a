"""The validation report of one file: ETSI TS 119 102-2, one part for each signature.

For signatures inside a PDF the part is pyHanko's, with the certificates and revocation data it
used; for all others it holds what the verdict says. Either way the status is ours, and what the
standard has no element for (changes after the signature, qualification) stands as report data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from defusedxml import ElementTree
from pyhanko.sign.validation.report.tools import generate_report

from ingest.document import Facts
from workers.inspection.signatures.verdicts import Verdict

MEDIA_TYPE: Final = "application/xml"
_REPORT: Final = "http://uri.etsi.org/19102/v1.2.1#"
_SPACES: Final = {
    "vr": _REPORT,
    "XAdES": "http://uri.etsi.org/01903/v1.3.2#",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_MAIN: Final = "urn:etsi:019102:mainindication:"
_SUB: Final = "urn:etsi:019102:subindication:"
_OURS: Final = "urn:scanstrasse:report:"
_STATUS: Final = "SignatureValidationStatus"
_OBJECTS: Final = "SignatureValidationObjects"


def of_pdf(signature: Any, result: Any) -> str | None:
    """Return pyHanko's report about a signature in a PDF, None where it cannot make one."""
    if result.api_status is None:
        return None
    try:
        made: str = generate_report(signature, result)
        ElementTree.fromstring(made)
    # Its report writer stumbles over optional entries of the signature's dictionary, and repeats
    # characters that no XML may hold.
    except Exception:  # noqa: BLE001 - then the report has our part only
        return None
    return made


def rendered(verdicts: Sequence[Verdict], source_sha256: str, facts: Facts) -> bytes:
    """Return the report about all signatures of one file, as XML.

    Args:
        verdicts: At least one.
        source_sha256: Of the file.
        facts: Of the validation: when it was (`validated_at`) and whom the house trusted then
            (`anchors`).
    """
    for prefix, space in _SPACES.items():
        ET.register_namespace(prefix, space)
    root = ET.Element(_name("ValidationReport"))
    objects: dict[str, ET.Element] = {}
    for verdict in verdicts:
        part = _theirs(verdict, objects)
        if part is None:
            part = ET.Element(_name("SignatureValidationReport"))
            time = ET.SubElement(part, _name("ValidationTimeInfo"))
            ET.SubElement(time, _name("ValidationTime")).text = facts["validated_at"]
        _with_status(part, verdict, source_sha256, facts["anchors"])
        root.append(part)
    if objects:
        ET.SubElement(root, _name(_OBJECTS)).extend(objects.values())
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _theirs(verdict: Verdict, objects: dict[str, ET.Element]) -> ET.Element | None:
    """Return the part that pyHanko made, and add what it rests on to `objects`."""
    if verdict.report is None:
        return None
    root = ElementTree.fromstring(verdict.report)
    for one in root.iterfind(f"{_name(_OBJECTS)}/*"):
        objects.setdefault(one.get("id", str(len(objects))), one)
    part: ET.Element | None = root.find(_name("SignatureValidationReport"))
    return part


def _with_status(part: ET.Element, verdict: Verdict, source: str, anchors: Facts) -> None:
    for old in part.findall(_name(_STATUS)):
        part.remove(old)
    status = ET.SubElement(part, _name(_STATUS))
    indication = verdict.indication.lower().replace("_", "-")
    ET.SubElement(status, _name("MainIndication")).text = f"{_MAIN}{indication}"
    if verdict.subindication is not None:
        ET.SubElement(status, _name("SubIndication")).text = f"{_SUB}{verdict.subindication}"
    associated = ET.SubElement(status, _name("AssociatedValidationReportData"))
    additional = ET.SubElement(associated, _name("AdditionalValidationReportData"))
    for kind, value in _ours(verdict, source, anchors):
        entry = ET.SubElement(additional, _name("ReportData"))
        ET.SubElement(entry, _name("Type")).text = f"{_OURS}{kind}"
        ET.SubElement(entry, _name("Value")).text = value


def _ours(verdict: Verdict, source: str, anchors: Facts) -> Iterable[tuple[str, str]]:
    facts = verdict.facts()
    yield "source-sha256", source
    for name in ("format", "level", "signer", "certificate_sha256", "modification", "detail"):
        if facts[name]:
            yield name.replace("_", "-"), str(facts[name])
    for name in ("claimed_at", "proven_at"):
        if facts[name]:
            yield name.replace("_", "-"), str(facts[name])
    yield "qualified", str(facts["qualified"]["answer"])
    yield "person-must-look", "true" if facts["look"] else "false"
    yield "trusted-lists", str(anchors["trusted_lists"])
    if anchors["trusted_lists_sha256"]:
        yield "trusted-lists-sha256", str(anchors["trusted_lists_sha256"])
    yield "text", str(facts["text"])


def _name(tag: str) -> str:
    return f"{{{_REPORT}}}{tag}"
