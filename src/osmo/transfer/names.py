"""Which file has which key: OSMO's rules, decided without asking anybody."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from osmo.store.base import Object

OWN = ".osmo"  # osmo's own records of checkpoints at a url: not anybody's data
Takes = Callable[[str], bool]


def matcher(regex: str) -> Takes:
    """Whether a name is wanted: matched from its beginning on, as OSMO does. Empty: all. Raises ValueError."""
    if not regex:
        return lambda _: True
    try:
        pattern = re.compile(regex)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{regex!r} is not a regular expression: {error}") from error
    return lambda name: pattern.match(name) is not None


def base_of(written: str) -> tuple[Path, str]:
    """Where a local path leads, and what its files' keys begin with: the folder's own name, nothing for `folder/*`."""
    contents = written.endswith("/*")
    path = Path(written.removesuffix("/*") or "/").expanduser().absolute()
    return path, "" if contents else path.name


def is_own(key: str) -> bool:
    """Whether a key is one of osmo's records."""
    return OWN in key.split("/")


def relative(key: str, prefix: str) -> str:
    """A key as it is beneath a prefix that it begins with; the last segment of the prefix itself, if it is the key."""
    return key.removeprefix(prefix).removeprefix("/") or key.rpartition("/")[2]


def wanted(objects: Iterable[Object], takes: Takes, *, own: bool = False) -> list[Object]:
    """Those whose key is taken, without osmo's records unless `own`, and without the empty objects that some tools put
    where they want a folder to be seen."""
    found = [each for each in objects if takes(each.key) and (own or not is_own(each.key))]
    folders = {each.key.rpartition("/")[0] for each in found}
    for folder in list(folders):
        while folder := folder.rpartition("/")[0]:
            folders.add(folder)
    return sorted((each for each in found if each.size or each.key not in folders), key=lambda each: each.key)
