"""The page that says what a bundle is and how to verify it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template
from typing import Final

from ingest.document import Facts

_TEMPLATE: Final = "liesmich.html"


def _row(label: str, text: str) -> str:
    return f'<tr><th scope="row">{escape(label)}</th><td>{escape(text)}</td></tr>'


def readme(  # noqa: PLR0913 - what the page has places for, each named at the call
    facts: Iterable[tuple[str, str]],
    files: Iterable[tuple[str, str]],
    absent: Iterable[Facts],
    *,
    document: str,
    purpose: str,
    sealed: bool,
    verifier: bytes,
) -> bytes:
    """Return the page that says what a bundle is and how to verify it.

    Args:
        facts: What it is about, label and value.
        files: What lies there, name and meaning.
        absent: What does not, with reasons.
        document: Its id.
        purpose: The first sentence.
        sealed: Whether the list of files is signed.
        verifier: The bytes of the verifier in it.
    """
    template = Template(resources.files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))
    lacking = "\n".join(_row(str(one["part"]), str(one["reason"])) for one in absent)
    page = template.substitute(
        document=escape(document),
        purpose=escape(purpose),
        facts="\n".join(_row(*fact) for fact in facts),
        files="\n".join(_row(*entry) for entry in files),
        absent=f"<table>\n<caption>Was fehlt und warum</caption>\n{lacking}\n</table>"
        if lacking
        else "",
        seal=_SEALED if sealed else _UNSEALED,
        verifier=hashlib.sha256(verifier).hexdigest(),
    )
    return page.encode()


_SEALED: Final = (
    "Wer hat dieses Paket geschnürt?\n<pre><code>openssl cms -verify -binary -inform DER "
    "-in manifest.p7s -content manifest.sha256 -CAfile zertifikate/wurzeln.pem -purpose any "
    "-out /dev/null</code></pre>\nDas sagt nur, wer es zusammengestellt hat; wann das Dokument "
    "bestand, sagen Siegel und Zeitstempel darin."
)
_UNSEALED: Final = (
    "Wer hat das Dokument gesichert?\n<pre><code>python3 pruefen.py --trust "
    "zertifikate/wurzeln.pem</code></pre>\nDas Paket selbst ist nicht unterschrieben."
)
