"""The command line: arguments, wiring and exit codes. The only module that knows everybody.

Exit codes: 0 all done, 2 usage, 3 something needs a person, 9 configuration, 70 bug,
75 something outside is away (try again), 130 interrupted. An unknown code is a failure.
With `--json`, standard output carries one JSON object a line and nothing else; logs go to
standard error.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import click

from ingest.cli.app import App, configure_logs
from ingest.cli.assuring import qa
from ingest.cli.bundling import evidence
from ingest.cli.deciding import erase, put_back, reject, release, retry, reviewed, shift
from ingest.cli.devices import device, station
from ingest.cli.ending import close_stack
from ingest.cli.evidencing import preserve
from ingest.cli.exporting import export
from ingest.cli.keeping import backup, restore
from ingest.cli.logs import log_
from ingest.cli.outgoing import seal_outgoing
from ingest.cli.papers import paper
from ingest.cli.printing import sheets
from ingest.cli.procedures import procedure
from ingest.cli.profiling import profile
from ingest.cli.proving import check, verify
from ingest.cli.reading import list_, show, status
from ingest.cli.receiving import receive
from ingest.cli.reporting import report
from ingest.cli.rescanning import rescan
from ingest.cli.running import run, watch, work
from ingest.cli.scanning import list_devices, scan
from ingest.cli.serving import serve
from ingest.cli.staffing import people
from ingest.errors import Misconfigured, Outage, ScanstrasseError, UsageError

EXIT_USAGE = 2
EXIT_NEEDS_PERSON = 3
EXIT_CONFIGURATION = 9
EXIT_BUG = 70
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SCANSTRASSE_DATA",
    help="Datenordner (Vorgabe: ./data oder SCANSTRASSE_DATA).",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="SCANSTRASSE_CONFIG",
    help="Konfigurationsdatei (TOML).",
)
@click.option("--verbose", is_flag=True, help="Ausführliche Protokolle auf stderr.")
@click.pass_context
def cli(context: click.Context, data: Path | None, config: Path | None, *, verbose: bool) -> None:
    """Scanstraße: vom Posteingang zur durchsuchbaren, gesicherten PDF/A am richtigen Tisch."""
    configure_logs(verbose=verbose)
    context.obj = context.with_resource(App(data=data, config=config))


for _command in (
    run,
    watch,
    work,
    serve,
    receive,
    scan,
    close_stack,
    list_devices,
    device,
    station,
    list_,
    status,
    show,
    release,
    reject,
    retry,
    reviewed,
    put_back,
    rescan,
    qa,
    erase,
    shift,
    people,
    profile,
    procedure,
    report,
    sheets,
    seal_outgoing,
    export,
    verify,
    preserve,
    evidence,
    check,
    backup,
    restore,
    log_,
    paper,
):
    cli.add_command(_command)


def main() -> None:
    """Run a command and turn whatever happened into an exit code."""
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run() -> int:
    try:
        result = cli.main(standalone_mode=False, prog_name="scanstrasse")
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        result = 0
    except ScanstrasseError as error:
        click.echo(f"Fehler: {error.operator_text}", err=True)
        result = _code_of(error)
    except Exception:  # noqa: BLE001 - the outermost seam: a bug gets its own exit code
        traceback.print_exc()
        result = EXIT_BUG
    return result if isinstance(result, int) else 0


def _code_of(error: ScanstrasseError) -> int:
    if isinstance(error, UsageError):
        return EXIT_USAGE
    if isinstance(error, Misconfigured):
        return EXIT_CONFIGURATION
    if isinstance(error, Outage):
        return EXIT_TRY_AGAIN
    return EXIT_NEEDS_PERSON
