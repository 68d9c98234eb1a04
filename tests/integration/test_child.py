"""The command, the shell around it, and what each leaves behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from osmo.agent import child as module
from osmo.agent.child import Child
from osmo.clock import SystemClock
from osmo.errors import RunDirectoryError
from osmo.rundir import records
from osmo.rundir.identity import Process, group_alive
from osmo.rundir.paths import AttemptDir
from support.cli import until

CLOCK = SystemClock()
PATH = {"PATH": os.environ["PATH"]}


@pytest.fixture(params=["dash", "bash"], autouse=True)
def shell(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """/bin/sh may be either; bash behaves otherwise when it is called sh."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"no {request.param} here")
    (tmp_path / "sh").symlink_to(program)
    monkeypatch.setattr(module, "_SHELL", str(tmp_path / "sh"))
    return request.param


@pytest.fixture
def started(attempt: AttemptDir) -> Iterator[list[Child]]:
    """What is in it when the test is over ends with it."""
    children: list[Child] = []
    yield children
    for one in children:
        one.signal(signal.SIGKILL)
        if one._popen is not None:
            one._popen.wait(60)


def start(attempt: AttemptDir, started: list[Child], *command: str, environment: Mapping[str, str] = PATH) -> Child:
    one = Child.start(attempt, command, environment, str(attempt.path.parent), CLOCK)
    started.append(one)
    return one


def run(
    attempt: AttemptDir, started: list[Child], *command: str, environment: Mapping[str, str] = PATH
) -> tuple[int | None, str]:
    one = start(attempt, started, *command, environment=environment)
    until(lambda: one.ended() is not None)
    return one.ended(), attempt.output.read_text(errors="surrogateescape")


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -TERM $$", 143), ("kill -INT $$", 130)],
)
def test_the_exit_status_is_the_command_s(attempt: AttemptDir, started: list[Child], script: str, code: int) -> None:
    assert run(attempt, started, "sh", "-c", script) == (code, "")  # and nothing like "Killed" in its output
    assert attempt.exit.read_text().split() == [str(code)]
    assert stat.S_IMODE(attempt.exit.stat().st_mode) == stat.S_IMODE(attempt.started.stat().st_mode) == 0o600


def test_the_environment_is_what_it_is_told_to_be_and_nothing_else(attempt: AttemptDir, started: list[Child]) -> None:
    told = PATH | {
        "LINES_": "one\ntwo\n",
        "EMPTY": "",
        "_": "underscore",
        "my.var": "no name for a shell",
        "BASH_FUNC_module%%": "() {  echo module\n}",
        "PWD": "/elsewhere",
        "SHLVL": "7",
        "equal": "a=b=c",
        "bytes": "\udcff\udcfe",
        "LC_ALL": "C",
    }
    program = "import os; print(sorted(os.environb.items()))"
    code, output = run(attempt, started, sys.executable, "-I", "-c", program, environment=told)
    assert code == 0
    assert output.strip() == str(sorted((os.fsencode(name), os.fsencode(value)) for name, value in told.items()))


def test_a_command_begins_with_default_signals_and_an_empty_input(attempt: AttemptDir, started: list[Child]) -> None:
    program = (
        "import os; status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print(int(status['SigIgn'], 16), int(status['SigBlk'], 16), os.readlink('/proc/self/fd/0'),"
        "sorted(os.listdir('/proc/self/fd')), os.getcwd())"
    )
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as our agent has it
    try:
        code, output = run(attempt, started, sys.executable, "-I", "-S", "-c", program)
    finally:
        signal.signal(signal.SIGHUP, old)
    # Python itself ignores SIGPIPE and SIGXFSZ; the fourth file is the directory that is read.
    ignored = (1 << (signal.SIGPIPE - 1)) | (1 << (signal.SIGXFSZ - 1))
    assert (code, output) == (0, f"{ignored} 0 /dev/null ['0', '1', '2', '3'] {attempt.path.parent}\n")


