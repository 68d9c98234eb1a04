"""The key of a file: its name, but for the bytes that stores refuse. Nothing ever decodes a key."""

from collections.abc import Collection, Iterable

CONTROL = ".osmo"


def key_of(prefix: str, name: str) -> str:
    """`prefix` (`ckpt/`, or nothing) and the file's name beneath the root, as an object's key.

    Control characters and bytes that are not UTF-8 are escaped as `%XX`. A name comes from a folder, so it has neither
    empty nor dot segments.
    """
    return escaped(prefix) + escaped(name)


def escaped(name: str) -> str:
    """`name` with `%XX` for each byte that a store refuses."""
    return name if name.isprintable() else "".join(map(_escaped_character, name))


def reserved(prefix: str, names: Iterable[str]) -> list[str]:
    """The names whose keys would lie where osmo keeps its own records at the url."""
    return [name for name in names if f"{prefix}{name}/".startswith(f"{CONTROL}/")]


def doubles(names: Collection[str]) -> dict[str, str]:
    """The names whose key belongs to another name, and that name: of `a%0A` and `a<newline>` one can be stored.

    A name that is its own key has the first right to it, then the first in order.
    """
    owners: dict[str, str] = {}
    lost = {}
    for name in sorted(name for name in names if not name.isprintable()):
        key = escaped(name)
        owner = key if key in names else owners.setdefault(key, name)
        if owner != name:
            lost[name] = owner
    return lost


def _escaped_character(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as Python shows it
        return f"%{ord(char) - 0xDC00:02X}"
    return f"%{ord(char):02X}" if char < " " or char == "\x7f" else char
