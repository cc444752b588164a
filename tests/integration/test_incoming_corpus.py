"""Real signed files, attacks among them: each with its indication, whatever a library raises.

No trust is configured, so nothing can turn out valid: what a file is worth by itself is seen.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.errors import ScanstrasseError
from tests.plugins.stacks import CORPUS, Stack, needs_corpus

_UNROOTED = ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")
_OPEN = ("INDETERMINATE", "GENERIC")
_FORM = ("TOTAL_FAILED", "FORMAT_FAILURE")
_TABLE = Path(__file__).parents[2] / "docs" / "validation.md"

#: Signatures in order, and whether a person must look.
EXPECTED: dict[str, tuple[list[tuple[str, str]], bool]] = {
    "signed/dss__PAdES-LT.pdf": ([_UNROOTED] * 4, True),
    "signed/dss__Signature-C-DE_CRY-3.p7m": ([_UNROOTED], False),
    "signed/dss__Signature-C-HU_MIC-1.p7m": ([_UNROOTED], False),
    "signed/dss__Signature-P-DE_CRY-2_(HASH_FAILURE).pdf": (
        [("TOTAL_FAILED", "SIG_CRYPTO_FAILURE")],
        True,
    ),
    "signed/dss__Signature-P-DE_SCI-4.pdf": ([_UNROOTED] * 2, True),
    "signed/dss__certified-no-change-permitted.pdf": ([_UNROOTED], False),
    "signed/dss__modified_after_signature.pdf": ([_UNROOTED], True),
    "signed/dss__pades-5-signatures-and-1-document-timestamp.pdf": ([_OPEN] * 6, True),
    "signed/dss__pades-ltv.pdf": ([_UNROOTED] * 3, True),
    "signed/dss__pdf-signed-corrupted.pdf": ([_FORM], True),
    "signed/dss__pdf-signed-original.pdf": ([_UNROOTED], False),
    "signed/paperless-ngx__signed.pdf": ([_UNROOTED], False),
    "signed/pyhanko__pades-with-old-style-signing-cert-attr.pdf": ([_UNROOTED], False),
    "signed/testarea-pdfbox2__isa_A.pdf": ([_OPEN], True),
    "signed/testarea-pdfbox2__siwa_A.pdf": (
        [("INDETERMINATE", "CHAIN_CONSTRAINTS_FAILURE"), _FORM],
        True,
    ),
    "signed/testarea-pdfbox2__usf_01_Empty_Contents.pdf": ([_FORM], True),
    "mail/tika__testPKCS17Sig.xml.p7m": (
        [("INDETERMINATE", "CRYPTO_CONSTRAINTS_FAILURE")],
        False,
    ),
}
UNCHECKED = {
    "signed/digidoc4j__filename_mismatch_manifest.asice": "XAdES-Signatur im Container",
    "signed/dss__er-asn1-chain-renewal.asice": "Beweisdaten (Evidence Record) im Container",
}


def inspected(folder: Path, name: str) -> Stack:
    path = CORPUS / name
    stack = Stack(folder=folder, paths=[path])
    try:
        stack.inspect()
    except ScanstrasseError:  # held for its pages; a person lets it through as it is
        stack = Stack(folder=folder, paths=[path], released={"as_is": "yes"})
        stack.inspect()
    return stack


@needs_corpus
@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_signed_file_has_its_indication(tmp_path: Path, name: str) -> None:
    expected, look = EXPECTED[name]
    stack = inspected(tmp_path, name)
    told = stack.sources[0].facts["validation"]
    found = [(one["indication"], one["subindication"]) for one in told["signatures"]]
    assert found == expected
    assert told["look"] == look
    assert "gültig." not in told["text"].replace("nicht gültig", "")
    assert stack.context.read(stack.sources[0].sha256) == (CORPUS / name).read_bytes()


@needs_corpus
@pytest.mark.parametrize("name", UNCHECKED)
def test_what_is_not_validated_is_delivered_with_a_word(tmp_path: Path, name: str) -> None:
    told = inspected(tmp_path, name).sources[0].facts["validation"]
    assert f"nicht maschinell geprüft ({UNCHECKED[name]})" in told["text"]
    assert told["signatures"] == []


def test_the_documented_table_is_the_measured_one() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", _TABLE.read_text("utf-8"), re.MULTILINE))
    for name, (signatures, _) in EXPECTED.items():
        listed = [f"{indication}/{reason}" for indication, reason in signatures]
        grouped = ", ".join(
            f"{listed.count(one)} × {one}" if listed.count(one) > 1 else one
            for one in dict.fromkeys(listed)
        )
        assert rows[name] == grouped, name
    assert set(UNCHECKED) <= set(rows)