def test_the_kernel_takes_the_command_before_the_agent(attempt: AttemptDir, started: list[Child]) -> None:
    ours = int(Path("/proc/self/oom_score_adj").read_text())
    code, output = run(attempt, started, "cat", "/proc/self/oom_score_adj")
    assert (code, output) == (0, f"{min(1000, ours + 200)}\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_shell_outlives_a_signal_to_the_group_and_tells_how_it_ended(
    attempt: AttemptDir, started: list[Child], signum: signal.Signals
) -> None:
    name = signum.name.removeprefix("SIG")
    one = start(attempt, started, "bash", "-c", f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.05; done")
    until(lambda: attempt.output.read_text() == "ready\n")
    one.signal(signum)
    until(lambda: one.ended() is not None)
    assert one.ended() == 9
    until(lambda: not one.group_alive())


def test_a_shell_that_was_killed_counts_as_137_once_nothing_of_its_group_runs(
    attempt: AttemptDir, started: list[Child]
) -> None:
    one = start(attempt, started, "sleep", "600")
    leader = Process.read(records.read(attempt.child) or {})
    until(lambda: _commands_of(leader.pid) == {"sleep", "sh"})
    os.kill(leader.pid, signal.SIGKILL)
    until(lambda: not leader.alive)
    assert one.ended() is None
    one.signal(signal.SIGTERM)
    until(lambda: one.ended() is not None)
    assert one.ended() == 137


def _commands_of(group: int) -> set[str]:
    shown = subprocess.run(["ps", "-A", "-o", "pgid=,comm="], capture_output=True, text=True, check=False).stdout
    return {line.split()[1] for line in shown.splitlines() if line.split()[0] == str(group)}


def test_a_command_never_runs_twice(attempt: AttemptDir, started: list[Child]) -> None:
    first = start(attempt, started, "sh", "-c", "echo once; sleep 1; exit 3")
    attempt.child.unlink()  # as if the agent had died before it wrote that down
    second = start(attempt, started, "sh", "-c", "echo once; sleep 1; exit 3")
    third = Child.find(attempt)
    assert third is not None
    assert second.ended() is third.ended() is None
    until(lambda: first.ended() is not None)
    assert (first.ended(), second.ended(), third.ended()) == (3, 3, 3)
    assert attempt.output.read_text() == "once\n"


def test_a_later_agent_finds_the_command(attempt: AttemptDir, started: list[Child]) -> None:
    assert Child.find(attempt) is None
    start(attempt, started, "sh", "-c", "echo $$; sleep 0.5; exit 4")
    found = Child.find(attempt)
    assert found is not None
    assert found.ended() is None
    until(lambda: found.ended() is not None)
    assert found.ended() == 4


def test_a_run_directory_that_cannot_be_written_is_no_success(
    attempt: AttemptDir, started: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt.started.symlink_to(attempt.path / "no" / "such" / "place")
    with pytest.raises(RunDirectoryError, match="cannot be written to"):
        start(attempt, started, "sh", "-c", "echo never")
    assert attempt.output.read_text() == ""


def test_a_script_without_a_first_line_is_run_by_the_shell(attempt: AttemptDir, started: list[Child]) -> None:
    script = attempt.path.parent / "script"
    script.write_text("echo $1\n")
    script.chmod(0o700)
    assert run(attempt, started, "./script", "argument") == (0, "argument\n")


@pytest.mark.parametrize(("command", "code"), [("/no/such/program", 127), ("/dev/null", 126)])
def test_a_command_that_cannot_be_run_says_why(
    attempt: AttemptDir, started: list[Child], command: str, code: int
) -> None:
    got, output = run(attempt, started, command)
    assert got == code
    assert output.startswith(f"osmo: {command}: ")


def test_arguments_are_passed_as_they_are(attempt: AttemptDir, started: list[Child]) -> None:
    arguments = ["", "a b", "$HOME", "'", '"', "*", "-c", "\n", "\udcff", "--", "\\"]
    program = "import os, sys; print([os.fsencode(text) for text in sys.argv[1:]])"
    code, output = run(attempt, started, sys.executable, "-I", "-c", program, *arguments)
    assert (code, output.strip()) == (0, str([os.fsencode(text) for text in arguments]))


def test_the_group_is_what_stays_behind_too(attempt: AttemptDir, started: list[Child]) -> None:
    one = start(attempt, started, "sh", "-c", "sleep 600 & exit 0")
    until(lambda: one.ended() is not None)
    assert one.ended() == 0
    leader = Process.read(records.read(attempt.child) or {})
    assert group_alive(leader.pid)
    one.signal(signal.SIGTERM)
    until(lambda: not one.group_alive())
