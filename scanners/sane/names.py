"""What the backends of SANE call the settings of a scan, and what they call their values.

Read from the backends of SANE 1.2.1; a backend that is missing here is one line more.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from scanners.device import Feed, Mode

#: In order of preference; compared without case.
SOURCES: Final = MappingProxyType(
    {
        Feed.FLATBED: ("Flatbed", "FB", "Platen", "Document Table", "Normal"),
        Feed.FEEDER: (
            "ADF",
            "ADF Front",
            "Automatic Document Feeder",
            "ADF Simplex",
            "ADF-simplex",
            "Feeder",
            "Automatic Document Feeder(left aligned)",
            "Automatic Document Feeder(centrally aligned)",
        ),
        Feed.DUPLEX: (
            "ADF Duplex",
            "Duplex",
            "ADF-duplex",
            "Automatic Document Feeder(left aligned,Duplex)",
            "Automatic Document Feeder(centrally aligned,Duplex)",
        ),
    }
)
#: Mode of the backend and the depth to go with it, None to leave the depth alone.
MODES: Final = MappingProxyType(
    {
        Mode.BITONAL: (
            ("Lineart", None),
            ("Black & White", None),
            ("Binary", None),
            ("Monochrome", None),
            ("Gray", 1),
        ),
        Mode.GREY: (("Gray", 8), ("Grayscale", 8), ("True Gray", 8), ("8 bit Gray", 8)),
        Mode.COLOUR: (("Color", 8), ("24bit Color", 8), ("24 bit Color", 8), ("Full Color", 8)),
    }
)
#: What would change, drop or cut images, and the value with which it does nothing.
UNTOUCHED: Final = MappingProxyType(
    {
        "swskip": 0,
        "swdeskew": False,
        "swcrop": False,
        "swdespeck": 0,
        "swderotate": False,
        "hwdeskewcrop": False,
        "hwcrop": False,
        "deskew": False,
        "crop": False,
        "adf-skew": False,
        "adf-crp": False,
        "ald": False,
        "blank-skip": False,
        "autocrop": False,
        "autodeskew": False,
        "three-pass": False,
        "compression": "None",
    }
)
#: What lets the device notice two sheets at once, in this order: the first wakes the others.
DOUBLE_FEED: Final = MappingProxyType(
    {
        "df-action": "Stop",
        "df-thickness": True,
        "df-length": True,
        "dfeed": True,
        "dfstop": True,
    }
)
#: Of devices whose source does not say it.
DUPLEX_SWITCHES: Final = ("duplex", "adf-mode")
