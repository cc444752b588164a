"""Files that somebody else has signed, and trusted lists that name who may."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree  # type: ignore[import-untyped] # it ships no annotations
from pyhanko.pdf_utils.generic import NumberObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore
from signxml.xades.xades import XAdESSigner

from tests.plugins.letters import image_pdf
from tests.plugins.trust import Trust

_LIST: Final = "http://uri.etsi.org/02231/v2#"
_GRANTED: Final = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted"
_CA_QC: Final = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
_QTST: Final = "http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST"
_MANIFEST: Final = "http://uri.etsi.org/02918/v1.2.1#"
_DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"


def signer(trust: Trust, name: str = "citizen") -> SimpleSigner:
    """Return what signs with a key of the infrastructure, its chain embedded."""
    private = trust.keys[name].private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call] # pyHanko annotates in part
    store.register(foreign(trust.certificate("interm")))
    return SimpleSigner(
        signing_cert=foreign(trust.certificate(name)),
        signing_key=asn1_keys.PrivateKeyInfo.load(private),
        cert_registry=store,
    )


def foreign(certificate: x509.Certificate) -> asn1_x509.Certificate:
    """Return a certificate as pyHanko has it."""
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def signed_pdf(
    trust: Trust, level: str = "B-T", name: str = "citizen", content: bytes | None = None
) -> bytes:
    """Return a PDF that somebody signed at a baseline level."""
    context = ValidationContext(
        trust_roots=[foreign(trust.certificate(one)) for one in ("root", "tsa-root")],
        other_certs=[foreign(trust.certificate("interm"))],
        allow_fetching=True,
        revocation_mode="require",
        # On a busy machine an answer may be younger than the context that asked for it.
        time_tolerance=dt.timedelta(minutes=10),
    )
    stored: Mapping[str, Any] = {}
    if level in ("B-LT", "B-LTA"):
        stored = {
            "validation_context": context,
            "embed_validation_info": True,
            "use_pades_lta": level == "B-LTA",
        }
    metadata = PdfSignatureMetadata(
        field_name=f"Unterschrift-{name}",
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        **stored,
    )
    stamper = None if level == "B-B" else HTTPTimeStamper(trust.tsa, timeout=120)
    made = PdfSigner(metadata, signer=signer(trust, name), timestamper=stamper)
    target = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(content or image_pdf()))
    made.sign_pdf(writer, output=target)
    return target.getvalue()


def turned(content: bytes) -> bytes:
    """Return a PDF with a later update that turns its first page."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(content))
    make_number: Any = NumberObject
    page = writer.find_page_for_modification(0)[0].get_object()
    page[pdf_name("/Rotate")] = make_number(90)
    writer.update_container(page)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def cms(trust: Trust, content: bytes, *, inside: bool = False, name: str = "citizen") -> bytes:
    """Return a CAdES signature over `content`."""
    made = asyncio.run(
        signer(trust, name).async_sign_general_data(
            content, "sha256", detached=not inside, use_cades=True
        )
    )
    der: bytes = made.dump()
    return der


def clear_mail(trust: Trust, content: bytes) -> bytes:
    """Return a mail with `content` in clear beside its signature; line ends are CRLF."""
    part = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + content
    signature = base64.encodebytes(cms(trust, part)).replace(b"\n", b"\r\n")
    return (
        b"From: buergerin@example.org\r\nTo: poststelle@example.org\r\nSubject: Antrag\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg=sha-256;\r\n"
        b' protocol="application/pkcs7-signature"; boundary="grenze"\r\n\r\n'
        b"This is an S/MIME signed message\r\n\r\n--grenze\r\n" + part + b"\r\n--grenze\r\n"
        b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + signature + b"\r\n--grenze--\r\n"
    )


