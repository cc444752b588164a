"""The house as the station's settings name it, and what is known of it while it is away."""

from __future__ import annotations

from scanners.stack import Acceptance, OfferedProfile, Refused, Unavailable
from scanners.station.faults import Misconfigured, StationFault, Unusable
from scanners.station.home import Home
from scanners.station.house import HttpHouse, Patience


def house_of(home: Home, patience: Patience | None = None) -> HttpHouse:
    """Return the house that this station is paired with; nothing is sent yet.

    Raises:
        Misconfigured: It is paired with none, or the address is none.
    """
    address, token = home.address, home.token
    if address.url is None or token is None:
        message = (
            "Dieser Scanplatz gehört noch zu keinem Haus. Bitte mit »pair ADRESSE« verbinden; den "
            "Zugangsschlüssel vergibt der Betrieb des Hauses (»scanstrasse station add«)."
        )
        raise Misconfigured(message)
    try:
        return HttpHouse(
            address.url,
            token,
            ca=address.ca,
            fingerprint=address.fingerprint,
            proxy=address.proxy,
            patience=patience,
        )
    except Refused as error:
        raise Misconfigured(error.operator_text) from error


def refresh_profiles(home: Home, house: Acceptance) -> list[OfferedProfile]:
    """Ask the house for its profiles and keep them for when it is away.

    Raises:
        Unavailable, Refused: As the house answered, which is kept for `status` too.
    """
    try:
        offered = house.profiles()
    except Unavailable as error:
        home.see_house("away", error.operator_text)
        raise
    except Refused as error:
        home.see_house("barred", error.operator_text)
        raise
    home.see_house("back")
    home.keep_profiles(offered)
    return offered


def profile_of(home: Home, house: Acceptance, name: str) -> OfferedProfile:
    """Return a profile as the house offers it now, or, while it is away, offered it last.

    Raises:
        Unusable: There is no such profile.
        StationFault: The house does not let this station in, or is away and never was asked.
    """
    try:
        offered = refresh_profiles(home, house)
    except Unavailable as error:
        offered = home.kept_profiles
        if not offered:
            raise StationFault(error.operator_text) from error
    except Refused as error:
        raise StationFault(error.operator_text) from error
    for profile in offered:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in offered) or "keine"
    text = f"Unter dem Profil „{name}“ kann hier nicht gescannt werden. Möglich sind: {known}."
    raise Unusable(text)
