"""The key of a file: its name, but for the bytes that stores refuse. Nothing ever decodes a key."""

from collections.abc import Container, Iterable

from blake3 import blake3

CONTROL = ".osmo"
_LONGEST_PART = 255  # bytes between two slashes: as long as a file's name can be where the plain files are copied to
_KEPT_OF_A_LONG_PART = 200
_MOST_BYTES = 4  # of a character


def key_of(prefix: str, name: str) -> str:
    """`prefix` (`ckpt/`, or nothing) and the file's name beneath the root, as an object's key.

    Control characters and bytes that are not UTF-8 are escaped as `%XX`. A name comes from a folder, so it has neither
    empty nor dot segments.
    """
    return escaped(prefix) + escaped(name)


def escaped(name: str) -> str:
    """`name` with `%XX` for each byte that a store refuses."""
    return name if name.isprintable() else "".join(map(_escaped_character, name))


def of_stream(name: str) -> str:
    """One part of a key for a stream of that name; of a key's part, it is the same. Longer ones than a folder's name
    can be are cut, and told apart by a digest."""
    part = escaped(name)
    if len(part.encode()) <= _LONGEST_PART:
        return part
    beginning = part.encode()[:_KEPT_OF_A_LONG_PART].decode(errors="ignore")
    return f"{beginning}~{blake3(part.encode()).hexdigest()[:32]}"


def reserved(prefix: str, names: Iterable[str]) -> list[str]:
    """The names whose keys would lie where osmo keeps its own records at the url."""
    return [name for name in names if f"{prefix}{name}/".startswith(f"{CONTROL}/")]


def too_long(prefix: str, names: Iterable[str], room: int) -> dict[str, str]:
    """The names whose key is too long, and why. room: how many bytes a key may have."""
    return {name: why for name in names if (why := _too_long(key_of(prefix, name), room))}


def doubles(names: Iterable[str], among: Container[str]) -> dict[str, str]:
    """The names whose key belongs to another name, and that name: of `a%0A` and `a<newline>` one can be stored.

    among: all names; those of them that are not printable are among `names`. A name that is its own key has the first
    right to it, then the first in order.
    """
    owners: dict[str, str] = {}
    lost = {}
    for name in sorted(name for name in names if not name.isprintable()):
        key = escaped(name)
        owner = key if key in among else owners.setdefault(key, name)
        if owner != name:
            lost[name] = owner
    return lost


def _too_long(key: str, room: int) -> str:
    if _MOST_BYTES * len(key) <= min(room, _LONGEST_PART):  # as almost all are
        return ""
    if (size := len(key.encode())) > room:
        return f"its name in the store would have {size:,} bytes, {room:,} are possible"
    if any(len(part.encode()) > _LONGEST_PART for part in key.split("/")):
        return f"a part of its name in the store would have more than {_LONGEST_PART} bytes"
    return ""


def _escaped_character(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as Python shows it
        return f"%{ord(char) - 0xDC00:02X}"
    return f"%{ord(char):02X}" if char < " " or char == "\x7f" else char
