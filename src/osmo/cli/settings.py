"""All settings on one page: what each means, its default, and where its value came from."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import UsageError
from osmo.store.profiles import config_directory


@dataclass(frozen=True, slots=True)
class Known:
    """A setting that there is. `variable` is its name in the environment; `name` the one in the file."""

    name: str
    variable: str
    default: str
    meaning: str


KNOWN = (
    Known("home", "OSMO_HOME", "", "where runs are kept"),
    Known(
        "grace",
        "OSMO_GRACE",
        "25s",
        "between asking a command to end and killing it; when the machine is taken away, for everything",
    ),
    Known(
        "final_timeout",
        "OSMO_FINAL_TIMEOUT",
        "10m",
        "how long, at a task's end, nothing may reach the store before the task counts as failed",
    ),
    Known(
        "restore_timeout",
        "OSMO_RESTORE_TIMEOUT",
        "30m",
        "how long a task whose checkpoint is to be restored waits for a store that gives no answer",
    ),
    Known("max_retries", "OSMO_MAX_RETRIES", "3", "how often a task is tried again that an exit action reschedules"),
    Known(
        "retry_wait",
        "OSMO_RETRY_WAIT",
        "5s",
        "how long, about, a task waits before it is tried again; twice as long each time, up to 5 minutes",
    ),
    Known(
        "resources",
        "OSMO_RESOURCES",
        "wait",
        "wait: a task begins when this machine has what it asks for; ignore: it begins at once",
    ),
    Known("gpus", "OSMO_GPUS", "", "the devices that tasks may have: 0,1; if empty, those that nvidia-smi knows"),
    Known("spot", "OSMO_SPOT", "auto", "ask the cloud whether this machine is about to go: auto, off, or an address"),
    Known(
        "runtime",
        "OSMO_RUNTIME",
        "auto",
        "whether tasks run in a sandbox: auto (those with an image), sandbox (all), or process (none)",
    ),
    Known(
        "max_bandwidth",
        "OSMO_MAX_BANDWIDTH",
        "",
        "what all uploads of a task may take together: 200MiB/s; no limit if empty",
    ),
    Known("settle", "OSMO_SETTLE", "2s", "how long a file must look the same before it is read"),
    Known(
        "live",
        "OSMO_LIVE",
        "",
        "files that are appended to all day, line by line, besides *.log and the like: patterns, such as `*.csv *.txt`",
    ),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value as written, and where that was."""

    known: Known
    text: str
    source: str

    @property
    def seconds(self) -> float:
        """Raises UsageError if it is no duration."""
        from osmo.spec.duration import seconds

        try:
            return seconds(self.text)
        except ValueError as error:
            raise UsageError(f"{self.source}: {self.known.name}: {error}") from error


class Settings:
    """What is in force. The environment wins over the file, the file over the defaults."""

    def __init__(self, environ: Mapping[str, str], file: Path) -> None:
        self.file = file
        written = _read(file)
        if unknown := sorted(written.keys() - {known.name for known in KNOWN}):
            raise UsageError(
                f"{file}: unknown setting {unknown[0]!r} (known: {', '.join(known.name for known in KNOWN)})"
            )
        self.values = {known.name: _value(known, environ, written, file) for known in KNOWN}

    @property
    def home(self) -> Path:
        return Path(self.values["home"].text).expanduser().absolute()

    def override(self, name: str, text: str | None, option: str) -> None:
        """An option of the command line wins over everything. None: it was not given."""
        if text is not None:
            self.values[name] = Value(self.values[name].known, text, option)

    def seconds(self, name: str) -> float:
        return self.values[name].seconds

    def count(self, name: str) -> int:
        """Raises UsageError if it is no whole number, 0 or more."""
        value = self.values[name]
        if not value.text.isdecimal():
            raise UsageError(f"{value.source}: {name}: {value.text!r} is not a whole number, 0 or more")
        return int(value.text)


def load() -> Settings:
    """The settings of this process."""
    return Settings(os.environ, config_directory(os.environ) / "settings.toml")


def _value(known: Known, environ: Mapping[str, str], written: Mapping[str, str], file: Path) -> Value:
    if text := environ.get(known.variable):
        return Value(known, text, f"environment ({known.variable})")
    if known.name in written:
        return Value(known, written[known.name], str(file))
    if known.name == "home":
        data = environ.get("XDG_DATA_HOME")
        source = "environment (XDG_DATA_HOME)" if data else "default"
        return Value(known, str(Path(data or _user_home(environ) / ".local/share") / "osmo"), source)
    return Value(known, known.default, "default")


def _read(file: Path) -> dict[str, str]:
    try:
        return {name: str(value) for name, value in tomllib.loads(file.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file}: {error}") from error


def _user_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def environment() -> dict[str, str]:
    """What commands and agents inherit: as it came to us, before Python set LC_CTYPE in a C locale."""
    try:
        with open("/proc/self/environ", "rb") as file:
            variables = os.fsdecode(file.read()).split("\0")
    except OSError:
        return dict(os.environ)
    pairs = (variable.partition("=") for variable in variables)
    return {name: value for name, equals, value in pairs if name and equals}
