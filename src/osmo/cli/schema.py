"""`osmo workflow schema`."""

import argparse

from osmo.cli.output import print_json
from osmo.spec.schema import schema as made


def schema(args: argparse.Namespace) -> int:  # noqa: ARG001
    """The JSON Schema of a spec file."""
    print_json(made())
    return 0
