"""Signatures beside their content, around it, in mail and in containers; and who else may judge."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from ingest.document import Facts
from ingest.errors import Unclear
from tests.plugins.signed import asic, clear_mail, cms, opaque_mail
from tests.plugins.stacks import Stack
from tests.plugins.trust import Trust, trusting

PASSED = ("TOTAL_PASSED", None)
BROKEN = ("TOTAL_FAILED", "HASH_FAILURE")
CONTENT = b"Sehr geehrte Damen und Herren,\r\nhiermit beantrage ich\r\n"


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture
def online(trust: Trust) -> dict[str, Any]:
    return {"roots": trust.pem("root", "tsa-root"), "revocation": "online"}


def arrived(folder: Path, files: dict[str, bytes], **validation: Any) -> Stack:
    paths = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    stack = Stack(folder=folder, paths=paths, validation=validation)
    stack.inspect()
    return stack


def told(stack: Stack, position: int = 0) -> Facts:
    facts: Facts = stack.sources[position].facts.get("validation", {})
    return facts


def indications(stack: Stack, position: int = 0) -> list[tuple[str, str | None]]:
    return [
        (one["indication"], one["subindication"]) for one in told(stack, position)["signatures"]
    ]


def test_a_signature_beside_its_content_is_found_by_its_digest(
    tmp_path: Path, trust: Trust, online: dict[str, Any]
) -> None:
    files = {"antrag.txt": CONTENT, "signatur.p7s": cms(trust, CONTENT)}
    stack = arrived(tmp_path, files, **online)
    assert indications(stack, 1) == [PASSED]
    assert told(stack, 1)["content"] == "antrag.txt"
    assert told(stack, 1)["signatures"][0]["format"] == "CAdES"
    (beside,) = told(stack, 0)["beside"]
    assert beside["text"].startswith("Signaturdatei „signatur.p7s“: Signatur geprüft: gültig")
    assert stack.sources[0].facts["findings"][-1]["text"] == beside["text"]


def test_content_that_was_changed_is_found_by_its_name(
    tmp_path: Path, trust: Trust, online: dict[str, Any]
) -> None:
    files = {"antrag.txt": CONTENT + b"!", "antrag.txt.p7s": cms(trust, CONTENT)}
    stack = arrived(tmp_path, files, **online)
    assert indications(stack, 1) == [BROKEN]
    assert told(stack, 0)["beside"][0]["look"]


def test_a_signature_whose_content_did_not_come_is_not_called_broken(
    tmp_path: Path, trust: Trust, online: dict[str, Any]
) -> None:
    stack = arrived(tmp_path, {"antrag.txt.p7s": cms(trust, CONTENT)}, **online)
    assert indications(stack) == [("INDETERMINATE", "SIGNED_DATA_NOT_FOUND")]
    assert "der signierte Inhalt liegt nicht bei" in told(stack)["text"]


def test_content_inside_its_signature(tmp_path: Path, trust: Trust, online: dict[str, Any]) -> None:
    made = cms(trust, CONTENT, inside=True)
    assert indications(arrived(tmp_path, {"antrag.p7m": made}, **online)) == [PASSED]
    altered = made.replace(b"beantrage", b"beantragt")
    assert indications(arrived(tmp_path, {"antrag.p7m": altered}, **online)) == [BROKEN]


@pytest.mark.parametrize("change", ["none", "line_ends", "body"])
def test_signed_mail(tmp_path: Path, trust: Trust, online: dict[str, Any], change: str) -> None:
    raw = clear_mail(trust, CONTENT)
    if change == "line_ends":
        raw = raw.replace(b"\r\n", b"\n")
    if change == "body":
        raw = raw.replace(b"hiermit", b"niemals")
    stack = arrived(tmp_path, {"antrag.eml": raw}, **online)
    assert indications(stack) == [BROKEN if change == "body" else PASSED]
    assert told(stack)["signatures"][0]["format"] == "S/MIME"
    assert stack.sources[0].facts["signed"]


def test_signed_mail_with_its_content_inside(
    tmp_path: Path, trust: Trust, online: dict[str, Any]
) -> None:
    stack = arrived(tmp_path, {"antrag.eml": opaque_mail(trust, CONTENT)}, **online)
    assert indications(stack) == [PASSED]


def test_a_mail_without_signature_says_nothing_of_one(
    tmp_path: Path, trust: Trust, online: dict[str, Any]
) -> None:
    raw = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\nText\r\n"
    assert told(arrived(tmp_path, {"brief.eml": raw}, **online)) == {}


@pytest.mark.parametrize(
    ("packed", "expected", "look"),
    [
        ({"a.txt": b"eins", "b.txt": b"zwei"}, PASSED, False),
        ({"a.txt": b"eins", "b.txt": b"drei"}, BROKEN, True),
        ({"a.txt": b"eins"}, BROKEN, True),
        ({"a.txt": b"eins", "b.txt": b"zwei", "c.txt": b"drei"}, PASSED, True),
    ],
)
def test_a_container_is_valid_with_all_its_members_only(
    tmp_path: Path,
    trust: Trust,
    online: dict[str, Any],
    packed: dict[str, bytes],
    expected: Any,
    look: bool,
) -> None:
    made = asic(trust, {"a.txt": b"eins", "b.txt": b"zwei"}, packed)
    stack = arrived(tmp_path, {"antrag.asice": made}, **online)
    assert indications(stack) == [expected]
    assert told(stack)["look"] == look


def test_what_is_not_validated_here_is_said(tmp_path: Path) -> None:
    signed = (
        b'<?xml version="1.0"?><a xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Signature/></a>'
    )
    stack = arrived(tmp_path, {"nachricht.xml": signed})
    assert "Signatur nicht maschinell geprüft (XML-Signatur)" in told(stack)["text"]
    assert stack.sources[0].facts["findings"][-1]["text"] == told(stack)["text"]


@pytest.fixture(scope="module")
def whole(trust: Trust) -> list[bytes]:
    members = {"a.txt": b"eins"}
    return [
        cms(trust, CONTENT, inside=True),
        asic(trust, members, members),
        clear_mail(trust, CONTENT),
        opaque_mail(trust, CONTENT),
    ]


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_done_to_a_signed_file_it_gets_an_indication_or_a_word(
    tmp_path: Path, whole: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(whole)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    try:
        stack = arrived(tmp_path, {"eingang": bytes(content)})
    except Unclear:
        return
    for one in told(stack).get("signatures", []):
        assert one["indication"] in ("TOTAL_FAILED", "INDETERMINATE")


class _Service(BaseHTTPRequestHandler):
    answer: tuple[int, bytes] = (200, b"")
    got: list[bytes]

    def do_POST(self) -> None:
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    _Service.got = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/validate"
    server.shutdown()
    server.server_close()
    thread.join()


def _report(indication: str, sub: str = "") -> bytes:
    stated = (
        f"<v:SubIndication>urn:etsi:019102:subindication:{sub}</v:SubIndication>" if sub else ""
    )
    return (
        '<v:ValidationReport xmlns:v="http://uri.etsi.org/19102/v1.2.1#">'
        "<v:SignatureValidationReport><v:SignatureValidationStatus>"
        f"<v:MainIndication>urn:etsi:019102:mainindication:{indication}</v:MainIndication>{stated}"
        "</v:SignatureValidationStatus></v:SignatureValidationReport></v:ValidationReport>"
    ).encode()


@pytest.mark.parametrize(
    ("answer", "text", "look"),
    [
        (_report("total-passed"), "Signatur geprüft: gültig", False),
        (_report("total-failed", "REVOKED"), "nicht gültig (REVOKED)", True),
        (
            json.dumps({"signatures": [{"indication": "TOTAL-PASSED"}]}).encode(),
            "Signatur geprüft: gültig",
            False,
        ),
        (
            json.dumps(
                {"signatures": [{"indication": "INDETERMINATE", "subindication": "NO_POE"}]}
            ).encode(),
            "nicht abschließend prüfbar (NO_POE)",
            True,
        ),
    ],
)
def test_a_service_outside_judges_what_is_not_validated_here(
    tmp_path: Path, service: str, answer: bytes, text: str, look: bool
) -> None:
    _Service.answer, _Service.got = (200, answer), []
    signed = b'<?xml version="1.0"?><a xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    path = tmp_path / "nachricht.xml"
    path.write_bytes(signed)
    stack = Stack(folder=tmp_path, paths=[path], validation={"service_url": service})
    outcome = stack.inspect()
    assert _Service.got == [signed]
    assert f"Prüfdienst 127.0.0.1: {text}" in told(stack)["text"] or text in told(stack)["text"]
    assert told(stack)["look"] == look
    (report,) = outcome.renditions
    assert stack.context.read(report.sha256) == answer


@pytest.mark.parametrize(
    "answer",
    [(503, b""), (200, b"<html>Wartung</html>"), (200, b'{"signatures": 1}'), (200, b"\x00")],
)
def test_a_service_that_does_not_answer_properly_stops_nothing(
    tmp_path: Path, service: str, answer: tuple[int, bytes], trust: Trust, online: dict[str, Any]
) -> None:
    _Service.answer = answer
    made = cms(trust, CONTENT, inside=True)
    stack = arrived(tmp_path, {"antrag.p7m": made}, **online, service_url=service)
    assert indications(stack) == [PASSED]
    assert "Prüfdienst 127.0.0.1 nicht erreichbar" in told(stack)["text"]
    assert not told(stack)["look"]


def test_a_service_that_is_down_stops_nothing(tmp_path: Path, trust: Trust) -> None:
    made = cms(trust, CONTENT, inside=True)
    stack = arrived(tmp_path, {"a.p7m": made}, service_url="http://127.0.0.1:9/", max_bytes=10**6)
    assert "nicht erreichbar" in told(stack)["text"]
    assert told(stack)["service"]["answered"] is False
