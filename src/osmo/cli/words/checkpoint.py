"""`osmo checkpoint …`"""

import argparse
from typing import Any

from osmo.cli.words.common import add_command, at_least_one, bandwidth, count, formats, number, stream, url, waiting


def _run(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} --path PATH --url URL --frequency DURATION [option ...] -- COMMAND [ARG ...]"
    entry = parser.add_argument_group("what to checkpoint, as in a spec's `checkpoint:`")
    entry.add_argument("--path", help="a folder, a file, or folder/*")
    entry.add_argument("--url", help="where to: s3://bucket/path, gs://…, azure://…, file:///absolute/path")
    entry.add_argument("--frequency", metavar="DURATION", help="how long to wait between two checkpoints: 30s, 10m")
    entry.add_argument("--regex", help="only files that it matches")
    entry.add_argument("--keep", metavar="N", help="how many checkpoints stay restorable (1)")
    entry.add_argument("--name", help="the name that its checkpoints have at the url (that of the folder)")
    entry.add_argument("--config", metavar="FILE", help="read a list of entries from a YAML file instead")
    parser.add_argument("--restore", action="store_true", help="begin with the newest checkpoint, if the path is empty")
    parser.add_argument("--restore-timeout", metavar="DURATION", help="wait so long for a store that is silent (30m)")
    parser.add_argument("--grace", metavar="DURATION", help="on SIGTERM, for the end and the last checkpoint (25s)")
    bandwidth(parser)
    parser.add_argument("--spot", choices=("auto", "off"), help="ask the cloud for a termination notice (auto)")
    parser.add_argument("--no-check", action="store_true", help="do not ask the data stores first")
    parser.add_argument("--log", metavar="FILE", help="append what osmo says to a file, not to standard error")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what is lost at the end")


def checkpoint(commands: Any) -> None:
    _run(add_command(commands, "run", "run", "run", "run a command and checkpoint what it writes"))
    waiting(add_command(commands, "now", "request", "now", "inside a task: make a checkpoint of its data now"))

    listing = add_command(commands, "list", "checkpoint", "list_checkpoints", "list the checkpoints at a url")
    url(listing)
    listing.add_argument("-c", "--count", type=count, default=20, metavar="N", help="at most so many a stream (20)")
    formats(listing)

    show = add_command(commands, "show", "checkpoint", "show", "show a checkpoint and its files")
    verify = add_command(commands, "verify", "checkpoint", "verify", "compare a checkpoint with what is in the store")
    verify.add_argument("--deep", action="store_true", help="read every byte and compare digests")
    for command in (show, verify):
        url(command)
        command.add_argument("number", metavar="N", nargs="?", type=number, help="which one (the newest)")
        stream(command)
        formats(command)

    restore = add_command(commands, "restore", "checkpoint", "restore", "bring a checkpoint back into a folder")
    url(restore)
    restore.add_argument("folder", metavar="DEST", help="the folder; made if it is not there")
    restore.add_argument("--at", metavar="N", dest="number", type=number, help="which one (the newest)")
    restore.add_argument("--partial", action="store_true", help="of a damaged one, the files that are whole")
    stream(restore)
    formats(restore)

    prune = add_command(commands, "prune", "upkeep", "prune", "remove all checkpoints but the newest")
    prune.add_argument("--keep", type=at_least_one, required=True, metavar="N", help="how many stay, of each stream")
    prune.add_argument("--mirror", action="store_true", help="remove plain files, too, that are in no checkpoint")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.add_argument("-y", "--yes", action="store_true", help="do not ask")
    mirror = add_command(commands, "mirror", "upkeep", "mirror", "bring plain files up to the newest checkpoint")
    for command in (prune, mirror):
        url(command)
        command.add_argument("--force", action="store_true", help="even if a run may still be writing there")
        stream(command)
        formats(command)

    diff = add_command(commands, "diff", "checkpoint", "diff", "show what changed from one checkpoint to another")
    url(diff)
    diff.add_argument("number", metavar="N", type=number)
    diff.add_argument("other", metavar="M", type=number)
    stream(diff)
    formats(diff)
