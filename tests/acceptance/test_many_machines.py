"""Several machines around one PostgreSQL, one Redis and one bucket: what fails is repeated.

One watches, two read, one seals and delivers; each has a data folder of its own and they
share nothing but the three servers, the inbox and the outbox.
"""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.plugins import papers
from tests.plugins.accounting import account, batches, documents
from tests.plugins.installation import Installation, Running, wait_until
from tests.plugins.servers import PostgresServer, RedisServer

_READING = ("work", "--queue", "inspection", "--queue", "recognition", "--processes", "1")
_WRITING = ("work", "--queue", "sealing", "--queue", "delivery")
_KEYS = {"access_key": "test", "secret_key": "test"}


@pytest.fixture
def bucket() -> Iterator[dict[str, Any]]:
    """Settings of a store in a bucket of an S3 server of our own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url, region = f"http://{host}:{port}", "eu-central-1"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"briefe-{uuid.uuid4()}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    client.close()
    yield {"kind": "s3", "bucket": name, "endpoint_url": url, "region": region, **_KEYS}
    server.stop()


@pytest.fixture
def house(
    install: Callable[..., Installation],
    tmp_path: Path,
    fresh_postgres_url: str,
    redis_server: RedisServer,
    bucket: dict[str, Any],
) -> Iterator[Installation]:
    """A configuration for all machines; nothing is started."""
    shared = tmp_path / "shared"
    (shared / "inbox").mkdir(parents=True, mode=0o770)
    folders = {"inbox": str(shared / "inbox"), "outbox": str(shared / "outbox")}
    made = install(
        ledger_url=fresh_postgres_url,
        redis_url=redis_server.url,
        sections={"store": bucket, "tenants.default": folders},
    )
    made.inbox, made.outbox = shared / "inbox", shared / "outbox"
    yield made
    made.end()


def test_t04_t06_t26_four_machines_survive_whatever_falls_between_them(
    house: Installation, redis_server: RedisServer, postgres_server: PostgresServer
) -> None:
    house.start("watch", machine="watch")
    doomed = house.start(
        *_READING, machine="read-1", doomed=("kill", "record:separation:after", "1")
    )
    wait_until(partial(_says, doomed, "läuft"), "the first reader")
    _drop(house, "vor-dem-absturz")
    # T4: power cut right after the split, and the broker forgets everything at that moment
    house.wait_for(lambda _rows: not doomed.is_alive, "the power cut")
    assert doomed.process.returncode == -signal.SIGKILL
    redis_server.flush()
    house.start(*_READING, machine="read-2")
    third = house.start(*_READING, machine="read-3")
    house.start(*_WRITING, machine="write")
    _drop(house, "nach-dem-absturz")
    redis_server.stop()
    try:
        # T6: an arrival needs no broker, and neither does its way to the desk
        _drop(house, "ohne-redis")
        house.wait_for(lambda rows: len(batches(rows)) == 3, "arrivals without Redis")
        postgres_server.restart(immediately=True)
        # T26: a machine dies for good; its claims are taken over
        third.kill9()
    finally:
        redis_server.start()
    _drop(house, "wieder-mit-redis")
    house.wait_settled()
    rows = account(house)
    assert all(row["standing"] == "done" for row in rows), house.picture(rows)
    assert len(documents(rows)) == 8


def test_a_machine_switched_on_before_its_database_waits_for_it(
    house: Installation, postgres_server: PostgresServer
) -> None:
    postgres_server.stop()
    try:
        machines = [house.start("watch", machine="watch"), house.start("work", machine="all")]
        for machine in machines:
            wait_until(partial(_says, machine, "Der Start wartet"), "the wait")
        ended = house.start("work", machine="other")
        wait_until(partial(_says, ended, "Der Start wartet"), "the wait")
        assert ended.stop() == 0
    finally:
        postgres_server.start()
    house.drop("brief.png", papers.png("Kein Mensch hat etwas neu gestartet"))
    house.wait_settled()
    assert all(machine.is_alive for machine in machines)
    assert len(documents(account(house))) == 1


def _says(running: Running, words: str) -> bool:
    return words in running.errors.read_text("utf-8")


def _drop(house: Installation, name: str) -> None:
    sides = (f"Brief {name}", papers.separator(), f"Anlage {name}", "Seite zwei")
    house.drop(f"{name}.tif", papers.tiff(*sides))
    time.sleep(0.2)
