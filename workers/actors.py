"""Workers on many machines: dramatiq actors on Redis. The only home of dramatiq and redis.

A message says "queue X has work" and nothing else: the ledger's claim query decides what is
done, so a message may be lost, repeated or flushed without harm. There is no retry, no age
limit and no time limit in the broker, because leases and the ledger have them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from ingest.document import Queue
from workers.executor import Executor, Lane

log = structlog.get_logger(__name__)

_ENOUGH_HINTS = 64  #: a queue with this many unread hints needs no further one
_SOCKET_SECONDS = 3.0  #: Redis answers within this or counts as away
_AWAY_SECONDS = 5.0  #: an unreachable Redis is not asked again for this long
_POLL_SECONDS = 10.0  #: every slot looks into the ledger this often, hints or none


def _queue_name(wanted: Queue) -> str:
    return f"scanstrasse-{wanted}"


def open_broker(url: str) -> RedisBroker:
    """Return a broker without middleware; nothing is connected before the first message."""
    client = redis.Redis.from_url(
        url, socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=_SOCKET_SECONDS
    )
    return RedisBroker(client=client, middleware=[])


class Hints:
    """Sends hints. Losing one costs seconds, so an unreachable Redis is logged, not raised."""

    def __init__(self, url: str) -> None:
        """Declare one queue for each kind of work; `url` may carry a password."""
        self.broker = open_broker(url)
        self._away_until = 0.0
        for wanted in Queue:
            self.broker.declare_queue(_queue_name(wanted))

    def __call__(self, wanted: Queue) -> None:
        """Tell all workers of `wanted` that there may be work."""
        if time.monotonic() < self._away_until:
            return
        name = _queue_name(wanted)
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=name, actor_name=name, args=(), kwargs={}, options={}
        )
        try:
            unread = self.broker.client.llen(f"{self.broker.namespace}:{name}")
            if unread < _ENOUGH_HINTS:
                self.broker.enqueue(message)
        except (redis.RedisError, dramatiq.errors.BrokerError, OSError) as error:
            log.warning("hints_unreachable", error=type(error).__name__)
            self._away_until = time.monotonic() + _AWAY_SECONDS


class BrokerWorkers:
    """Drains what hints name, and looks by itself now and then: a hint is never needed."""

    def __init__(self, hints: Hints, executor: Executor, lanes: Collection[Lane]) -> None:
        """Declare an actor for each queue of `lanes`; `start` starts consuming."""
        broker = hints.broker
        self._executor = executor
        self._workers = []
        self._lanes = lanes
        for lane in lanes:
            for wanted in lane.queues:
                self._declare(broker, wanted)
            names = {_queue_name(wanted) for wanted in lane.queues}
            self._workers.append(dramatiq.Worker(broker, queues=names, worker_threads=lane.slots))
        self._stop = threading.Event()

    def _declare(self, broker: RedisBroker, wanted: Queue) -> None:
        def drain() -> None:
            self._executor.drain(wanted)

        name = _queue_name(wanted)
        dramatiq.Actor(
            drain, broker=broker, actor_name=name, queue_name=name, priority=0, options={}
        )

    def start(self) -> None:
        """Start consuming, and a thread for each slot that looks without any hint."""
        for worker in self._workers:
            worker.start()
        for lane in self._lanes:
            for _ in range(lane.slots):
                poll = threading.Thread(
                    target=self._poll, args=(lane.queues[0],), name=f"poll-{lane.name}"
                )
                poll.daemon = True
                poll.start()

    def _poll(self, wanted: Queue) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self._executor.drain(wanted)

    def stop(self) -> None:
        """Stop consuming; call `Executor.stop` first so that running work ends."""
        self._stop.set()
        for worker in self._workers:
            worker.stop(timeout=10_000)
