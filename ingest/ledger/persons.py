"""Who acts is kept for good, so only a code gets in, never what may be a name."""

from __future__ import annotations

from ingest.document import OPERATOR_CODE_RULE, is_operator_code
from ingest.errors import UsageError


def require_code(code: str, subject: str) -> None:
    """Refuse what is no operator code.

    Raises:
        UsageError: `code` is empty or may be a name; the text names `subject` and the remedy.
    """
    if not code.strip():
        text = f"{subject}: Es fehlt die Angabe --operator (Kürzel)."
        raise UsageError(f"no operator for {subject}", operator_text=text)
    if not is_operator_code(code):
        text = (
            f"{subject}: Die Angabe --operator ist kein Kürzel. Bitte ein Kürzel statt eines "
            f"Namens angeben: {OPERATOR_CODE_RULE}."
        )
        raise UsageError(f"not an operator code for {subject}", operator_text=text)
