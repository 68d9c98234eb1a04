from pathlib import Path

import pytest

from osmo.agent.sandbox import Sandbox

BOX = Sandbox(
    (("/", "/run/root"), ("/osmo/data/output", "/run/output"), ("/tmp/project", "/tmp/project")),
    ("etc", "home", "usr"),
    (("/osmo/data/input/0", "/run/other/output"),),
)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/tmp/run.sh", "/run/root/tmp/run.sh"),
        ("/tmp", "/run/root/tmp"),
        ("/tmp/projects/a", "/run/root/tmp/projects/a"),
        ("/workspace/ckpt", "/run/root/workspace/ckpt"),
        ("/osmo/data/output/ckpt", "/run/output/ckpt"),
        ("/osmo/data/output", "/run/output"),
        ("/osmo/data/outputs", "/run/root/osmo/data/outputs"),
        ("/osmo/data/input/0/a", "/run/other/output/a"),
        ("/tmp/project/ckpt", "/tmp/project/ckpt"),
        ("/home/me/ckpt", "/home/me/ckpt"),
        ("/usr", "/usr"),
        ("/", "/run/root"),
    ],
)
def test_a_path_of_the_task_is_found_on_this_machine(path: str, real: str) -> None:
    assert BOX.real(path) == real
    assert (BOX.mount_of(path) is None) == (path == real)


def test_deeper_folders_are_mounted_over_what_is_above_them(tmp_path: Path) -> None:
    arguments = BOX.arguments("/tmp/project", ("/tmp/project/.venv", "/usr/lib", "/tmp"))
    places = [arguments[at + 2] for at, word in enumerate(arguments) if word.startswith(("--bind", "--dev", "--ro"))]
    assert places[0] == "/"
    assert places.index("/osmo/data/output") < places.index("/tmp/project") < places.index("/tmp/project/.venv")
    assert "/tmp" not in places  # the task's own
    assert "/usr/lib" not in places  # seen as it is
    assert arguments[-3:] == ("--chdir", "/tmp/project", "--")


def test_its_folders_are_made_for_the_user_alone(tmp_path: Path) -> None:
    box = Sandbox((("/", str(tmp_path / "root")), ("/osmo/data/output", str(tmp_path / "output"))), ("bin", "etc"))
    box.prepare()
    box.prepare()
    assert {path.name for path in (tmp_path / "root").iterdir()} >= {"tmp", "osmo"}
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("root/tmp", "output")] == [0o700, 0o700]
