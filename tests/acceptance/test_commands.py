"""The commands that look at runs."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from osmo import __version__
from support.cli import BIN, Osmo, until
from support.needs import need_program

TWO = {
    "workflow": {
        "name": "two",
        "tasks": [
            {"name": "one", "command": ["sh", "-c", "for n in 1 2 3; do echo one $n; done"]},
            {"name": "other", "command": ["sh", "-c", "echo other"]},
        ],
    }
}


def test_help_comes_without_anything_heavy() -> None:
    program = "import sys; from osmo.cli.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    shown = subprocess.run([BIN / "python", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"pydantic", "yaml", "obstore", "botocore", "rich", "tqdm", "blake3", "asyncio", "subprocess", "shtab"}
    assert heavy.isdisjoint(shown.stdout.splitlines()[-1].split())
    assert "workflow" in shown.stdout


def test_both_names_of_the_command_say_their_version(osmo: Osmo) -> None:
    assert osmo("version").stdout == f"osmo {__version__}\n"
    assert json.loads(osmo("version", "--json").stdout) == {"version": __version__}
    other = subprocess.run([BIN / "osmo-workflow", "version"], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout == f"osmo {__version__}\n"


def test_settings_say_where_they_come_from(osmo: Osmo) -> None:
    file = Path(osmo.environ["HOME"]) / ".config/osmo/settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text('final_timeout = "7m"\ngrace = "1m"\n')
    del osmo.environ["OSMO_FINAL_TIMEOUT"]
    settings = json.loads(osmo("settings", "-t", "json").stdout)
    assert settings["final_timeout"] == {"value": "7m", "source": str(file)}
    assert settings["grace"] == {"value": "3s", "source": "environment (OSMO_GRACE)"}
    assert settings["home"]["value"] == str(osmo.home.path)
    assert "7m" in osmo("settings").stdout
    file.write_text('gracee = "1m"\n')
    wrong = osmo("settings")
    assert (wrong.returncode, "unknown setting 'gracee'" in wrong.stderr) == (2, True)


def test_logs_are_of_all_tasks_or_one_or_their_last_lines(osmo: Osmo) -> None:
    run = osmo.submit(osmo.spec(json.dumps(TWO)))
    assert osmo.wait(run).returncode == 0
    lines = osmo.log(run)
    assert sum("[one] one" in line for line in lines) == 3
    assert sum("[other] other" in line for line in lines) == 1
    one = osmo.log(run, "-t", "one")
    assert one
    assert all("[one]" in line for line in one)
    assert osmo.log(run, "-t", "one", "-n", "2") == one[-2:]
    assert osmo.log(run, "-n", "0") == []
    assert osmo("workflow", "logs", run).stdout.splitlines() == lines  # it follows, and the run is over
    assert osmo("workflow", "logs", run, "--follow").stdout.splitlines() == lines  # said or not
    unknown = osmo("workflow", "logs", run, "-t", "third")
    assert unknown.returncode == 2
    assert unknown.stderr == f"osmo: {run} has no task 'third' (it has one, other)\n"
    assert osmo("workflow", "logs", run, "-n", "-1").returncode == 2


def test_logs_follow_a_run_that_lives(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo first; until [ -e go ]; do sleep 0.1; done; echo last"))
    following = osmo.start("workflow", "logs", run, "-n", "100")
    assert following.stdout
    assert following.stdout.readline().endswith("[main] first\n")
    (osmo.directory / "go").touch()
    assert any(line.endswith("[main] last\n") for line in following.stdout)
    assert following.wait(60) == 0


def test_a_reader_that_goes_away_is_no_error(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("seq 100000"))
    osmo.wait(run)
    shell = f"{BIN}/osmo workflow logs {run} | head -n 1"
    shown = subprocess.run(
        ["sh", "-c", shell], env=osmo.environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.endswith("[main] 1\n")
    assert shown.stderr == ""


@pytest.mark.parametrize("command", ["logs", "query", "wait", "cancel", "spec", "delete", "resume"])
@pytest.mark.parametrize("run", ["nobody-1", "../..", "", "nobody"])
def test_an_unknown_id_is_bad_input(osmo: Osmo, command: str, run: str) -> None:
    result = osmo("workflow", command, run)
    assert result.returncode == 2
    assert f"no run {run!r} on this machine" in result.stderr
    assert "Traceback" not in result.stderr


def test_list_shows_the_newest_first(osmo: Osmo) -> None:
    assert osmo("workflow", "list").stdout == "There are no workflows to view.\n"
    assert json.loads(osmo("workflow", "list", "--json").stdout) == []
    runs = [osmo.submit(osmo.task("exit 1", name=name)) for name in ("a", "b", "a")]
    assert runs == ["a-1", "b-1", "a-2"]
    for run in runs:
        osmo.wait(run)
    shown = json.loads(osmo("workflow", "list", "-t", "json").stdout)
    assert [(run["name"], run["status"]) for run in shown] == [("a-2", "FAILED"), ("b-1", "FAILED"), ("a-1", "FAILED")]
    text = osmo("workflow", "list", "-c", "2").stdout
    assert "a-2" in text
    assert "a-1" not in text


def test_the_spec_is_printed_as_it_was_submitted(osmo: Osmo) -> None:
    text = '# mine\nworkflow:\n  name: t\n  tasks:\n  - {name: main, command: [echo, "{{workflow_id}} ü"]}'
    run = osmo.submit(osmo.spec(text))
    osmo.spec("changed since")
    assert osmo("workflow", "spec", run).stdout == text
    told = json.loads(osmo("workflow", "spec", run, "--json").stdout)
    assert told == {"name": run, "spec_file": str(osmo.directory / "spec.yaml"), "spec": text}
    osmo.wait(run)


def test_a_log_is_json_line_by_line(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo '[osmo] not ours'"))
    osmo.wait(run)
    lines = [json.loads(line) for line in osmo("workflow", "logs", run, "--json").stdout.splitlines()]
    assert [(line["task"], line["attempt"], line["ours"], line["text"]) for line in lines] == [
        ("main", 0, False, "[osmo] not ours"),
        ("main", 0, True, "The command has ended: exit code 0"),
    ]
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_wait_prints_how_it_ended_for_programs(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("exit 3"))
    waited = osmo("workflow", "wait", run, "--json")
    assert waited.returncode == 1
    told = json.loads(waited.stdout)
    assert (told["name"], told["status"], told["tasks"][0]["exit_code"]) == (run, "FAILED", 3)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_completes(osmo: Osmo, shell: str) -> None:
    result = osmo("completion", shell)
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("submit", "foreground", "submitted-after", "resume", "osmo workflow list --quiet"):
        assert word in result.stdout
    need_program(shell)
    (osmo.directory / "script").write_text(result.stdout)
    subprocess.run([shell, "-n", osmo.directory / "script"], check=True, timeout=60)


def test_bash_completes_commands_and_ids(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("true", name="somename"))
    osmo.wait(run)
    (osmo.directory / "script").write_text(osmo("completion", "bash").stdout)
    ask = (
        "source ./script; COMP_WORDS=(osmo workflow {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _shtab_osmo;"
        ' echo "${{COMPREPLY[@]}}"'
    )
    for words, want in (("resu", "resume"), ("query some", run)):
        shown = subprocess.run(
            ["bash", "-c", ask.format(words=words)],
            env=osmo.environ,
            cwd=osmo.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert shown.stdout.split() == [want], shown.stderr


def test_query_tells_what_is_not_in_the_store(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "300ms", "regex": r"data/\w$"}
    run = osmo.submit(osmo.task("mkdir data; echo a > data/a; sleep 600", checkpoint=[entry]))
    until(lambda: osmo.status(run).get("streams") and osmo.status(run)["streams"][0]["checkpoint"] == 1)
    until(lambda: osmo("workflow", "query", run).stdout.endswith("\neverything on disk is in the store\n"))
    running = osmo.query(run)
    [task] = running["tasks"]
    [stream] = task["checkpoints"]
    assert (running["status"], task["status"], task["exit_code"]) == ("RUNNING", "RUNNING", None)
    assert (stream["checkpoint"], stream["files"], stream["size"], stream["failures"]) == (1, 1, 2, 0)
    assert stream["age_s"] >= 0
    assert stream["next_due"]
    shown = osmo("workflow", "query", run, "-v").stdout
    assert f"s3://{bucket.name}" in shown
    assert str(osmo.home.workflows / run) in shown
    assert r" (regex data/\w$);" in shown

    osmo("workflow", "cancel", run)
    osmo.wait(run)
    (osmo.directory / "data/a").write_text("changed again")
    (osmo.directory / "data/b").write_text("new")
    os.utime(osmo.directory / "data/a", ns=(0, (osmo.directory / "data/b").stat().st_mtime_ns - 40_000_000_000))
    last = osmo("workflow", "query", run).stdout.splitlines()[-1]
    assert last.startswith("not everything on disk is in the store: 2 files, 16 B, 4")
    assert last.endswith(" s old, are not")
    assert osmo.query(run)["not_in_store"] == {"files": 2, "size": 16}


def test_a_home_that_is_not_ours_is_refused(osmo: Osmo, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below_a_file = osmo("workflow", "submit", osmo.task("true"), OSMO_HOME=str(tmp_path / "file/x"))
    assert below_a_file.returncode == 2
    assert "cannot keep runs here" in below_a_file.stderr
    assert "Set OSMO_HOME" in below_a_file.stderr
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 12345, 12345)
    for command in (
        ("submit", "spec.yaml"),
        ("list",),
        ("query", "a-1"),
        ("cancel", "a-1"),
        ("logs", "a-1"),
        ("delete", "a-1"),
        ("resume", "--all"),
    ):
        refused = osmo("workflow", *command, OSMO_HOME=str(home))
        assert refused.returncode == 2, command
        assert f"{home} belongs to another user (uid 12345)" in refused.stderr


def test_wrong_use_is_told_in_words(osmo: Osmo) -> None:
    missing = osmo("workflow", "submit", "missing.yaml")
    assert missing.returncode == 2
    assert "missing.yaml" in missing.stderr
    assert osmo("workflow").returncode == 2
    assert osmo().returncode == 2
    assert osmo("workflow", "no-such-command").returncode == 2
    for result in (missing, osmo("workflow", "logs", "a-1", "-n", "x")):
        assert result.returncode == 2
        assert "Traceback" not in result.stderr


def test_validate_tells_every_problem_at_its_place(osmo: Osmo) -> None:
    right = osmo("workflow", "validate", osmo.task("true"))
    assert (right.returncode, right.stdout) == (0, "Workflow validation succeeded.\n")
    spec = osmo.spec("workflow:\n  name: x\n  tasks:\n  - name: y\n    comand: [a]\n    args: 7\n")
    wrong = osmo("workflow", "validate", spec)
    assert wrong.returncode == 2
    assert "spec.yaml:5:" in wrong.stderr
    assert "spec.yaml:6:" in wrong.stderr
    told = json.loads(osmo("workflow", "validate", spec, "--json").stdout)
    assert told["valid"] is False
    assert told["problems"] == wrong.stderr.splitlines()
    assert osmo("workflow", "submit", spec).returncode == 2


def sleeps(pid: int) -> bool:
    """Whether it does nothing for a while: an interpreter that starts computes, or waits for a disk."""
    for _ in range(10):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            return False
        time.sleep(0.03)
    return True


def test_ctrl_c_while_waiting_ends_the_waiting(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("sleep 600"))
    waiting = osmo.start("workflow", "wait", run)
    until(lambda: "osmo" in Path(f"/proc/{waiting.pid}/cmdline").read_text())
    until(lambda: osmo.status(run).get("state") == "RUNNING")
    until(lambda: sleeps(waiting.pid))
    waiting.send_signal(signal.SIGINT)
    _, stderr = waiting.communicate(timeout=60)
    assert waiting.returncode == 3
    assert "Traceback" not in stderr
    assert osmo.query(run)["status"] == "RUNNING"
