"""Content-addressed storage in an S3 bucket, key `<tenant>/<sha256>`.

Writes are conditional (`If-None-Match: *`) and carry their checksum, so an object is
created whole, once, and the server refuses bytes that were damaged on the way. A server
that ignores the condition can only write the same bytes again, because the key is their
digest.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from ingest.clock import now
from ingest.document import Blob
from ingest.errors import StoreUnavailable
from ingest.settings import Settings
from ingest.store.address import (
    CHUNK,
    absent,
    checked,
    digest_of,
    is_digest,
    mismatch,
    require_digest,
    require_tenant,
)
from ingest.store.cache import BlobCache

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

#: In memory up to here, in an unnamed temporary file above.
_SPOOL: Final = 8 * CHUNK
#: S3 takes at most 5 GiB in one request and 10,000 parts of one object.
_PART: Final = 32 * CHUNK
_CACHE: Final = 4 * 1024**3
_SWEEPING: Final = ".sweep"
_USED: Final = ".used"
_ABSENT: Final = 404
#: No upload takes so long; its writer is dead.
_UPLOAD_STALE: Final = dt.timedelta(days=1)
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
#: A sweep holds its mark for two requests; one this old was left by a sweep that died.
_MARK_STALE: Final = dt.timedelta(minutes=10)


def open_bucket(settings: Settings) -> S3Store:
    """Return the store in the bucket that `settings` name, without asking the server yet."""
    import boto3
    from botocore.config import Config

    store = settings.store
    client = boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=_revealed(store.access_key),
        aws_secret_access_key=_revealed(store.secret_key),
        config=Config(
            connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 3}
        ),
    )
    return S3Store(client, store.bucket, settings.data / "cache" / "blobs")


class S3Store:
    """Keeps blobs as objects of one bucket; the folder `cache` lends child processes files."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        cache: Path,
        *,
        cache_bytes: int = _CACHE,
        part_bytes: int = _PART,
    ) -> None:
        """Use `bucket` through `client`; objects above `part_bytes` are sent in parts."""
        self._client = client
        self._bucket = bucket
        self._cache = BlobCache(cache, cache_bytes)
        self._part = part_bytes

    def put(self, tenant: str, stream: BinaryIO) -> Blob:
        """Store the rest of `stream`; on return the server has it. See `Store.put`.

        Raises:
            StoreUnavailable: Nothing was stored; parts sent were withdrawn.
            DigestMismatch: The object already present is damaged; it was left as it is.
            OSError: `stream` itself failed; nothing was stored.
        """
        require_tenant(tenant)
        digest, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
            while block := stream.read(CHUNK):
                digest.update(block)
                md5.update(block)
                size += len(block)
                with self._outage():
                    spool.write(block)
            spool.seek(0)
            blob = Blob(sha256=digest.hexdigest(), size=size)
            checksums = {"ContentMD5": _base64(md5), "ChecksumSHA256": _base64(digest)}
            for pause in _PAUSES:
                if self._create(tenant, blob, spool, checksums):
                    return blob
                if self._confirm(tenant, blob.sha256):
                    return blob
                # A sweep is removing the old object, or another writer is not through yet.
                time.sleep(pause)
                spool.seek(0)
        raise self.unavailable(TimeoutError(f"{tenant}/{blob.sha256} is being changed"))

    def _create(self, tenant: str, blob: Blob, spool: Any, checksums: dict[str, str]) -> bool:
        """Create the object; False if it exists."""
        key = self._key(tenant, blob.sha256)
        try:
            if blob.size > self._part:
                self._send_parts(key, spool)
            else:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=spool,
                    ContentLength=blob.size,
                    IfNoneMatch="*",
                    ContentMD5=checksums["ContentMD5"],
                    ChecksumSHA256=checksums["ChecksumSHA256"],
                )
        except ClientError as error:
            # 409: somebody else writes the same object this moment; it is the same bytes.
            if _status(error) in {409, 412}:
                return False
            raise self.unavailable(error) from error
        except (BotoCoreError, OSError) as error:
            raise self.unavailable(error) from error
        return True

    def _send_parts(self, key: str, spool: Any) -> None:
        client, bucket = self._client, self._bucket
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        parts: list[CompletedPartTypeDef] = []
        with ExitStack() as undo:
            undo.callback(self._withdraw, key, upload)
            while block := spool.read(self._part):
                sent = client.upload_part(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload,
                    PartNumber=len(parts) + 1,
                    Body=block,
                    ContentMD5=_base64(hashlib.md5(block, usedforsecurity=False)),
                )
                parts.append({"ETag": sent["ETag"], "PartNumber": len(parts) + 1})
            client.complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
            undo.pop_all()

    def _withdraw(self, key: str, upload: str) -> None:
        # What is in the air is the failure that led here; parts are invisible in any case.
        with suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def _confirm(self, tenant: str, sha256: str) -> bool:
        """Verify the object present and keep the sweep away from it; False if it is gone.

        S3 has no locks. So this writes its mark of use first and then looks for the mark of
        a sweep, while the sweep writes its mark first and then looks for the mark of use: one
        of the two sees the other. If the sweep is already through, the object is gone and is
        written again.
        """
        with self._outage():
            found = self._digest(tenant, sha256)
            if found is None:
                return False
            if found != sha256:
                raise mismatch(tenant, sha256, found)
            self._client.put_object(
                Bucket=self._bucket, Key=self._mark(tenant, _USED, sha256), Body=b""
            )
            swept_at = self._changed_at(self._mark(tenant, _SWEEPING, sha256))
            if swept_at is not None and now() - swept_at < _MARK_STALE:
                return False
            return self._changed_at(self._key(tenant, sha256)) is not None

    def _digest(self, tenant: str, sha256: str) -> str | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(tenant, sha256))
        except ClientError as error:
            if _is_absent(error):
                return None
            raise
        with closing(answer["Body"]) as body:
            return digest_of(body)

    @contextmanager
    def open(self, tenant: str, sha256: str) -> Iterator[BinaryIO]:
        """Open bytes for reading once, forwards; the digest is checked at the end."""
        key = self._key(tenant, sha256)
        with self._outage():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _is_absent(error):
                    raise absent(tenant, sha256) from error
                raise
        with closing(answer["Body"]) as body:
            source = _Body(body, self)
            with checked(source, tenant, sha256, answer["ContentLength"]) as stream:
                yield stream

    @contextmanager
    def materialise(self, tenant: str, sha256: str) -> Iterator[Path]:
        """Yield a copy on this machine, read-only, after checking its digest."""
        require_tenant(tenant)
        require_digest(sha256)

        def fetch(target: BinaryIO) -> None:
            with self.open(tenant, sha256) as stream:
                shutil.copyfileobj(stream, target, CHUNK)

        with ExitStack() as stack:
            with self._outage():
                path = stack.enter_context(self._cache.use(tenant, sha256, fetch))
            yield path

    def holds(self, tenant: str, sha256: str) -> bool:
        """Tell whether the object is present."""
        with self._outage():
            return self._changed_at(self._key(tenant, sha256)) is not None

    def digests(self, tenant: str) -> Iterator[str]:
        """Every digest present for `tenant`."""
        for sha256, _ in self._objects(f"{require_tenant(tenant)}/"):
            yield sha256

    def stored_at(self, tenant: str, sha256: str) -> dt.datetime | None:
        """When the bytes were put last; None if they are not here."""
        with self._outage():
            written_at = self._changed_at(self._key(tenant, sha256))
            if written_at is None:
                return None
            used_at = self._changed_at(self._mark(tenant, _USED, sha256))
        return max(written_at, used_at or written_at)

    def tenants(self) -> Iterator[str]:
        """Every tenant that has objects here."""
        for answer in self._pages(""):
            for folder in answer.get("CommonPrefixes", ()):
                yield folder["Prefix"].removesuffix("/")

    def sweep(self, tenant: str, referenced: Iterable[str], older_than: dt.timedelta) -> list[str]:
        """Remove unreferenced blobs older than `older_than`, and what dead writers left."""
        prefix = f"{require_tenant(tenant)}/"
        keep = referenced if isinstance(referenced, Collection) else frozenset(referenced)
        limit = now() - older_than
        removed = []
        for sha256, changed_at in self._objects(prefix):
            if sha256 not in keep and changed_at <= limit and self._remove(tenant, sha256, limit):
                removed.append(sha256)
        stale = now() - max(older_than, _UPLOAD_STALE)
        with self._outage():
            for mark, changed_at in self._objects(f"{prefix}{_USED}/"):
                if changed_at <= stale:
                    self._delete(self._mark(tenant, _USED, mark))
            answer = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix)
            for upload in answer.get("Uploads", ()):
                if upload["Initiated"] <= stale:
                    self._withdraw(upload["Key"], upload["UploadId"])
        return removed

    def _remove(self, tenant: str, sha256: str, limit: dt.datetime) -> bool:
        mark = self._mark(tenant, _SWEEPING, sha256)
        with self._outage():
            begun_at = self._changed_at(mark)
            if begun_at is not None:
                if now() - begun_at < _MARK_STALE:
                    return False  # another sweep is at it
                self._delete(mark)
            try:
                self._client.put_object(Bucket=self._bucket, Key=mark, Body=b"", IfNoneMatch="*")
            except ClientError as error:
                if _status(error) in {409, 412}:
                    return False
                raise
            try:
                used_at = self._changed_at(self._mark(tenant, _USED, sha256))
                if used_at is not None and used_at > limit:
                    return False
                return self.erase(tenant, sha256)
            finally:
                self._delete(mark)

    def erase(self, tenant: str, sha256: str) -> bool:
        """Remove the object for good; False if it was not there."""
        key = self._key(tenant, sha256)
        with self._outage():
            self._cache.forget(tenant, sha256)
            present = self._changed_at(key) is not None
            if present:
                self._delete(key)
                self._delete(self._mark(tenant, _USED, sha256))
        return present

    def _objects(self, prefix: str) -> Iterator[tuple[str, dt.datetime]]:
        for answer in self._pages(prefix):
            for entry in answer.get("Contents", ()):
                name = entry["Key"].removeprefix(prefix)
                if is_digest(name):
                    yield name, entry["LastModified"]

    def _pages(self, prefix: str) -> Iterator[Any]:
        listing = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter="/"
        )
        with self._outage():
            yield from listing

    def _changed_at(self, key: str) -> dt.datetime | None:
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["LastModified"]
        except ClientError as error:
            if _status(error) == _ABSENT:
                return None
            raise

    def _delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def _key(self, tenant: str, sha256: str) -> str:
        return f"{require_tenant(tenant)}/{require_digest(sha256)}"

    def _mark(self, tenant: str, kind: str, sha256: str) -> str:
        return f"{require_tenant(tenant)}/{kind}/{require_digest(sha256)}"

    @contextmanager
    def _outage(self) -> Iterator[None]:
        """Turn every failure of server, network and local disk into an outage of the store."""
        try:
            yield
        except (ClientError, BotoCoreError, OSError) as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """Describe a failure of server, network or local disk."""
        message = f"bucket {self._bucket}: {error}"
        text = (
            f"S3-Ablage {self._bucket}: {error}. Bitte Erreichbarkeit, Zugangsdaten und freien "
            "Platz prüfen; die Arbeit geht danach von selbst weiter."
        )
        return StoreUnavailable(message, operator_text=text)


class _Body:
    """The body of an answer, whose failures are outages."""

    def __init__(self, body: StreamingBody, store: S3Store) -> None:
        self._body = body
        self._store = store

    def read(self, size: int, /) -> bytes:
        try:
            return self._body.read(size)
        except (BotoCoreError, OSError) as error:
            raise self._store.unavailable(error) from error


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _base64(digest: Any) -> str:
    return base64.b64encode(digest.digest()).decode("ascii")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_absent(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "NoSuchKey"
