"""Keys at a device: who presses one starts a scan without going to the computer.

A device is watched between two scans only: who watches it holds it.
"""

from __future__ import annotations

import threading
from typing import Any, Final, Protocol, Self

from ingest.sandbox import Ended, Lent, Stalled, Stream
from scanners.device.faults import DeviceStalled, DriverCrashed, ScanFault, fault

_PATIENCE_SECONDS: Final = 60.0
_GIVING_BACK_SECONDS: Final = 5.0


class Watch(Protocol):
    """A device being watched: an iterator over the names of the keys that are pressed.

    The names are the driver's: scan, email, copy, page-loaded …; most devices have more of them
    than anybody uses, so who asks picks those that mean something.
    """

    def __iter__(self) -> Self:
        """Return itself."""
        ...

    def __next__(self) -> str:
        """Wait for the next key and return its name; end after `stop`.

        Raises:
            ScanFault: The device is gone or taken, or its driver died; it is not held any more.
        """
        ...

    def stop(self) -> None:
        """End, from any thread, as often as one likes; then the device is free."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *error: object) -> None:
        """Stop."""
        ...


class RemoteWatch(Lent):
    """A device whose keys a child process looks at."""

    def __init__(self, stream: Stream, device_id: str, seconds: float) -> None:
        """Let the child open the device and look at it every so many seconds.

        Raises:
            ScanFault: It could not; nothing is held.
        """
        self._stream = stream
        self._seconds = seconds
        self._stopped = threading.Event()
        stream.tell({"do": "watch", "device": device_id, "seconds": seconds})
        try:
            self._heard()
        except BaseException:
            stream.close()
            raise

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> str:
        """Wait for the next key and return its name; end after `stop`.

        Raises:
            ScanFault: As the port says.
        """
        while not self._stopped.is_set():
            try:
                said = self._heard()
            except ScanFault:
                if self._stopped.is_set():
                    break
                self._stream.close(_GIVING_BACK_SECONDS)
                raise
            if said["event"] == "pressed":
                return str(said["name"])
        raise StopIteration

    def stop(self) -> None:
        """End, from any thread; then the device is free."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._stream.stop()

    def close(self) -> None:
        """Stop and let the child go."""
        self.stop()
        self._stream.close()

    def _heard(self) -> dict[str, Any]:
        """Return what the child says next; it says something every time it looks."""
        try:
            said = self._stream.next(self._seconds + _PATIENCE_SECONDS)
        except Stalled as error:
            raise DeviceStalled(str(error)) from error
        except Ended as error:
            raise DriverCrashed(str(error)) from error
        if said["event"] == "fault":
            text = str(said["operator_text"])
            raise fault(str(said["code"]), str(said["message"]), pages_done=0, operator_text=text)
        return said
