"""A file is what its bytes say, whatever its name."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.content import kind_of
from ingest.document import SourceKind
from tests.plugins.watching import image, pdf, tiff

K = SourceKind


def _zip(*entries: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as container:
        for name, content in entries:
            container.writestr(zipfile.ZipInfo(name), content)  # made at no certain time
    return stream.getvalue()


_SIGNED = b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + bytes(247)
SAMPLES = [
    (image("JPEG"), K.JPEG),
    (image("PNG"), K.PNG),
    (image("GIF"), K.GIF),
    (image("WEBP"), K.WEBP),
    (image("BMP"), K.BMP),
    (tiff(1), K.TIFF),
    (b"II+\x00\x08\x00\x00\x00" + bytes(20), K.TIFF),
    (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", K.HEIC),
    (b"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00isomavc1mp41", K.UNKNOWN),
    (pdf(), K.PDF),
    (b"\x00\x01garbage" * 20 + pdf(), K.PDF),
    (b"x" * 2000 + pdf(), K.TEXT),
    (b"Subject: Gruss\r\nFrom: a@b.de\r\n\r\nText %PDF-1.4", K.MAIL),
    (b"From a@b Mon Jan 1\nReceived: x\n by y\nDate: Mon\n\nText", K.MAIL),
    (b"Sehr geehrte Damen\nFrom: hier\n", K.TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), K.OUTLOOK),
    (_SIGNED, K.CMS),
    (b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", K.CMS),
    (_zip(("mimetype", b"application/vnd.etsi.asic-e+zip"), ("a.pdf", b"x")), K.ASIC),
    (_zip(("a.pdf", b"x"), ("META-INF/signatures001.xml", b"<x/>")), K.ASIC),
    (_zip(("mimetype", b"application/vnd.oasis.opendocument.text")), K.ZIP),
    (_zip(("word/document.xml", b"<x/>"), ("META-INF/manifest.xml", b"<x/>")), K.ZIP),
    (_zip(), K.ZIP),
    (b"\xef\xbb\xbf<?xml version='1.0'?><nachricht/>", K.XML),
    ("<?xml version='1.0' encoding='utf-16'?><n/>".encode("utf-16"), K.XML),
    (b"<!DOCTYPE html><p>", K.HTML),
    (b"<?xml version='1.0'?>\n<html xmlns='x'>", K.HTML),
    ("Grüße".encode("cp1252"), K.TEXT),
    ("Grüße".encode("utf-16"), K.TEXT),
    (b"BM ist kein Bild", K.TEXT),
    (b"MZ\x90\x00" + bytes(100), K.UNKNOWN),
    (b"\x7fELF" + bytes(100), K.UNKNOWN),
    (bytes(5000), K.UNKNOWN),
    (b"", K.UNKNOWN),
]


@pytest.mark.parametrize(("content", "kind"), SAMPLES, ids=lambda value: str(value)[:24])
def test_the_kind_is_told_by_content(tmp_path: Path, content: bytes, kind: SourceKind) -> None:
    path = tmp_path / "falsch.pdf"
    path.write_bytes(content)
    assert kind_of(path) is kind


def test_a_directory_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent"):
        with pytest.raises(OSError):  # noqa: PT011 - each has its own text, none matters
            kind_of(path)


@given(st.binary(max_size=300), st.sampled_from([content for content, _ in SAMPLES]))
def test_no_content_makes_the_look_fail(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, sample: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    cut = len(sample) // 2
    path.write_bytes(sample[:cut] + noise + sample[cut:])
    assert kind_of(path) in SourceKind
