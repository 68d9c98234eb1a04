"""`osmo checkpoint run`: any command with checkpoints, in the foreground."""

import argparse
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from osmo.agent import foreground
from osmo.agent.child import check_command
from osmo.agent.foreground import Ending, Plan
from osmo.cli.before import ask_stores, limits, warn
from osmo.cli.main import FAILED
from osmo.cli.settings import environment, load
from osmo.clock import SystemClock
from osmo.errors import NoSuchCommand, SpecError, UsageError
from osmo.logs.write import PlainLog
from osmo.spec import entries
from osmo.spec.entries import Entries
from osmo.spec.place import Place

_OF_AN_ENTRY = ("path", "url", "frequency", "regex", "keep", "name")
_STDERR = 2


def run(args: argparse.Namespace) -> int:
    """Run the command. The exit code is its own; 1 if that was 0 and its last checkpoint is not in the store."""
    if not args.rest:
        raise UsageError("no command: write it behind `--`, as in `osmo checkpoint run ... -- python train.py`")
    settings = load()
    settings.override("grace", args.grace, "--grace")
    settings.override("spot", args.spot, "--spot")
    settings.override("max_bandwidth", args.max_bandwidth, "--max-bandwidth")
    settings.override("restore_timeout", args.restore_timeout, "--restore-timeout")
    environ, patience = environment(), limits(settings)
    found = _entries(args, Place(environ, os.getcwd(), str(settings.home)))
    plan = Plan(tuple(args.rest), found.entries, _name(args.name), patience)
    log = PlainLog(_descriptor(args), SystemClock())
    try:
        check_command(plan.command, environ, os.getcwd())
        warn(*found.warnings)
        if not args.no_check:
            ask_stores({entry.url for entry in plan.entries}, environ, "the command", restores=args.restore)
        ending = foreground.run(plan, environ, log, SystemClock())
    except NoSuchCommand as error:
        print(f"osmo: {error}", file=sys.stderr)
        return error.code
    return _end(ending, told=not (args.quiet or args.log))


def _entries(args: argparse.Namespace, place: Place) -> Entries:
    given = {name: getattr(args, name) for name in _OF_AN_ENTRY}
    if args.config is not None:
        if also := [name for name, value in given.items() if value is not None]:
            raise UsageError(f"--{also[0]} does not go with --config: write it into the file")
        found = entries.from_file(Path(args.config), place)
    else:
        if given["keep"] is not None and given["keep"].isdecimal():
            given["keep"] = int(given["keep"])
        try:
            found = entries.from_options({name: given[name] for name in _OF_AN_ENTRY if name != "name"}, place)
        except SpecError as error:
            raise UsageError("\n      ".join(error.problems)) from error
    if args.restore:
        found = replace(found, entries=tuple(replace(entry, restore=True) for entry in found.entries))
    return found


def _name(name: str | None) -> str:
    """A stream's name is a folder's in the store. Raises UsageError if it cannot be."""
    if name is not None and (not name or name.startswith(".") or "/" in name or not name.isprintable()):
        raise UsageError(f"--name: {name!r} is not a name: no '/', nothing unprintable, no '.' at its beginning")
    return name or ""


def _descriptor(args: argparse.Namespace) -> int | None:
    """Where our own lines go. Raises UsageError."""
    if args.log is None:
        return None if args.quiet else _STDERR
    try:
        return os.open(args.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"--log: {args.log}: {error.strerror}") from error


def _end(ending: Ending, *, told: bool) -> int:
    """End as the command did; never returns. told: the log has been read by whoever sees our standard error."""
    if ending.lost and not told:
        print(f"osmo: {ending.lost}", file=sys.stderr)
    sys.stderr.flush()
    if ending.interrupted:
        # A script goes on after a command that merely exits with 130: only this tells it that Ctrl-C was meant for all.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    # A request that hangs must not keep the process.
    os._exit(ending.code or (FAILED if ending.lost else 0))
