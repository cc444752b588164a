"""What every store promises, over a folder and over a bucket."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from typing_extensions import override

from ingest.clock import now
from ingest.document import Standing
from ingest.errors import BlobMissing, DigestMismatch, StoreUnavailable, UsageError
from ingest.settings import Settings, StoreSettings
from ingest.store import FolderStore, Store, open_store
from ingest.store.s3 import S3Store

TENANT = "stadt-a"
LETTER = b"Sehr geehrte Damen und Herren, " * 5000
_numbers = itertools.count()


@dataclass
class Kept:
    """A store and the back door to its bytes."""

    store: Store
    damage: Callable[[str, bytes], None]
    age: Callable[[str], None]


@pytest.fixture(scope="session")
def s3_client() -> Iterator[Any]:
    """A client of an S3 server of our own on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()
    server.stop()


def new_bucket(client: Any) -> str:
    name = f"bucket-{next(_numbers)}"
    client.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return name


def in_folder(tmp_path: Path) -> Kept:
    def path(sha256: str) -> Path:
        return tmp_path / "store" / TENANT / sha256[:2] / sha256

    def damage(sha256: str, content: bytes) -> None:
        path(sha256).chmod(0o600)
        path(sha256).write_bytes(content)

    def age(sha256: str) -> None:
        os.utime(path(sha256), (0, 0))

    return Kept(FolderStore(tmp_path / "store"), damage, age)


def in_bucket(tmp_path: Path, client: Any) -> Kept:
    bucket = new_bucket(client)

    def damage(sha256: str, content: bytes) -> None:
        client.put_object(Bucket=bucket, Key=f"{TENANT}/{sha256}", Body=content)

    def age(sha256: str) -> None:
        from moto.s3.models import s3_backends

        found = s3_backends["123456789012"]["aws"].buckets[bucket].keys
        found[f"{TENANT}/{sha256}"].last_modified = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    return Kept(S3Store(client, bucket, tmp_path / "cache"), damage, age)


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "folder":
        return in_folder(tmp_path)
    return in_bucket(tmp_path, request.getfixturevalue("s3_client"))


@pytest.fixture
def store(kept: Kept) -> Store:
    return kept.store


def put(store: Store, content: bytes, tenant: str = TENANT) -> str:
    return store.put(tenant, io.BytesIO(content)).sha256


def read(store: Store, sha256: str, tenant: str = TENANT) -> bytes:
    with store.open(tenant, sha256) as stream:
        return stream.read()


def test_what_is_put_can_be_read_again(store: Store) -> None:
    blob = store.put(TENANT, io.BytesIO(LETTER))
    assert (blob.sha256, blob.size) == (hashlib.sha256(LETTER).hexdigest(), len(LETTER))
    assert read(store, blob.sha256) == LETTER
    with store.materialise(TENANT, blob.sha256) as path:
        assert path.read_bytes() == LETTER
    assert store.holds(TENANT, blob.sha256)


