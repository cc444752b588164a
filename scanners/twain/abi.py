"""The binary interface of the TWAIN 2.x data source manager: structures and numbers.

Written from the TWAIN specification 2.4, chapters 8 (operations), 9 (structures) and 10
(capabilities). All structures are packed to two bytes; handles and references have the width of
a pointer. Sizes and offsets are tested against the specification's own definitions.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import (
    Structure,
    c_char,
    c_int16,
    c_int32,
    c_uint16,
    c_uint32,
    c_void_p,
)
from typing import Any, ClassVar, Final

_Fields = list[tuple[str, Any]]
#: The entry of manager and source: origin, destination, group, what, message, its argument.
_FUNCTION: Any = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
DSM_ENTRY: Final = _FUNCTION(c_uint16, c_void_p, c_void_p, c_uint32, c_uint16, c_uint16, c_void_p)
MEM_ALLOCATE: Final = _FUNCTION(c_void_p, c_uint32)
MEM_FREE: Final = _FUNCTION(None, c_void_p)
MEM_LOCK: Final = _FUNCTION(c_void_p, c_void_p)
MEM_UNLOCK: Final = _FUNCTION(None, c_void_p)

STR32: Final = c_char * 34
STR255: Final = c_char * 256

# Groups and flags
DG_CONTROL, DG_IMAGE = 1, 2
DF_DSM2, DF_APP2, DF_DS2 = 0x10000000, 0x20000000, 0x40000000
# What an operation is about
DAT_CAPABILITY, DAT_EVENT, DAT_IDENTITY, DAT_PARENT, DAT_PENDINGXFERS = 0x1, 0x2, 0x3, 0x4, 0x5
DAT_SETUPMEMXFER, DAT_STATUS, DAT_USERINTERFACE, DAT_CALLBACK = 0x6, 0x8, 0x9, 0x10
DAT_CALLBACK2, DAT_ENTRYPOINT = 0x12, 0x403
DAT_IMAGEINFO, DAT_IMAGELAYOUT, DAT_IMAGEMEMXFER, DAT_EXTIMAGEINFO = 0x101, 0x102, 0x103, 0x10B
# Messages
MSG_GET, MSG_GETCURRENT, MSG_GETFIRST, MSG_GETNEXT, MSG_SET, MSG_RESET = 1, 2, 4, 5, 6, 7
MSG_XFERREADY, MSG_CLOSEDSREQ, MSG_DEVICEEVENT = 0x101, 0x102, 0x104
MSG_OPENDSM, MSG_CLOSEDSM, MSG_OPENDS, MSG_CLOSEDS = 0x301, 0x302, 0x401, 0x402
MSG_DISABLEDS, MSG_ENABLEDS, MSG_PROCESSEVENT, MSG_ENDXFER = 0x501, 0x502, 0x601, 0x701
MSG_REGISTER_CALLBACK = 0x902
# Return codes
RC_SUCCESS, RC_FAILURE, RC_CHECKSTATUS, RC_CANCEL = 0, 1, 2, 3
RC_DSEVENT, RC_NOTDSEVENT, RC_XFERDONE, RC_ENDOFLIST = 4, 5, 6, 7
# Condition codes
CC_SUCCESS, CC_LOWMEMORY, CC_NODS, CC_MAXCONNECTIONS, CC_OPERATIONERROR = 0, 2, 3, 4, 5
CC_BADVALUE, CC_SEQERROR, CC_CAPUNSUPPORTED, CC_DENIED = 10, 11, 13, 16
CC_PAPERJAM, CC_PAPERDOUBLEFEED, CC_CHECKDEVICEONLINE, CC_INTERLOCK, CC_NOMEDIA = 20, 21, 23, 24, 29
# Capabilities
CAP_XFERCOUNT, ICAP_COMPRESSION, ICAP_PIXELTYPE, ICAP_UNITS, ICAP_XFERMECH = (
    0x1,
    0x100,
    0x101,
    0x102,
    0x103,
)
CAP_FEEDERENABLED, CAP_FEEDERLOADED, CAP_AUTOFEED, CAP_INDICATORS = 0x1002, 0x1003, 0x1007, 0x100B
CAP_UICONTROLLABLE, CAP_DUPLEXENABLED, CAP_SERIALNUMBER = 0x100E, 0x1013, 0x1024
CAP_DOUBLEFEEDDETECTION, CAP_DOUBLEFEEDDETECTIONRESPONSE = 0x103F, 0x1042
ICAP_XRESOLUTION, ICAP_YRESOLUTION, ICAP_SUPPORTEDSIZES, ICAP_THRESHOLD = (
    0x1118,
    0x1119,
    0x1122,
    0x1123,
)
ICAP_BITORDER, ICAP_PIXELFLAVOR, ICAP_PLANARCHUNKY, ICAP_EXTIMAGEINFO = (
    0x111C,
    0x111F,
    0x1120,
    0x112F,
)
ICAP_BITDEPTH, ICAP_AUTODISCARDBLANKPAGES, ICAP_PATCHCODEDETECTIONENABLED = 0x112B, 0x1134, 0x113F
ICAP_AUTOMATICBORDERDETECTION, ICAP_AUTOMATICDESKEW, ICAP_AUTOMATICROTATE = 0x1150, 0x1151, 0x1152
# Extended image information
EI_PATCHCODE, EI_PRINTERTEXT = 0x1212, 0x124A
# Types of items and of containers
TY_INT8, TY_INT16, TY_INT32, TY_UINT8, TY_UINT16, TY_UINT32, TY_BOOL, TY_FIX32 = range(8)
TY_FRAME, TY_STR32, TY_STR64, TY_STR128, TY_STR255, TY_HANDLE = 8, 9, 10, 11, 12, 15
ON_ARRAY, ON_ENUMERATION, ON_ONEVALUE, ON_RANGE, ON_DONTCARE = 3, 4, 5, 6, 0xFFFF
# Values
XFERMECH_MEMORY, PT_BW, PT_GRAY, PT_RGB, UN_INCHES, CP_NONE = 2, 0, 1, 2, 0, 0
SS_A4, SS_USLETTER, SS_A5, SS_A3 = 1, 3, 5, 11
MEMORY_APPOWNS, MEMORY_POINTER = 0x1, 0x8
BP_DISABLE, PF_CHOCOLATE, BO_MSBFIRST, PC_CHUNKY, DF_ULTRASONIC, DP_STOP = -2, 0, 1, 0, 0, 0
#: What `EI_PATCHCODE` counts.
PATCHES: Final = ("1", "2", "3", "4", "6", "T")

ITEM_SIZES: Final = {
    TY_INT8: 1,
    TY_INT16: 2,
    TY_INT32: 4,
    TY_UINT8: 1,
    TY_UINT16: 2,
    TY_UINT32: 4,
    TY_BOOL: 2,
    TY_FIX32: 4,
    TY_FRAME: 16,
    TY_STR32: 34,
    TY_STR64: 66,
    TY_STR128: 130,
    TY_STR255: 256,
    TY_HANDLE: ctypes.sizeof(c_void_p),
}
TEXTS: Final = frozenset({TY_STR32, TY_STR64, TY_STR128, TY_STR255})


class _Packed(Structure):
    _pack_ = 2
    _layout_ = "ms"


class Fix32(_Packed):
    """A fixed-point number (TW_FIX32)."""

    _fields_: ClassVar[_Fields] = [("whole", c_int16), ("frac", c_uint16)]


class Version(_Packed):
    """TW_VERSION."""

    _fields_: ClassVar[_Fields] = [
        ("major", c_uint16),
        ("minor", c_uint16),
        ("language", c_uint16),
        ("country", c_uint16),
        ("info", STR32),
    ]


class Identity(_Packed):
    """An application or a source (TW_IDENTITY)."""

    _fields_: ClassVar[_Fields] = [
        ("id", c_void_p if sys.platform == "darwin" else c_uint32),
        ("version", Version),
        ("protocol_major", c_uint16),
        ("protocol_minor", c_uint16),
        ("supported_groups", c_uint32),
        ("manufacturer", STR32),
        ("product_family", STR32),
        ("product_name", STR32),
    ]


class Capability(_Packed):
    """TW_CAPABILITY: a capability and the container of its value."""

    _fields_: ClassVar[_Fields] = [
        ("cap", c_uint16),
        ("con_type", c_uint16),
        ("container", c_void_p),
    ]


class OneValue(_Packed):
    """TW_ONEVALUE; longer items, such as texts, go on behind it.

    Some sources for 64 bit read and write an item of a pointer's width: `ROOM` has place for it.
    """

    ROOM: ClassVar[int] = 10

    _fields_: ClassVar[_Fields] = [("item_type", c_uint16), ("item", c_uint32)]


class Enumeration(_Packed):
    """TW_ENUMERATION; the items follow."""

    _fields_: ClassVar[_Fields] = [
        ("item_type", c_uint16),
        ("num_items", c_uint32),
        ("current_index", c_uint32),
        ("default_index", c_uint32),
    ]


class Span(_Packed):
    """TW_RANGE."""

    _fields_: ClassVar[_Fields] = [
        ("item_type", c_uint16),
        ("min_value", c_uint32),
        ("max_value", c_uint32),
        ("step_size", c_uint32),
        ("default_value", c_uint32),
        ("current_value", c_uint32),
    ]


class Array(_Packed):
    """TW_ARRAY; the items follow."""

    _fields_: ClassVar[_Fields] = [("item_type", c_uint16), ("num_items", c_uint32)]


class UserInterface(_Packed):
    """TW_USERINTERFACE."""

    _fields_: ClassVar[_Fields] = [
        ("show_ui", c_uint16),
        ("modal_ui", c_uint16),
        ("parent", c_void_p),
    ]


class PendingXfers(_Packed):
    """TW_PENDINGXFERS; 0xFFFF: more, unknown how many."""

    _fields_: ClassVar[_Fields] = [("count", c_uint16), ("eoj", c_uint32)]


class ImageInfo(_Packed):
    """TW_IMAGEINFO."""

    _fields_: ClassVar[_Fields] = [
        ("x_resolution", Fix32),
        ("y_resolution", Fix32),
        ("image_width", c_int32),
        ("image_length", c_int32),
        ("samples_per_pixel", c_int16),
        ("bits_per_sample", c_int16 * 8),
        ("bits_per_pixel", c_int16),
        ("planar", c_uint16),
        ("pixel_type", c_int16),
        ("compression", c_uint16),
    ]


class SetupMemXfer(_Packed):
    """TW_SETUPMEMXFER."""

    _fields_: ClassVar[_Fields] = [
        ("min_buf_size", c_uint32),
        ("max_buf_size", c_uint32),
        ("preferred", c_uint32),
    ]


class Memory(_Packed):
    """TW_MEMORY."""

    _fields_: ClassVar[_Fields] = [
        ("flags", c_uint32),
        ("length", c_uint32),
        ("the_mem", c_void_p),
    ]


class ImageMemXfer(_Packed):
    """TW_IMAGEMEMXFER."""

    _fields_: ClassVar[_Fields] = [
        ("compression", c_uint16),
        ("bytes_per_row", c_uint32),
        ("columns", c_uint32),
        ("rows", c_uint32),
        ("x_offset", c_uint32),
        ("y_offset", c_uint32),
        ("bytes_written", c_uint32),
        ("memory", Memory),
    ]


class Status(_Packed):
    """TW_STATUS."""

    _fields_: ClassVar[_Fields] = [("condition_code", c_uint16), ("reserved", c_uint16)]


class EarlyCallback(_Packed):
    """TW_CALLBACK, before 2.2."""

    _fields_: ClassVar[_Fields] = [
        ("callback", c_void_p),
        ("ref_con", c_uint32),
        ("message", c_int16),
    ]


class Event(_Packed):
    """TW_EVENT: a message of the window system that may be for the source."""

    _fields_: ClassVar[_Fields] = [("event", c_void_p), ("message", c_uint16)]


class Callback(_Packed):
    """TW_CALLBACK2, from 2.2 on."""

    _fields_: ClassVar[_Fields] = [
        ("callback", c_void_p),
        ("ref_con", c_void_p),
        ("message", c_int16),
    ]


class EntryPoint(_Packed):
    """TW_ENTRYPOINT: how memory is had from the manager."""

    _fields_: ClassVar[_Fields] = [
        ("size", c_uint32),
        ("dsm_entry", c_void_p),
        ("allocate", c_void_p),
        ("free", c_void_p),
        ("lock", c_void_p),
        ("unlock", c_void_p),
    ]


class Frame(_Packed):
    """TW_FRAME."""

    _fields_: ClassVar[_Fields] = [
        ("left", Fix32),
        ("top", Fix32),
        ("right", Fix32),
        ("bottom", Fix32),
    ]


class ImageLayout(_Packed):
    """TW_IMAGELAYOUT."""

    _fields_: ClassVar[_Fields] = [
        ("frame", Frame),
        ("document_number", c_uint32),
        ("page_number", c_uint32),
        ("frame_number", c_uint32),
    ]


class Info(_Packed):
    """TW_INFO."""

    _fields_: ClassVar[_Fields] = [
        ("info_id", c_uint16),
        ("item_type", c_uint16),
        ("num_items", c_uint16),
        ("return_code", c_uint16),
        ("item", c_void_p),
    ]


class ExtImageInfo(_Packed):
    """TW_EXTIMAGEINFO with room for what we ask."""

    _fields_: ClassVar[_Fields] = [("num_infos", c_uint32), ("info", Info * 2)]


def fixed(value: float) -> Fix32:
    """Return a number as fixed point."""
    scaled = round(value * 65536)
    return Fix32(scaled >> 16, scaled & 0xFFFF)


def number(value: Fix32) -> float:
    """Return a fixed-point number."""
    return float(value.whole) + float(value.frac) / 65536


def bits(value: Fix32) -> int:
    """Return a fixed-point number as it lies in an item of 32 bits."""
    return int.from_bytes(bytes(value), sys.byteorder)
