"""Workers on many machines: dramatiq actors on Redis. The only home of dramatiq and redis.

A message says "queue X has work" and nothing else: the ledger's claim query decides what is
done, so a message may be lost, repeated or flushed without harm. There is no retry, no age
limit and no time limit in the broker, because leases and the ledger have them.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from ingest.document import Queue
from workers.executor import Executor, Lane

log = structlog.get_logger(__name__)

_ENOUGH_HINTS = 8  #: a queue with this many unread hints needs no further one


def _queue_name(wanted: Queue) -> str:
    return f"scanstrasse-{wanted}"


def open_broker(url: str) -> RedisBroker:
    """Return a broker without middleware; nothing is connected before the first message."""
    return RedisBroker(url=url, middleware=[])


class Hints:
    """Sends hints. Losing one costs seconds, so an unreachable Redis is logged, not raised."""

    def __init__(self, url: str) -> None:
        """Declare one queue for each kind of work; `url` may carry a password."""
        self.broker = open_broker(url)
        self.reachable = True
        for wanted in Queue:
            self.broker.declare_queue(_queue_name(wanted))

    def __call__(self, wanted: Queue) -> None:
        """Tell all workers of `wanted` that there may be work."""
        name = _queue_name(wanted)
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=name, actor_name=name, args=(), kwargs={}, options={}
        )
        try:
            if self.broker.do_qsize(name) < _ENOUGH_HINTS:
                self.broker.enqueue(message)
        except (redis.RedisError, dramatiq.errors.BrokerError, OSError) as error:
            if self.reachable:
                log.warning("hints_unreachable", error=type(error).__name__)
            self.reachable = False
        else:
            self.reachable = True


class BrokerWorkers:
    """Consumes hints and drains the queues they name; without Redis it drains by itself."""

    def __init__(self, hints: Hints, executor: Executor, lanes: Collection[Lane]) -> None:
        """Declare an actor for each queue of `lanes`; `start` starts consuming."""
        broker = hints.broker
        self._executor = executor
        self._workers = []
        self._queues = [wanted for lane in lanes for wanted in lane.queues]
        for lane in lanes:
            for wanted in lane.queues:
                self._declare(broker, wanted)
            names = {_queue_name(wanted) for wanted in lane.queues}
            self._workers.append(dramatiq.Worker(broker, queues=names, worker_threads=lane.slots))
        self._hints = hints
        self._stop = threading.Event()

    def _declare(self, broker: RedisBroker, wanted: Queue) -> None:
        def drain() -> None:
            self._executor.drain(wanted)

        name = _queue_name(wanted)
        dramatiq.Actor(
            drain, broker=broker, actor_name=name, queue_name=name, priority=0, options={}
        )

    def start(self) -> None:
        """Start consuming, and watching for a Redis that does not answer."""
        for worker in self._workers:
            worker.start()
        threading.Thread(target=self._without_redis, name="without-redis", daemon=True).start()

    def _without_redis(self) -> None:
        """Drain the queues in this thread while hints cannot travel."""
        while not self._stop.wait(2.0):
            if self._hints.reachable:
                continue
            for wanted in self._queues:
                self._executor.drain(wanted)

    def stop(self) -> None:
        """Stop consuming; call `Executor.stop` first so that running work ends."""
        self._stop.set()
        for worker in self._workers:
            worker.stop(timeout=10_000)
