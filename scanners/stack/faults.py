"""Why the house does not take something now, sorted by who has to act."""

from __future__ import annotations


class AcceptanceFault(Exception):
    """Base: nothing of what was handed over was taken; pages stay where they are.

    Attributes:
        code: Stable name of the kind.
        operator_text: German: what happened and what to do.
    """

    code: str = "acceptance_fault"

    def __init__(self, message: str, *, operator_text: str, code: str | None = None) -> None:
        """Take the English `message` for the log and the German text for people."""
        super().__init__(message)
        self.operator_text = operator_text
        self.code = code or type(self).code


class Unavailable(AcceptanceFault):
    """The house does not answer, or not now: the machine tries again, nobody has to act.

    Attributes:
        retry_after: Seconds that the house asks to wait, None where it does not say.
    """

    code = "house_unavailable"
    retry_after: float | None = None


class HouseFull(Unavailable):
    """The house has no room: its operator acts, the station waits."""

    code = "house_full"


class HouseFailed(Unavailable):
    """The house stumbled over what it was given: its developer acts, other stacks may go on."""

    code = "internal"


class Refused(AcceptanceFault):
    """The house will never take this as it is: a person has to act.

    Codes beside the classes below: `token_refused`, `stack_unknown`, `stack_closed`,
    `stack_of_another`, `stack_discarded` (the house gave it up), `page_disagrees`,
    `profile_unknown`, `profile_not_released`, `operator_unknown`, `device_not_released`,
    `too_large`, `malformed`; and of the way to it `address_refused` and `certificate_refused`.
    """

    code = "refused"


class ManifestDisagrees(Refused):
    """The manifest says other pages than the house has; the stack stays open."""

    code = "manifest_disagrees"


class DeviceLeased(Refused):
    """Somebody else uses the device; the text says who and since when."""

    code = "device_leased"


class LeaseLost(Refused):
    """The lease ended before it was renewed, and may be somebody else's."""

    code = "lease_lost"
