"""What can go wrong at a scanner, each with what the person at it can do.

Pages that were already delivered stay valid: a fault says how many they are, and the stack goes
on at the next sheet.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar, Final


class ScanFault(Exception):
    """Base of all faults of a scan.

    Attributes:
        code: Stable name of the kind.
        pages_done: Pages that are durable in the spool.
        retryable: The same settings may work at the next try, without anybody's repair.
        operator_text: German: what happened and what to do.
    """

    code: ClassVar[str] = "scan_fault"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "Das Gerät meldet einen Fehler. Bitte am Gerät nachsehen."

    def __init__(self, message: str, *, pages_done: int = 0, operator_text: str = "") -> None:
        """Take the English `message` for the log and, where the hint says too little, German."""
        super().__init__(message)
        self.pages_done = pages_done
        self.operator_text = operator_text or self.hint


class FeederEmpty(ScanFault):
    """There was no sheet at all; the end of a stack is no fault."""

    code = "feeder_empty"
    retryable = True
    hint = "Im Einzug liegt kein Blatt. Bitte den Stapel einlegen und neu starten."


class FeederJam(ScanFault):
    """A sheet stuck."""

    code = "feeder_jam"
    retryable = True
    hint = (
        "Papierstau. Bitte das Blatt vorsichtig herausnehmen, glätten und mit den restlichen "
        "Blättern wieder einlegen; der Stapel geht nach dem letzten gescannten Blatt weiter."
    )


class DoubleFeed(ScanFault):
    """Two sheets went through at once; neither counts."""

    code = "double_feed"
    retryable = True
    hint = (
        "Doppeleinzug: zwei Blätter liefen zusammen durch. Bitte beide wieder einlegen "
        "und fortsetzen."
    )


class CoverOpen(ScanFault):
    """A cover of the device is open."""

    code = "cover_open"
    retryable = True
    hint = "Eine Klappe des Geräts ist offen. Bitte schließen und fortsetzen."


class DeviceBusy(ScanFault):
    """Somebody else is scanning on it."""

    code = "device_busy"
    retryable = True
    hint = "Das Gerät ist belegt. Bitte warten, bis der andere Vorgang beendet ist."


class DeviceGone(ScanFault):
    """The device does not answer any more, or never did."""

    code = "device_gone"
    retryable = True
    hint = "Das Gerät antwortet nicht. Bitte Strom und Kabel oder Netzwerk prüfen."


class DeviceStalled(ScanFault):
    """Nothing came for longer than any device needs."""

    code = "device_stalled"
    retryable = True
    hint = "Das Gerät liefert nichts mehr. Bitte aus- und einschalten und fortsetzen."


class AccessDenied(ScanFault):
    """The device refuses this user or computer."""

    code = "access_denied"
    hint = (
        "Das Gerät verweigert den Zugriff. Bitte die Berechtigung dieses Rechners am Gerät oder "
        "im Scanserver prüfen lassen."
    )


class PageTruncated(ScanFault):
    """A page came with fewer bytes than it has; it does not count."""

    code = "page_truncated"
    retryable = True
    hint = (
        "Eine Seite kam unvollständig an und wurde verworfen. Bitte das letzte Blatt wieder "
        "einlegen und fortsetzen."
    )


class ScanCancelled(ScanFault):
    """Somebody stopped the scan."""

    code = "scan_cancelled"
    retryable = True
    hint = "Der Scan wurde abgebrochen. Die bis dahin gescannten Blätter sind gesichert."


class DriverCrashed(ScanFault):
    """The process that drives the device died."""

    code = "driver_crashed"
    retryable = True
    hint = (
        "Der Treiber des Geräts ist abgestürzt. Die bis dahin gescannten Blätter sind gesichert; "
        "bitte fortsetzen und bei Wiederholung den Treiber aktualisieren lassen."
    )


class SettingRefused(ScanFault):
    """The device cannot do what the profile demands; no sheet was moved."""

    code = "setting_refused"
    hint = "Das Gerät kann eine verlangte Einstellung nicht. Es wurde kein Blatt eingezogen."


class OtherDevice(ScanFault):
    """The stack was begun on another device, or on this one in another state; no sheet moved."""

    code = "other_device"
    hint = (
        "Der Stapel wurde auf einem anderen Gerät begonnen; es wurde kein Blatt eingezogen. Bitte "
        "dort fortsetzen oder den Stapel abschließen und den Rest als neuen Stapel scannen."
    )


class StackTaken(ScanFault):
    """Another process scans this stack; no sheet moved."""

    code = "stack_taken"
    retryable = True
    hint = (
        "Dieser Stapel wird gerade in einem anderen Vorgang gescannt oder bearbeitet. Bitte "
        "warten, bis dieser fertig ist."
    )


class SheetMixed(ScanFault):
    """Front and back of a sheet come from two different runs: they may be two sheets."""

    code = "sheet_mixed"
    retryable = True


class SpoolFull(ScanFault):
    """The page could not be written to disk."""

    code = "spool_full"
    hint = (
        "Kein Platz auf der Festplatte dieses Rechners. Bitte Platz schaffen und fortsetzen; "
        "die bis dahin gescannten Blätter sind gesichert."
    )


_KINDS: Final = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            AccessDenied,
            CoverOpen,
            DeviceBusy,
            DeviceGone,
            DeviceStalled,
            DoubleFeed,
            DriverCrashed,
            FeederEmpty,
            FeederJam,
            OtherDevice,
            PageTruncated,
            ScanCancelled,
            SettingRefused,
            SheetMixed,
            SpoolFull,
            StackTaken,
        )
    }
)


def fault(code: str, message: str, *, pages_done: int, operator_text: str = "") -> ScanFault:
    """Rebuild a fault that another process named; an unknown code becomes a plain one."""
    kind = _KINDS.get(code, ScanFault)
    return kind(message, pages_done=pages_done, operator_text=operator_text)
