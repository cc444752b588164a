"""Signed mail: S/MIME (RFC 8551), the content in clear beside the signature or inside it.

What is signed are the bytes of the first part, line ends as CRLF, up to the line end before
the boundary (RFC 1847); they are cut out of the mail as it came.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message
from pathlib import Path
from typing import Final

from workers.inspection.signatures.cms import Unchecked, of_bytes
from workers.inspection.signatures.engine import Policy
from workers.inspection.signatures.verdicts import Verdict, malformed, short

FORM: Final = "S/MIME"
_SIGNATURES: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_CONTAINERS: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNED: Final = "multipart/signed"
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")
_PARTS: Final = 2
_INSIDE: Final = "eine Signatur in einem Teil der Nachricht"


def verdicts(path: Path, workspace: Path, policy: Policy) -> list[Verdict]:
    """Return one verdict for each signer of a mail; none where nothing in it is signed.

    Raises:
        Unchecked: It is signed in a way that is not validated here, or encrypted.
        Overdue: It takes more processor time than any signature does.
    """
    raw = path.read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    kind = message.get_content_type()
    if kind == _SIGNED:
        return _clear(message, raw, workspace, policy)
    if kind in _CONTAINERS:
        return of_bytes(_payload(message), None, FORM, policy)
    inner = {part.get_content_type() for part in message.walk()}
    if inner & ({_SIGNED} | _SIGNATURES | _CONTAINERS):
        raise Unchecked(_INSIDE)
    return []


def _clear(message: Message, raw: bytes, workspace: Path, policy: Policy) -> list[Verdict]:
    parts = message.get_payload()
    if not isinstance(parts, list) or len(parts) != _PARTS:
        return [malformed(FORM, "multipart/signed without two parts")]
    signature = parts[1]
    if not isinstance(signature, Message) or signature.get_content_type() not in _SIGNATURES:
        kind = signature.get_content_type() if isinstance(signature, Message) else "?"
        raise Unchecked(f"Signatur der Art „{short(kind)}“")
    content = _first_part(raw, str(message.get_boundary() or ""))
    if content is None:
        return [malformed(FORM, "no boundary where the message says")]
    signed = workspace / "signed-part"
    signed.write_bytes(content)
    return of_bytes(_payload(signature), signed, FORM, policy)


def _first_part(raw: bytes, boundary: str) -> bytes | None:
    header = _END_OF_HEADER.search(raw)
    if header is None or not boundary:
        return None
    mark = re.escape(b"--" + boundary.encode("ascii", "surrogateescape"))
    lines = re.compile(rb"(?:^|\r?\n)" + mark + rb"(?:--)?[ \t]*(?=\r?\n|$)")
    # One line end belongs to the header: a boundary may follow at once.
    body = raw[header.end() - 1 :]
    found = list(lines.finditer(body))[:_PARTS]
    if len(found) < _PARTS:
        return None
    begin = _LINE_END.match(body, found[0].end())
    if begin is None:
        return None
    return _LINE_END.sub(b"\r\n", body[begin.end() : found[1].start()])


def _payload(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
