"""`osmo credential`: what is kept for urls, registries and tasks. No value that may be secret is ever printed."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from osmo.cli.output import print_json, print_table
from osmo.cli.settings import environment
from osmo.errors import UsageError
from osmo.store import keeping
from osmo.store.profiles import config_file, short


def set_credential(args: argparse.Namespace) -> int:
    environ = environment()
    payload = read_payload(args.payload or (), args.payload_file or ())
    one = keeping.checked(args.name, args.type, payload)
    file = config_file(environ)
    keeping.keep(file, one, environ, in_keyring=args.keyring)
    print(f"Set {one.kind} credential: {one.name} (in {short(file, environ)})")
    return 0


def list_credentials(args: argparse.Namespace) -> int:
    environ = environment()
    file = config_file(environ)
    found = sorted(keeping.kept(file, environ), key=lambda one: (one.kind, one.name))
    if args.format == "json":
        print_json([shown(one) for one in found])
    elif found:
        print_table(
            ("Name", "Type", "Endpoint", "Fields"),
            [(one.name, one.kind, one.endpoint, ", ".join(sorted(one.payload))) for one in found],
        )
    else:
        print("There are no credentials.")
    if found and readable_by_others(file):
        print(f"WARNING: others may read {file}: chmod 600 {file}", file=sys.stderr)
    return 0


def delete_credential(args: argparse.Namespace) -> int:
    environ = environment()
    keeping.remove(config_file(environ), args.name, environ)
    print(f"Deleted credential: {args.name}")
    return 0


def shown(one: keeping.Kept) -> dict[str, object]:
    """What may be said of it: the names of its fields, no value."""
    return {"name": one.name, "type": one.kind, "endpoint": one.endpoint, "fields": sorted(one.payload)}


def readable_by_others(file: Path) -> bool:
    return bool(os.stat(file).st_mode & 0o077)


def read_payload(pairs: Sequence[str], files: Sequence[str]) -> Mapping[str, str]:
    """`UsageError` for what is no `key=value`, a key that is there twice, a file that cannot be read."""
    payload: dict[str, str] = {}
    for pair in pairs:
        key, value = _pair(pair, "--payload key=value")
        _add(payload, key, value)
    for pair in files:
        key, path = _pair(pair, "--payload-file key=path")
        try:
            text = sys.stdin.read() if path == "-" else Path(path).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"{path} cannot be read: {why}") from error
        _add(payload, key, text.removesuffix("\n").removesuffix("\r"))
    return payload


def _pair(text: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"what follows is written as {form}")  # the text itself may be a secret
    return key, value


def _add(payload: dict[str, str], key: str, value: str) -> None:
    if key in payload:
        raise UsageError(f"{key} is given twice")
    if not value:
        raise UsageError(f"{key} is empty")
    payload[key] = value