def opaque_mail(trust: Trust, content: bytes) -> bytes:
    """Return a mail whose content is inside its signature."""
    body = base64.encodebytes(cms(trust, content, inside=True)).replace(b"\n", b"\r\n")
    return (
        b"From: buergerin@example.org\r\nTo: poststelle@example.org\r\nSubject: Antrag\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data;\r\n"
        b" name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    )


def asic(trust: Trust, signed: Mapping[str, bytes], packed: Mapping[str, bytes]) -> bytes:
    """Return an ASiC-E whose manifest lists `signed` and which holds `packed`."""
    root = etree.Element(f"{{{_MANIFEST}}}ASiCManifest", nsmap={"asic": _MANIFEST, "ds": _DSIG})
    reference = etree.SubElement(root, f"{{{_MANIFEST}}}SigReference")
    reference.set("URI", "META-INF/signature001.p7s")
    for name, content in signed.items():
        entry = etree.SubElement(root, f"{{{_MANIFEST}}}DataObjectReference", URI=name)
        etree.SubElement(entry, f"{{{_DSIG}}}DigestMethod", Algorithm=_SHA256)
        value = etree.SubElement(entry, f"{{{_DSIG}}}DigestValue")
        value.text = base64.b64encode(hashlib.sha256(content).digest()).decode()
    manifest = etree.tostring(root)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.etsi.asic-e+zip")
        for name, content in packed.items():
            archive.writestr(name, content)
        archive.writestr("META-INF/ASiCManifest001.xml", manifest)
        archive.writestr("META-INF/signature001.p7s", cms(trust, manifest))
    return target.getvalue()


class Scheme:
    """Who issues trusted lists, with a certificate of their own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Aufsicht")])
        start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=20_000))
            .sign(self._key, hashes.SHA256())
        )

    def settings(self, folder: Path, *issuers: x509.Certificate, **more: Any) -> dict[str, Any]:
        """Write a list that names `issuers` and return the settings that use it.

        `ends` is when the list says that it ends, `signed_by` another scheme that signs it,
        `stampers` the certificates of qualified timestamp services.
        """
        lists = folder / "lists"
        lists.mkdir(parents=True, exist_ok=True)
        signing: Scheme = more.get("signed_by", self)
        services = [(one, _CA_QC) for one in issuers]
        services += [(one, _QTST) for one in more.get("stampers", ())]
        ends = more.get("ends", dt.datetime.now(dt.UTC) + dt.timedelta(days=30))
        (lists / "de.xml").write_bytes(signing._signed(_trusted_list(services, ends)))
        signers = folder / "signers.pem"
        signers.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return {"trusted_lists": lists, "trusted_list_signers": signers}

    def _signed(self, root: Any) -> bytes:
        made = XAdESSigner(signature_algorithm="ecdsa-sha256").sign(
            root, key=self._key, cert=[self._certificate]
        )
        return bytes(etree.tostring(made))


def _trusted_list(listed: list[tuple[x509.Certificate, str]], ends: dt.datetime) -> Any:
    services = "".join(
        f"""<TSPService><ServiceInformation>
        <ServiceTypeIdentifier>{kind}</ServiceTypeIdentifier>
        <ServiceName><Name xml:lang="de">Aussteller</Name></ServiceName>
        <ServiceDigitalIdentity><DigitalId><X509Certificate>{
            base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode()
        }</X509Certificate></DigitalId></ServiceDigitalIdentity>
        <ServiceStatus>{_GRANTED}</ServiceStatus>
        <StatusStartingTime>2024-01-01T00:00:00Z</StatusStartingTime>
        </ServiceInformation></TSPService>"""
        for one, kind in listed
    )
    text = f"""<TrustServiceStatusList xmlns="{_LIST}" Id="liste" TSLTag="http://uri.etsi.org/19612/TSLTag">
    <SchemeInformation><TSLVersionIdentifier>5</TSLVersionIdentifier>
    <TSLSequenceNumber>1</TSLSequenceNumber>
    <ListIssueDateTime>2026-01-01T00:00:00Z</ListIssueDateTime>
    <NextUpdate><dateTime>{ends:%Y-%m-%dT%H:%M:%SZ}</dateTime></NextUpdate></SchemeInformation>
    <TrustServiceProviderList><TrustServiceProvider><TSPInformation/>
    <TSPServices>{services}</TSPServices></TrustServiceProvider></TrustServiceProviderList>
    </TrustServiceStatusList>"""
    return etree.fromstring(text)
