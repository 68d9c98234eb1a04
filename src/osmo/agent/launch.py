"""The last step before the command: gives its process what belongs to the command, then becomes it.

Run by path with `python -I -S`, so it imports nothing but small parts of the standard library. A shell alone cannot do
this: dash drops every variable whose name is not a shell's (`my.var`, bash's exported functions) and adds some of its
own. The environment comes on standard input, for an argument would show it to every user of the machine.

argv: the command's oom_score_adj, then the command. Exits 127 if the command is not there, 126 if it cannot be run.
"""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Mapping

# Python ignores some, our agent others; what a command finds ignored stays ignored.
_AS_USUAL = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGIO)


def encoded(environment: Mapping[str, str]) -> bytes:
    """What `main` expects on standard input."""
    return b"".join(os.fsencode(f"{name}={value}\0") for name, value in environment.items())


def main() -> None:
    oom_score_adj, *command = sys.argv[1:]
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(oom_score_adj)
    with open(0, "rb") as file_of_variables:
        pairs = (pair.partition(b"=") for pair in file_of_variables.read().split(b"\0") if pair)
        environment = {name: value for name, _, value in pairs}
    os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # as 0, the lowest number that is free
    for number in _AS_USUAL:
        signal.signal(number, signal.SIG_DFL)
    try:
        try:
            os.execvpe(command[0], command, environment)  # noqa: S606
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without `#!`: run as every shell would run it.
            os.execve("/bin/sh", ["sh", *command], environment)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"osmo: {command[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main()
