"""Every error that osmo raises on purpose.

The command line prints the message and the hint, and only it exits. A message is one line that says what was wrong
and where; `hint` says what a person can do about it.
"""


class OsmoError(Exception):
    """The root of the tree. `hint` may be set on the class or on one error."""

    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class UsageError(OsmoError):
    """The command was called with something that it cannot use: exit code 2."""


class SpecError(OsmoError):
    """A workflow spec does not say something that can be run. One line a problem, all problems at once."""

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class RunNotFound(UsageError):
    """There is no run of that id on this machine."""

    hint = "`osmo workflow list` shows the runs of this machine."


class RunDirectoryError(UsageError):
    """The run directory cannot be used: it belongs to somebody else, or is full, or not readable."""


class NoSuchCommand(OsmoError):
    """A command is not there, or cannot be run. code: what a shell would exit with."""

    def __init__(self, message: str, code: int = 127) -> None:
        super().__init__(message)
        self.code = code


class StoreError(OsmoError):
    """A data store did not do what it was asked."""


class NotFound(StoreError):
    """There is no object of that key."""


class AlreadyExists(StoreError):
    """The object was to be created, and is there already."""


class NoRecord(StoreError):
    """What lies at the key of a checkpoint's record is none."""

    hint = "If it is damaged: `--at N` restores another checkpoint. Remove that object, and the others count again."


class NoBucket(StoreError):
    """The bucket or container does not exist."""

    hint = "Create it, or correct the url."


class AccessDenied(StoreError):
    """The store knows who asks, or does not, and says no (401, 403)."""

    hint = "`osmo data check URL` says what these credentials may do there."


class WrongCredentials(AccessDenied):
    """The store does not take them for anything: unknown, not each other's, expired; or one of two clocks is wrong."""


class NoCredentials(AccessDenied):
    """No credentials were found for the store."""


class UnknownHost(StoreError):
    """The store's host name does not resolve."""

    hint = "Correct the endpoint (AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, or the profile's) or the network's DNS."


class Unavailable(StoreError):
    """The store gave no usable answer: no connection, a timeout, 5xx, slow down. The same request may work later."""


class NoRanges(StoreError):
    """The store does not give out parts of objects as it should (rclone's S3 server answers 200, not 206)."""


class NoCopy(StoreError):
    """The store cannot copy this object by itself."""


class NoCondition(StoreError):
    """The store did not take a create-only write, perhaps because it knows of no such thing. Nothing was written."""


class FileMoved(OsmoError):
    """A file changed while it was read; nothing of it became visible in the store."""


class OpenForWriting(FileMoved):
    """A file that looks at rest, but a process has it open for writing, or mapped into its memory."""
