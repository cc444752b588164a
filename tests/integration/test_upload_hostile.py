"""What no station of ours says to the server, and networks that fail in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typing_extensions import override

from ingest.store.disk import Disk
from scanners.stack import Refused, StackPage, Unavailable
from scanners.station.house import HttpHouse
from scanners.upload import Station, app
from scanners.upload import body as reading
from scanners.upload.body import Body, CutOff, Pace
from scanners.upload.protocol import BoundedProtocol
from tests.plugins.installation import wait_until
from tests.plugins.stations import (
    House,
    answered,
    connected,
    device,
    head,
    known,
    opening,
    page,
    serving,
)

SOON = 0.3  #: seconds: patience of a server that shall lose it
MIB = 1024**2
Door = tuple[str, str, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.token()


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    folder = house.folder / "upload"
    with serving(house.known, house.seen_by, folder, largest_page_bytes=MIB) as address:
        yield address


@pytest.fixture
def key(url: str, token: str) -> str:
    """An open stack."""
    said = opening()
    HttpHouse(url, token).open(said)
    return said.key


@pytest.fixture
def door(url: str, token: str, key: str) -> Door:
    """URL, token and the key of an open stack."""
    return url, token, key


def nothing_is_kept(house: House, key: str, sent: StackPage) -> None:
    folder = house.folder / "upload"
    wait_until(lambda: not list(folder.iterdir()), "the half page goes")
    assert house.seen_by(Station(code="platz-3", tenant="default")).state(key).pages == ()
    assert not house.store.holds("default", sent.page.sha256)


def sent_whole(url: str, token: str, key: str, sent: StackPage) -> None:
    assert HttpHouse(url, token).append(key, sent) is True


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999999])
def test_a_connection_cut_anywhere_leaves_nothing(
    house: House, url: str, token: str, key: str, tmp_path: Path, share: float
) -> None:
    content = b"II*\0" + key.encode() + bytes(MIB // 2)
    sent = page(tmp_path, 1, content=content)
    with connected(url) as connection:
        connection.sendall(head(token, key, sent))
        connection.sendall(content[: int(len(content) * share)])
    nothing_is_kept(house, key, sent)
    sent_whole(url, token, key, sent)


def test_a_connection_cut_within_its_head_is_nothing(
    house: House, url: str, token: str, key: str, tmp_path: Path
) -> None:
    sent = page(tmp_path, 1, content=key.encode())
    with connected(url) as connection:
        connection.sendall(head(token, key, sent)[:-40])
    nothing_is_kept(house, key, sent)


def test_bytes_that_changed_on_their_way_are_refused(
    house: House, url: str, token: str, key: str, tmp_path: Path
) -> None:
    content = key.encode()
    sent = page(tmp_path, 1, content=content)
    with connected(url) as connection:
        connection.sendall(head(token, key, sent) + content[::-1])
        status, body = answered(connection)
    assert status == 409
    assert '"page_disagrees"' in body
    assert "Seite 1" in body
    nothing_is_kept(house, key, sent)
    assert not house.store.holds("default", hashlib.sha256(content[::-1]).hexdigest())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"Content_Length": "30"}, 409),  # fewer than announced
        ({"Scan_Size": "30"}, 409),  # more than announced
        ({"Scan_Size": "40"}, 409),
        ({"Content_Length": None, "Scan_Size": "36"}, 409),  # no body at all
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "999", "Transfer_Encoding": "gzip"}, 400),
        ({"Scan_Size": "1" + "0" * 5000}, 400),
        ({"Scan_Size": str(2**39)}, 413),
    ],
)
def test_a_length_that_lies_brings_nothing_in(
    house: House, door: Door, tmp_path: Path, said: dict[str, Any], status: int
) -> None:
    url, token, key = door
    content = key.encode()
    sent = page(tmp_path, 1, content=content)
    with connected(url) as connection:
        connection.sendall(head(token, key, sent, **said) + content)
        assert answered(connection)[0] == status
    nothing_is_kept(house, key, sent)
    sent_whole(url, token, key, sent)


def test_a_body_in_chunks_is_counted_as_it_comes(
    house: House, url: str, token: str, key: str, tmp_path: Path
) -> None:
    content = key.encode()
    sent = page(tmp_path, 1, content=content)
    chunked = head(token, key, sent, Content_Length=None, Transfer_Encoding="chunked")
    chunk = f"{len(content):x}\r\n".encode() + content + b"\r\n"
    with connected(url) as connection:
        connection.sendall(chunked + chunk + chunk + b"0\r\n\r\n")
        assert answered(connection)[0] == 409
    nothing_is_kept(house, key, sent)
    with connected(url) as connection:
        connection.sendall(chunked + chunk + b"0\r\n\r\n")
        assert answered(connection)[0] == 201


def test_a_page_that_is_too_large_is_refused_in_words_that_arrive(
    house: House, url: str, token: str, key: str, tmp_path: Path
) -> None:
    content = key.encode() + bytes(MIB)
    sent = page(tmp_path, 1, content=content)
    with pytest.raises(Refused) as caught:
        HttpHouse(url, token).append(key, sent)
    assert caught.value.code == "too_large"
    assert str(MIB) in caught.value.operator_text
    nothing_is_kept(house, key, sent)


def test_a_refusal_before_the_body_does_not_reset_the_connection(
    url: str, key: str, tmp_path: Path
) -> None:
    """Where it is reset, some systems throw away the answer with it, and nobody learns why."""
    content = bytes(12 * MIB)  # more than the buffers between hold
    sent = page(tmp_path, 1, content=content)
    with connected(url) as connection:
        connection.sendall(head("x" * 43, key, sent) + content)
        assert answered(connection)[0] == 401


def test_who_waits_for_leave_to_send_is_refused_before_the_first_byte(
    url: str, key: str, tmp_path: Path
) -> None:
    sent = page(tmp_path, 1)
    with connected(url) as connection:
        connection.sendall(head("x" * 43, key, sent, Expect="100-continue"))
        status, body = answered(connection)
    assert status == 401
    assert "100 Continue" not in body
    assert "connection: close" in body.lower()


class Begun(Disk):
    """Remembers that a page began to come."""

    def __init__(self) -> None:
        self.pages = 0

    @override
    def create(self, folder: Path) -> tuple[int, Path]:
        self.pages += 1
        return super().create(folder)


def test_a_half_open_connection_is_dropped_and_its_page_with_it(
    house: House, door: Door, tmp_path: Path
) -> None:
    url, token, key = door
    sent = page(tmp_path, 1, content=key.encode() + bytes(MIB // 2))
    folder, begun = tmp_path / "upload", Begun()
    with (
        serving(house.known, house.seen_by, folder, begun, read_seconds=SOON) as address,
        connected(address) as connection,
    ):
        connection.sendall(head(token, key, sent) + bytes(1000))
        status, _ = answered(connection)
        assert status == 503
        assert connection.recv(1) == b""
        assert list(folder.iterdir()) == []
        assert begun.pages == 1
    sent_whole(url, token, key, sent)  # by a server that has more patience


REQUEST = b"GET /v1/clock HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("begun", [(b"",), (REQUEST[:-5],), (REQUEST, REQUEST[:-5])])
def test_a_head_that_never_ends_ends_its_connection(
    url: str, begun: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_seconds", SOON * (1 if len(begun) == 1 else 5))
    with connected(url) as connection:
        for said in begun[:-1]:
            connection.sendall(said)
            assert answered(connection)[0] == 401
        connection.sendall(begun[-1])
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass


def test_a_client_that_sends_a_byte_now_and_then_is_too_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter(range(0, 10_000, 9))
    ticking = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr(reading, "time", ticking)  # the loop keeps the real clock

    async def dripping() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x", "more_body": True}

    body = Body(dripping, Pace(read_seconds=30, least=1024))
    with pytest.raises(Unavailable, match="slow"):
        asyncio.run(body.whole(MIB))
    assert body.size == 4
    assert asyncio.run(body.drop(MIB)) is False  # nor is the rest waited for
    assert body.size == 4


def test_no_more_is_read_than_is_taken() -> None:
    async def endless() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(MIB), "more_body": True}

    body = Body(endless, Pace(read_seconds=30, least=1))
    with pytest.raises(Refused) as caught:
        asyncio.run(body.whole(2 * MIB))
    assert (caught.value.code, body.size) == ("too_large", 3 * MIB)
    assert asyncio.run(body.drop(MIB)) is False
    assert body.size == 5 * MIB


def test_a_body_that_ends_with_its_connection_is_cut_off() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(CutOff):
        asyncio.run(Body(gone, Pace(read_seconds=1, least=1)).whole(MIB))


def test_more_pages_at_once_than_are_borne_wait_and_are_then_put_off(
    house: House, token: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_TURN_SECONDS", SOON)
    slow, quick = (page(tmp_path, n, content=f"{n} {key}".encode()) for n in (1, 2))
    folder = tmp_path / "upload"
    with (
        serving(house.known, house.seen_by, folder, uploads=1) as address,
        connected(address) as connection,
    ):
        station, content = HttpHouse(address, token), slow.page.path.read_bytes()
        connection.sendall(head(token, key, slow) + content[:5])
        wait_until(lambda: bool(list(folder.iterdir())), "the page begins")
        with pytest.raises(Unavailable) as caught:
            station.append(key, quick)
        assert caught.value.retry_after
        connection.sendall(content[5:])
        assert answered(connection)[0] == 201
        monkeypatch.undo()
        assert station.append(key, quick) is True


def test_two_stations_racing_with_the_same_page_leave_one(
    url: str, token: str, key: str, tmp_path: Path
) -> None:
    sent = page(tmp_path, 1, content=b"race " + key.encode())
    content = sent.page.path.read_bytes()
    connections: list[socket.socket] = [connected(url) for _ in range(4)]
    for connection in connections:
        connection.sendall(head(token, key, sent) + content[:-1])
    for connection in connections:
        connection.sendall(content[-1:])
    statuses = sorted(answered(connection)[0] for connection in connections)
    for connection in connections:
        connection.close()
    assert statuses == [200, 200, 200, 201]
    assert HttpHouse(url, token).state(key).pages == (known(sent),)


def test_a_lease_travels_there_and_back(url: str, token: str) -> None:
    station = HttpHouse(url, token)
    lease = station.lease(device("leased"), None, 45.0)
    assert lease.seconds == 45.0
    station.renew(lease)
    station.give_back(lease)