@examples(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(contents=st.lists(st.binary(max_size=3000), max_size=4))
def test_any_bytes_come_back_however_often_they_are_put(
    store: Store, contents: list[bytes]
) -> None:
    for content in [*contents, *contents]:
        blob = store.put("eigen", io.BytesIO(content))
        assert blob.size == len(content)
        assert read(store, blob.sha256, "eigen") == content
    present = list(store.digests("eigen"))
    assert len(present) == len(set(present))
    assert {hashlib.sha256(content).hexdigest() for content in contents} <= set(present)


def test_only_the_rest_of_a_stream_is_stored(store: Store) -> None:
    stream = io.BytesIO(b"headBODY")
    stream.seek(4)
    assert read(store, store.put(TENANT, stream).sha256) == b"BODY"


def test_the_same_bytes_are_kept_once(store: Store) -> None:
    assert put(store, LETTER) == put(store, LETTER)
    assert len(list(store.digests(TENANT))) == 1


def test_tenants_do_not_see_one_another(store: Store) -> None:
    mine, theirs = put(store, b"mine"), put(store, b"theirs", "stadt-b")
    assert not store.holds(TENANT, theirs)
    assert list(store.digests("stadt-b")) == [theirs]
    assert sorted(store.tenants()) == [TENANT, "stadt-b"]
    with pytest.raises(BlobMissing, match="not in the store"):
        read(store, mine, "stadt-b")


@pytest.mark.parametrize("tenant", ["", "..", "a/b", "A", "a.b", "ä", "a" * 64, ".tmp"])
def test_a_tenant_name_cannot_leave_its_place(store: Store, tenant: str) -> None:
    with pytest.raises(UsageError, match="tenant"):
        store.put(tenant, io.BytesIO(b"x"))
    with pytest.raises(UsageError, match="tenant"):
        list(store.digests(tenant))


@pytest.mark.parametrize("sha256", ["", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_a_digest_cannot_be_a_path(store: Store, sha256: str) -> None:
    for ask in (store.holds, store.erase):
        with pytest.raises(UsageError, match="SHA-256"):
            ask(TENANT, sha256)
    with pytest.raises(UsageError, match="SHA-256"), store.materialise(TENANT, sha256):
        pass
    with pytest.raises(UsageError, match="SHA-256"), store.open(TENANT, sha256):
        pass


def test_absent_bytes_are_an_alarm_with_a_remedy(store: Store) -> None:
    put(store, LETTER)
    assert not store.holds(TENANT, "0" * 64)
    for ask in (store.open, store.materialise):
        with pytest.raises(BlobMissing) as caught, ask(TENANT, "0" * 64):
            pass
        assert "fehlt in der Ablage" in caught.value.operator_text
        assert "Sicherung" in caught.value.operator_text
        assert caught.value.standing is Standing.QUARANTINED


def test_a_folder_that_is_not_mounted_is_an_outage(tmp_path: Path) -> None:
    kept = in_folder(tmp_path)
    sha256 = put(kept.store, LETTER)
    (tmp_path / "store").rename(tmp_path / "unmounted")
    for present in (False, True):  # the mount point may be there and empty
        if present:
            (tmp_path / "store").mkdir()
        for ask in (kept.store.open, kept.store.materialise):
            with pytest.raises(StoreUnavailable) as caught, ask(TENANT, sha256):
                pass
            assert "eingebunden" in caught.value.operator_text


@pytest.mark.parametrize("altered", [LETTER[:-1], LETTER[:-1] + b"!", LETTER + b"!", b""])
def test_altered_bytes_are_never_handed_out_as_good(kept: Kept, altered: bytes) -> None:
    sha256 = put(kept.store, LETTER)
    kept.damage(sha256, altered)
    with pytest.raises(DigestMismatch), kept.store.open(TENANT, sha256) as stream:
        stream.read()
    with pytest.raises(DigestMismatch), kept.store.open(TENANT, sha256) as stream:
        list(iter(lambda: stream.read(1000), b""))
    with pytest.raises(DigestMismatch), kept.store.materialise(TENANT, sha256):
        pytest.fail("a damaged file was lent")


def test_putting_over_a_damaged_copy_is_refused_and_changes_nothing(kept: Kept) -> None:
    sha256 = put(kept.store, LETTER)
    kept.damage(sha256, b"altered")
    with pytest.raises(DigestMismatch) as caught:
        put(kept.store, LETTER)
    assert "Sicherung" in caught.value.operator_text
    with pytest.raises(DigestMismatch):
        read(kept.store, sha256)


def test_an_exact_read_of_all_bytes_checks_the_digest(kept: Kept) -> None:
    sha256 = put(kept.store, LETTER)
    kept.damage(sha256, LETTER[:-1] + b"!")
    with pytest.raises(DigestMismatch), kept.store.open(TENANT, sha256) as stream:
        stream.read(len(LETTER))


def test_damage_after_the_first_use_of_a_file_is_found(tmp_path: Path) -> None:
    kept = in_folder(tmp_path)
    sha256 = put(kept.store, LETTER)
    with kept.store.materialise(TENANT, sha256):
        pass
    kept.damage(sha256, LETTER[:-1] + b"!")
    with pytest.raises(DigestMismatch), kept.store.materialise(TENANT, sha256):
        pass


def test_the_sweep_removes_only_what_is_old_and_unreferenced(kept: Kept) -> None:
    store = kept.store
    old, old_referenced, young = (put(store, content) for content in (b"1", b"2", b"3"))
    kept.age(old)
    kept.age(old_referenced)
    week = dt.timedelta(days=7)
    assert store.sweep(TENANT, iter([old_referenced]), week) == [old]
    assert sorted(store.digests(TENANT)) == sorted([old_referenced, young])
    assert store.sweep(TENANT, [old_referenced], week) == []


def test_an_old_blob_put_again_is_safe_from_the_sweep(kept: Kept) -> None:
    sha256 = put(kept.store, LETTER)
    kept.age(sha256)
    put(kept.store, LETTER)
    stored_at = kept.store.stored_at(TENANT, sha256)
    assert stored_at is not None
    assert now() - stored_at < dt.timedelta(days=1)
    assert kept.store.stored_at(TENANT, "0" * 64) is None
    assert kept.store.sweep(TENANT, (), dt.timedelta(days=7)) == []
    assert read(kept.store, sha256) == LETTER


def test_erased_bytes_are_gone_and_can_come_back(store: Store) -> None:
    sha256 = put(store, LETTER)
    with store.materialise(TENANT, sha256):
        pass
    assert store.erase(TENANT, sha256)
    assert not store.erase(TENANT, sha256)
    assert not store.holds(TENANT, sha256)
    with pytest.raises(BlobMissing), store.materialise(TENANT, sha256):
        pass
    assert put(store, LETTER) == sha256


class Failing(io.BytesIO):
    """A source that breaks half-way."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(1000)
        if not block:
            raise OSError(5, "the source is gone")
        return block


def test_a_broken_source_leaves_nothing(store: Store) -> None:
    with pytest.raises(OSError, match="the source is gone"):
        store.put(TENANT, Failing(LETTER))
    assert list(store.digests(TENANT)) == []


def test_a_server_out_of_reach_is_an_outage(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        store=StoreSettings(
            kind="s3", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b"
        ),
    )
    store = open_store(settings)
    with pytest.raises(StoreUnavailable) as caught:
        store.put(TENANT, io.BytesIO(b"x"))
    assert "Erreichbarkeit" in caught.value.operator_text
    with pytest.raises(StoreUnavailable):
        store.holds(TENANT, "0" * 64)


def test_a_missing_bucket_is_an_outage(tmp_path: Path, s3_client: Any) -> None:
    store = S3Store(s3_client, "no-such-bucket", tmp_path)
    with pytest.raises(StoreUnavailable, match="no-such-bucket"):
        store.put(TENANT, io.BytesIO(b"x"))
    with pytest.raises(StoreUnavailable, match="no-such-bucket"), store.open(TENANT, "0" * 64):
        pass


def test_large_objects_travel_in_parts_and_are_still_written_once(
    tmp_path: Path, s3_client: Any
) -> None:
    bucket = new_bucket(s3_client)
    store = S3Store(s3_client, bucket, tmp_path, part_bytes=5 * 1024 * 1024)
    large = bytes(range(256)) * 40_000 + b"end"
    sha256 = put(store, large)
    assert read(store, sha256) == large
    assert put(store, large) == sha256
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=bucket)


def test_a_put_waits_for_a_sweep_of_the_same_object(tmp_path: Path, s3_client: Any) -> None:
    bucket = new_bucket(s3_client)
    store = S3Store(s3_client, bucket, tmp_path)
    sha256 = put(store, LETTER)

    class Sweeping(io.BytesIO):
        """Marks the object as being swept while its bytes are read."""

        @override
        def read(self, size: int | None = -1, /) -> bytes:
            s3_client.put_object(Bucket=bucket, Key=f"{TENANT}/.sweep/{sha256}", Body=b"")
            return super().read(size)

    with pytest.raises(StoreUnavailable, match="being changed"):
        store.put(TENANT, Sweeping(LETTER))


def test_the_cache_of_downloads_stays_within_its_bound(tmp_path: Path, s3_client: Any) -> None:
    store = S3Store(s3_client, new_bucket(s3_client), tmp_path, cache_bytes=len(LETTER) * 2)
    digests = [put(store, LETTER + bytes([number])) for number in range(5)]
    for sha256 in digests:
        with store.materialise(TENANT, sha256) as path:
            assert path.stat().st_mode & 0o777 == 0o440
    assert len(list((tmp_path / TENANT).iterdir())) <= 3


def test_a_download_in_use_is_not_evicted(tmp_path: Path, s3_client: Any) -> None:
    store = S3Store(s3_client, new_bucket(s3_client), tmp_path, cache_bytes=0)
    first, second = put(store, b"first"), put(store, b"second")
    with store.materialise(TENANT, first) as path, store.materialise(TENANT, second):
        assert path.read_bytes() == b"first"


def test_a_damaged_download_is_fetched_again(tmp_path: Path, s3_client: Any) -> None:
    store = S3Store(s3_client, new_bucket(s3_client), tmp_path)
    sha256 = put(store, LETTER)
    with store.materialise(TENANT, sha256) as path:
        pass
    path.chmod(0o600)
    path.write_bytes(b"half a lett")
    with store.materialise(TENANT, sha256) as path:
        assert path.read_bytes() == LETTER
