"""`osmo workflow spec`, `osmo settings`, `osmo version`."""

import argparse
import sys

from osmo import __version__
from osmo.cli.output import print_json, print_table
from osmo.cli.settings import load
from osmo.cli.view import home_of
from osmo.rundir import records


def spec(args: argparse.Namespace) -> int:
    """The spec as it runs, byte for byte; or as it was written."""
    run = home_of(load()).run(args.id)
    text = (run.template if args.template and run.template.exists() else run.spec).read_bytes()
    if args.format == "json":
        file = (records.read(run.run) or {}).get("spec_file")
        print_json({"name": run.id, "spec_file": file, "spec": text.decode(errors="replace")})
    else:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    return 0


def settings(args: argparse.Namespace) -> int:
    """Every setting, its value, and where that came from."""
    values = load().values.values()
    if args.format == "json":
        print_json({value.known.name: {"value": value.text, "source": value.source} for value in values})
    else:
        rows = [(value.known.name, value.text, value.source, value.known.meaning) for value in values]
        print_table(("Setting", "Value", "From", "Meaning"), rows)
    return 0


def version(args: argparse.Namespace) -> int:
    if args.format == "json":
        print_json({"version": __version__})
    else:
        print(f"osmo {__version__}")
    return 0
