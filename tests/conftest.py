"""What every test relies on, and the one that comes after the last: no secret is where it must not be."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from support import planted

# How hard hypothesis tries: quickly by default and in CI, `--hypothesis-profile thorough` for a night.
# No deadline of a single example: a shared machine may stop for a second. The same examples each time in CI.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("quick")

# What a shell starts in the background ignores these, and so would every command that a test starts.
for _signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, signal.default_int_handler if _signum is signal.SIGINT else signal.SIG_DFL)

_WATCH, _LEAKS = pytest.StashKey[planted.Watch](), pytest.StashKey[list[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        session.config.stash[_WATCH] = planted.Watch(_temporary(session.config))


@pytest.hookimpl(trylast=True)  # after pytest-xdist has ended its workers
def pytest_sessionfinish(session: pytest.Session) -> None:
    """All that the tests of this session have left, their runs, logs, records and stores, is searched for the secrets
    that they planted."""
    if _WATCH in session.config.stash:
        found = session.config.stash[_WATCH].end() + planted.leaks(_temporary(session.config))
        session.config.stash[_LEAKS] = found
        if found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if found := config.stash.get(_LEAKS, []):
        terminalreporter.section("SECRETS THAT CAN BE SEEN", red=True)
        for line in found:
            terminalreporter.write_line(line)


def _temporary(config: pytest.Config) -> Path:
    """The directory above every `tmp_path`, those of all workers. pytest has no other way to it than a fixture."""
    return Path(vars(config)["_tmp_path_factory"].getbasetemp())
