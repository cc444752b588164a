"""Questions to whoever gives a command, in German, answered in German."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Final

import click

_ANSWERS: Final = MappingProxyType({"j": True, "ja": True, "n": False, "nein": False})


def is_agreed(question: str, *, default: bool) -> bool:
    """Ask on standard error, where `--json` says nothing, until the answer is ja or nein.

    Raises:
        click.Abort: Nobody answers.
    """
    choice = "J/n" if default else "j/N"
    while True:
        click.echo(f"{question} [{choice}] ", err=True, nl=False)
        said = sys.stdin.readline()
        if not said:
            raise click.Abort
        answer = said.strip().casefold()
        if not answer:
            return default
        if answer in _ANSWERS:
            return _ANSWERS[answer]
        click.echo("Bitte mit j (ja) oder n (nein) antworten.", err=True)


def require_agreed(question: str) -> None:
    """Go on only with somebody's ja.

    Raises:
        click.Abort: The answer is nein, or nobody answers.
    """
    if not is_agreed(question, default=False):
        click.echo("Es wurde nichts geändert.", err=True)
        raise click.Abort
