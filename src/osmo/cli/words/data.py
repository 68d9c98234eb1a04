"""`osmo data …` and `osmo credential …`"""

from typing import Any

from osmo.cli.words.common import add_command, bandwidth, count, formats


def data(commands: Any) -> None:
    upload = add_command(commands, "upload", "data", "upload_files", "upload files and folders to a url")
    upload.add_argument("url", metavar="URL", help="where to: s3://bucket/path, gs://…, azure://…, file:///path")
    upload.add_argument("paths", metavar="PATH", nargs="+", help="a file, a folder, or folder/* for what is in it")
    bandwidth(upload)
    download = add_command(commands, "download", "data", "download_files", "download what lies at a url")
    download.add_argument("url", metavar="URL", help="an object, or the beginning of several")
    download.add_argument("folder", metavar="DEST", help="the folder; made if it is not there")
    download.add_argument("-r", "--resume", action="store_true", help="leave files that are there already")
    listing = add_command(commands, "list", "data", "list_objects", "list what lies at a url")
    listing.add_argument("url", metavar="URL", help="a bucket, or a folder in it")
    listing.add_argument("file", metavar="FILE", nargs="?", help="write the keys there")
    listing.add_argument("-p", "--prefix", default="", help="only in this folder beneath it")
    listing.add_argument("-r", "--recursive", action="store_true", help="in all folders beneath it, too")
    listing.add_argument("--no-pager", action="store_true", help="as always: there is none")
    delete = add_command(commands, "delete", "data", "delete_objects", "delete what lies at a url")
    delete.add_argument("url", metavar="URL", help="an object, or a folder with all that is beneath it")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    check = add_command(commands, "check", "access", "check", "say what a data store can do, by trying it")
    check.add_argument("url", metavar="URL", help="a bucket, or a folder in it")
    check.add_argument("-a", "--access", choices=("READ", "WRITE", "DELETE"), help="try no more than this needs")
    formats(check)
    for command in (listing, delete):
        command.add_argument("--all", action="store_true", help="osmo's own records (.osmo), too")
    for command in (upload, download, delete):
        command.add_argument("-p", "--processes", type=count, metavar="N", help="with --threads: how many at once")
        command.add_argument("-T", "--threads", type=count, metavar="N", help="how many files at once (16)")
        command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    for command in (upload, download, listing, delete):
        command.add_argument("-x", "--regex", help="only files whose name it matches from the beginning on")
        formats(command)


def credential(commands: Any) -> None:
    keep = add_command(commands, "set", "credential", "set_credential", "keep a credential on this machine")
    keep.add_argument("name", metavar="NAME", help="what it is called")
    keep.add_argument("--type", choices=("DATA", "GENERIC", "REGISTRY"), default="DATA", help="what it is for (DATA)")
    keep.add_argument(
        "--payload", nargs="+", action="extend", metavar="KEY=VALUE", help="its fields: endpoint=s3://bucket region=…"
    )
    keep.add_argument(
        "--payload-file",
        nargs="+",
        action="extend",
        metavar="KEY=PATH",
        help="fields that are read from files, - from standard input",
    )
    keep.add_argument("--keyring", action="store_true", help="its access_key in the system's keyring, not in the file")
    listing = add_command(commands, "list", "credential", "list_credentials", "list them, without their secrets")
    formats(listing)
    delete = add_command(commands, "delete", "credential", "delete_credential", "forget a credential")
    delete.add_argument("name", metavar="NAME", help="what it is called")
