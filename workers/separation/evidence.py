"""What an examined page means under the rules of its profile: sheet, blank, doubtful.

Examination says what is on a page; here it is decided what follows from that, for every
rule alike, so that counting and cutting never see different separator sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest.document import Batch, Facts, Page
from profiles.model import PROFILE_ACTION, SeparationRules

#: How a class of patch code is called where people read: mirror images share one name.
PATCH_NAMES: Final = {"T": "T (auch 3)", "1": "1 (auch 6)", "2": "2", "4": "4"}


@dataclass(frozen=True, kw_only=True)
class Separator:
    """A separator sheet.

    Attributes:
        kind: `sheet` (our payload), `code39` (the text PATCHT) or `patch` (bars).
        payload: What the sheet says, as printed; empty for sheets that only separate.
        profile: The profile to which a patch code switches the document behind the sheet.
        code_lost: Its bars separate, but a code on it does not decode.
    """

    kind: str
    text: str
    payload: dict[str, str] = field(default_factory=dict)
    profile: str | None = None
    code_lost: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether it separates and says nothing else."""
        return not self.payload and self.profile is None

    @property
    def reason(self) -> str:
        """Why its page is left out, in German."""
        if self.kind == "patch":
            return f"Trennblatt: Patch-Code {PATCH_NAMES.get(self.text, self.text)}"
        return "Trennblatt: Code des Hauses" if self.payload else "Trennblatt: Code PATCHT"


def examined(page: Page) -> Facts:
    """Return what examination found on the page."""
    facts: Facts = page.facts.get("examination", {})
    return facts


def separator_on(page: Page, rules: SeparationRules) -> Separator | None:
    """Return the separator sheet that `page` is under `rules`, None for any other page."""
    if not (rules.enabled and "sheet" in rules.by):
        return None
    facts = examined(page)
    found: Facts = facts.get("separator") or {}
    of_bars = found.get("kind") == "patch"
    patch = facts.get("patch") or (found["text"] if of_bars else None)
    action = rules.separating_patches.get(str(patch))
    switches = action is not None and action.startswith(PROFILE_ACTION)
    profile = action.removeprefix(PROFILE_ACTION) if action and switches else None
    if found and not of_bars:
        payload = dict(found.get("payload") or {})
        if payload:  # our own sheet says its class itself; its bars only help to find it
            profile = None
        return Separator(kind=found["kind"], text=found["text"], payload=payload, profile=profile)
    if action is None:
        return None
    lost = bool(facts.get("sheet_damaged"))
    return Separator(kind="patch", text=str(patch), profile=profile, code_lost=lost)


def is_suspect(page: Page, rules: SeparationRules) -> bool:
    """Tell whether the page looks like a sheet that separates, and cannot be read as one."""
    if not (rules.enabled and "sheet" in rules.by) or separator_on(page, rules):
        return False
    facts = examined(page)
    if facts.get("sheet_damaged"):
        return True
    bars = facts.get("patch_suspect", facts.get("separator_suspect"))
    return bool(bars) and bool(rules.separating_patches)


def is_blank(page: Page) -> bool:
    """Tell whether nothing is on the page, neither pixels nor text."""
    return bool(examined(page).get("blank")) and not page.facts.get("inspection", {}).get("text")


def any_undecodable(pages: Iterable[Page]) -> bool:
    """Tell whether one of the pages does not decode."""
    return any(examined(page).get("undecodable") for page in pages)


def names(batch: Batch) -> str:
    """Name the batch by its first source, for operators."""
    first = f"„{batch.sources[0].name}“"
    more = len(batch.sources) - 1
    return f"{first} und {more} weitere" if more else first


def numbers(pages: Sequence[Page]) -> str:
    """Name pages by their numbers, for operators."""
    listed = ", ".join(str(page.number) for page in pages[:20])
    return f"Seite {listed}" if len(pages) == 1 else f"Seiten {listed}"
