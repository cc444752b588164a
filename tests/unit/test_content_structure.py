"""A file that is cut anywhere is not whole; one that ended is, whatever else is wrong with it."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.content import completeness, kind_of, tiff
from ingest.document import SourceKind
from ingest.errors import Unreadable
from tests.plugins.watching import image, looped_tiff, pdf
from tests.plugins.watching import tiff as tiff_of


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as container:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as nested:
            nested.writestr("b.txt", b"x" * 50)
        container.writestr("nested.zip", inner.getvalue())
        container.writestr("a.txt", b"x" * 500)
    return stream.getvalue()


def _linearised() -> bytes:
    body = b"%PDF-1.4\n1 0 obj<</Linearized 1/L 9999999/H[1 2]>>endobj\n"
    first = body + b"startxref\n0\n%%EOF\n" + b"2 0 obj<<>>endobj\n" * 100
    whole = first + b"startxref\n17\n%%EOF\n"
    return whole.replace(b"9999999", f"{len(whole):07d}".encode())


WHOLE = {
    "jpeg": image("JPEG"),
    "png": image("PNG"),
    "gif": image("GIF"),
    "webp": image("WEBP"),
    "bmp": image("BMP"),
    "tiff": tiff_of(3),
    "pdf": pdf("x" * 3000),
    "linearised": _linearised(),
    "zip": _zip(),
    "cms": b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + bytes(245),
    "xml": b"<?xml version='1.0'?><a>" + b"Text " * 200 + b"</a>\n",
}


def _judged(path: Path, content: bytes, kind: SourceKind | None = None) -> bool:
    path.write_bytes(content)
    return completeness(path, kind or kind_of(path)).complete


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_complete(tmp_path: Path, name: str) -> None:
    assert _judged(tmp_path / "a", WHOLE[name])


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.1])
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_short_is_not_complete_and_says_so(
    tmp_path: Path, name: str, share: float
) -> None:
    content = WHOLE[name]
    path = tmp_path / "a"
    path.write_bytes(content)
    kind = kind_of(path)
    # Padding, and of a PDF the end mark alone, may be missing; everything before it may not.
    end = len(content.rstrip(b"\0\n")) - 8
    path.write_bytes(content[: min(int(len(content) * share), end)])
    found = completeness(path, kind)
    assert not found.complete
    assert found.reason_code == "truncated"
    assert "Ende fehlt" in found.operator_text


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "pdf", "zip"])
def test_a_half_written_preallocated_file_is_not_complete(tmp_path: Path, name: str) -> None:
    content = WHOLE[name]
    half = len(content) // 2
    kind = kind_of(_written(tmp_path / "a", content))
    assert not _judged(tmp_path / "a", content[:half] + bytes(len(content) - half), kind)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "bmp", "tiff", "pdf"])
def test_padding_behind_the_end_does_no_harm(tmp_path: Path, name: str) -> None:
    assert _judged(tmp_path / "a", WHOLE[name] + bytes(3000))


def test_the_first_part_of_a_linearised_pdf_is_not_the_whole(tmp_path: Path) -> None:
    content = _linearised()
    first = content[: content.index(b"%%EOF") + 6]
    assert not _judged(tmp_path / "a.pdf", first)


def test_a_pdf_without_its_last_line_ends_where_its_cross_reference_is_found(
    tmp_path: Path,
) -> None:
    content = pdf()
    assert _judged(tmp_path / "a.pdf", content.removesuffix(b"%%EOF\n"))
    assert not _judged(tmp_path / "a.pdf", content.removesuffix(b"%%EOF\n")[:-2])


def test_a_jpeg_with_a_preview_inside_is_not_complete_at_the_preview_s_end(tmp_path: Path) -> None:
    content = WHOLE["jpeg"]
    preview = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    nested = content[:2] + preview + content[2:]
    assert _judged(tmp_path / "a.jpg", nested)
    assert not _judged(tmp_path / "a.jpg", nested[: 2 + len(preview) + 300])


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    found = completeness(_written(tmp_path / "a", b""), SourceKind.UNKNOWN)
    assert (found.complete, found.reason_code) == (False, "empty")


def test_the_frames_of_a_tiff_are_found_in_order(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.tif", tiff_of(3))
    found = tiff.frames(path)
    assert [(frame.width, frame.height) for frame in found] == [(40, 40)] * 3
    digests = {tiff.frame_digest(path, frame) for frame in found}
    assert len(digests) == 3


def test_the_digest_of_a_frame_is_that_of_its_image_not_of_its_file(tmp_path: Path) -> None:
    one, three = _written(tmp_path / "1.tif", tiff_of(1)), _written(tmp_path / "3.tif", tiff_of(3))
    first = tiff.frame_digest(one, tiff.frames(one)[0])
    assert tiff.frame_digest(three, tiff.frames(three)[0]) == first


def test_a_looped_tiff_has_ended_but_is_not_readable(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.tif", looped_tiff())
    assert completeness(path, SourceKind.TIFF).complete
    with pytest.raises(Unreadable, match="Looped") as caught:
        tiff.frames(path)
    assert "im Kreis" in caught.value.operator_text


def test_more_frames_than_the_limit_are_refused(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.tif", tiff_of(3))
    with pytest.raises(Unreadable):
        tiff.frames(path, limit=2)


def test_strips_that_overlap_beyond_reason_are_refused(tmp_path: Path) -> None:
    strips = 5000
    table = b"".join(
        struct.pack("<HHII", *entry)
        for entry in ((256, 3, 1, 1), (257, 3, 1, 1), (273, 4, strips, 62), (279, 4, strips, 62))
    )
    head = b"II*\x00" + struct.pack("<IH", 8, 4) + table + bytes(4)
    path = _written(tmp_path / "a.tif", head + struct.pack("<I", 10000) * strips)
    with pytest.raises(Unreadable):
        tiff.frame_digest(path, tiff.frames(path)[0])


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)), max_size=6),
    st.floats(0.2, 1),
)
def test_no_damage_makes_the_check_fail_or_stay(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    damage: list[tuple[float, bytes]],
    share: float,
) -> None:
    content = bytearray(WHOLE[name])
    for place, noise in damage:
        at = int(place * (len(content) - len(noise)))
        content[at : at + len(noise)] = noise
    path = _written(
        tmp_path_factory.getbasetemp() / "damaged", bytes(content[: int(len(content) * share)])
    )
    for kind in (kind_of(path), SourceKind.TIFF, SourceKind.JPEG):
        completeness(path, kind)
    with contextlib.suppress(Unreadable):
        for frame in tiff.frames(path):
            tiff.frame_digest(path, frame)
