"""A wrong configuration is refused at once, with the key and the remedy in German."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.document import DEFAULT_TENANT
from ingest.errors import Misconfigured
from ingest.settings import Settings, in_child, load


def _load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    return load(None, file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[foo]\n", "foo: unbekannter Schlüssel"),
        ('[folder]\nsettle_seconds = "bald"\n', "folder.settle_seconds: muss eine Zahl sein"),
        ("[workers]\nattempts = 0\n", "workers.attempts: muss mindestens 1 sein"),
        ('[house]\nzone = "Mars/Phobos"\n', "keine Zeitzone"),
        ('[sealing]\ntsa_url = "gibts nicht"\n', "keine Adresse"),
        ('[sealing]\ntsa_urls = ["http://a/tsa", "gopher://b"]\n', "keine Adresse"),
        ('[sealing]\ntsa_urls = ["http://a/tsa", "http://a/tsa"]\n', "zweimal"),
        ('[sealing]\ntsa_url = "http://a"\ntsa_urls = ["http://b"]\n', "stehen beide da"),
        ('[sealing.token]\nmodule = "/a.so"\npin = "4711"\n', "sealing.token.pin: unbekannter"),
        ('[sealing.token]\nmodule = "libsofthsm2.so"\n', "kein vollständiger Pfad"),
        ('[sealing]\ntsa_roots = "/gibt/es/nicht.pem"\n', "gibt es nicht"),
        ('[sealing.csc]\npin = "4711"\n', "sealing.csc.pin: unbekannter"),
        ('[sealing.csc]\nurl = "https://a/csc/v1"\n', "sealing.csc.issuers: fehlt"),
        ('[sealing.csc]\nurl = "siegel.example"\n', "keine Adresse mit https"),
        ('[sealing.csc]\nurl = "https://siegel.example:99999/v1"\n', "keine Adresse mit https"),
        ('[sealing.csc]\nurl = "https://[siegel/v1"\n', "keine Adresse mit https"),
        ('[sealing.csc]\nurl = "http://192.0.2.9/csc/v1"\n', "unverschlüsselt"),
        ('[sealing.csc]\nurl = "http://localhost.example/csc/v1"\n', "unverschlüsselt"),
        ('[sealing.csc]\nurl = "https://a:geheim@b/csc/v1"\n', "kein Kennwort"),
        ('[sealing.csc]\naccess_token_file = "zugang"\n', "kein vollständiger Pfad"),
        ('[tenants."../weg"]\n', "kein Mandantenname"),
        ("[scanners]\nsekunden = 3\n", "scanners.sekunden: unbekannter Schlüssel"),
        ("[scanners]\nseconds = 0\n", "scanners.seconds: muss größer als 0"),
        ('[scanners.escl.eg]\nurl = "ftp://192.0.2.7"\n', "keine Adresse"),
        ('[scanners.escl.eg]\nurl = "https://a:b@192.0.2.7/eSCL"\n', "kein Kennwort"),
        ('[scanners.escl.eg]\nurl = "http://x"\nfingerprint = "a1"\n', "64 Stellen"),
        (f'[scanners.escl.eg]\nurl = "http://x"\nfingerprint = "{"a" * 64}"\n', "nur mit einer"),
        ('[scanners.escl."../eg"]\nurl = "http://x"\n', "kein Gerätename"),
        ('[scanners.escl]\na = {url = "http://x"}\nb = {url = "http://x/"}\n', "dieselbe Adresse"),
        ('[scanners.sane]\nconfig_dir = "/gibt/es/nicht"\n', "gibt es nicht"),
        ('[upload]\nhost = "192.0.2.20"\n', "unverschlüsselt"),
        ('[upload]\ncertificate = "/etc/house.pem"\n', "gehören zusammen"),
        ("[upload]\nprot = 1\n", "upload.prot: unbekannter Schlüssel"),
        ("kaputt = = 1\n", "nicht lesbar"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        _load(tmp_path, text)
    assert said in caught.value.operator_text


def test_naming_a_tenant_takes_nothing_away_from_the_default_one(tmp_path: Path) -> None:
    settings = _load(tmp_path, "[tenants.bezirk]\n")
    assert set(settings.tenants) == {DEFAULT_TENANT, "bezirk"}
    assert settings.inbox(DEFAULT_TENANT) == settings.data / "inbox"
    assert settings.inbox("bezirk") == settings.data / "tenants" / "bezirk" / "inbox"


def test_an_environment_variable_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANSTRASSE_FOLDER__SETTLE_SECONDS", "7")
    assert _load(tmp_path, "[folder]\nsettle_seconds = 3\n").folder.settle_seconds == 7


def test_scanners_are_named_in_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANSTRASSE_SCANNERS__ESCL__VORFUEHRUNG__URL", "http://127.0.0.1:80/eSCL")
    shown = ":".join(["A1"] * 32)
    scanners = _load(
        tmp_path, f'[scanners.escl.eg]\nurl = "https://192.0.2.7/eSCL/"\nfingerprint = "{shown}"\n'
    ).scanners
    assert scanners.escl["vorfuehrung"].url == "http://127.0.0.1:80/eSCL"
    assert scanners.escl["eg"].url == "https://192.0.2.7/eSCL"
    assert scanners.escl["eg"].fingerprint == "a1" * 32
    assert (scanners.discovery, scanners.sane.enabled) == (False, True)


def test_children_get_neither_database_nor_broker(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        'ledger_url = "postgresql://u:geheim@h/d"\nredis_url = "redis://:geheim@h"\n'
        'persons_url = "postgresql://p:geheim@h/namen"\n'
        '[store]\nsecret_key = "schluessel"\n',
    )
    passed = settings.for_children()
    assert "geheim" not in str(passed)
    assert passed["store"]["secret_key"] == "schluessel"
    assert "schluessel" not in repr(settings)


_TOKEN = """
[sealing.token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "siegel"
key_label = "schluessel"
certificate_label = "zertifikat"
pin_file = "/run/credentials/pin"
"""


def test_only_children_that_seal_are_told_where_keys_are(tmp_path: Path) -> None:
    settings = _load(tmp_path, _TOKEN)
    assert "sealing" not in settings.for_children()
    sealing = in_child(settings.for_children(sealing=True)).sealing
    assert sealing == settings.sealing
    assert in_child(settings.for_children()).sealing.token is None


_CSC = """
[sealing.csc]
url = "https://siegel.example/csc/v1/"
credential = "siegel-2026"
access_token_file = "/run/credentials/zugang"
issuers = "/etc/scanstrasse/issuers.pem"
"""


def test_the_organisations_key_has_one_custody(tmp_path: Path) -> None:
    remote = _load(tmp_path, _CSC).sealing
    assert remote.csc is not None
    assert remote.csc.url == "https://siegel.example/csc/v1"
    assert (remote.has_organisation, remote.issuers) == (True, remote.csc.issuers)
    assert not _load(tmp_path, "").sealing.has_organisation
    with pytest.raises(Misconfigured) as caught:
        _load(tmp_path, _TOKEN + _CSC)
    assert "[sealing.token] und [sealing.csc] stehen beide da" in caught.value.operator_text


def test_authorities_are_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    urls = '[sealing]\ntsa_urls = ["https://eins/tsa", "https://zwei/tsa"]\n'
    assert _load(tmp_path, urls).sealing.authorities == ("https://eins/tsa", "https://zwei/tsa")
    one = _load(tmp_path, '[sealing]\ntsa_url = "https://eins/tsa"\n')
    assert one.sealing.authorities == ("https://eins/tsa",)
    assert _load(tmp_path, "").sealing.authorities == ()


def test_stations_are_listened_to_only_where_somebody_said_so(tmp_path: Path) -> None:
    assert _load(tmp_path, "").upload is None
    upload = _load(tmp_path, "[upload]\n").upload
    assert upload is not None
    assert (upload.host, upload.port) == ("127.0.0.1", 8617)
