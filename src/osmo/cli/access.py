"""`osmo data check`: what a store can do, in a table."""

import argparse

from osmo.cli.output import print_json, print_table
from osmo.cli.settings import environment
from osmo.errors import StoreError, UsageError
from osmo.spec import url as urls
from osmo.store.capabilities import Access, Found, capabilities, enough
from osmo.store.open import open_store

_WORDS = {True: "yes", False: "no", None: "-"}


def check(args: argparse.Namespace) -> int:
    try:
        url = urls.checked(args.url)
    except ValueError as error:
        raise UsageError(str(error)) from error
    access = Access[args.access] if args.access else None
    try:
        found = list(capabilities(open_store(url, environment()), access))
    except StoreError as error:  # nothing more can be said
        if args.format != "json":
            raise
        print_json({"url": url, "status": "fail", "error": str(error), "hint": error.hint, "checks": []})
        return 1
    good = enough(found, access)
    if args.format == "json":
        print_json({"url": url, "status": "pass" if good else "fail", "checks": [_record(each) for each in found]})
    else:
        print_table(
            ("Feature", "There", "What it means"), [(each.what, _WORDS[each.able], each.means) for each in found]
        )
        for line in dict.fromkeys(_line(each) for each in found if each.error is not None):
            print(line)
    return 0 if good else 1


def _record(found: Found) -> dict[str, object]:
    error = {"error": str(found.error), "hint": found.error.hint} if found.error else {}
    return {"name": found.what, "able": found.able, "means": found.means, **error}


def _line(found: Found) -> str:
    return f"{found.what}: {found.error}. {found.error.hint if found.error else ''}".rstrip()
