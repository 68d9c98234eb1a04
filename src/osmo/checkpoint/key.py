"""The key of a file: its name, but for the bytes that stores refuse. Nothing ever decodes a key."""


def key_of(prefix: str, name: str) -> str:
    """`prefix` (`ckpt/`, or nothing) and the file's name beneath the root, as an object's key.

    Control characters and bytes that are not UTF-8 are escaped as `%XX`. A name comes from a folder, so it has neither
    empty nor dot segments.
    """
    return _escaped(prefix) + _escaped(name)


def _escaped(name: str) -> str:
    return name if name.isprintable() else "".join(map(_escaped_character, name))


def _escaped_character(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as Python shows it
        return f"%{ord(char) - 0xDC00:02X}"
    return f"%{ord(char):02X}" if char < " " or char == "\x7f" else char
