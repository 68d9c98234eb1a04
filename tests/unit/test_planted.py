"""The search for secrets that comes after the last test finds them."""

from pathlib import Path

from support.planted import SECRET, keep_secret, leaks, shown


def test_a_secret_in_the_wrong_place_is_found(tmp_path: Path) -> None:
    root = tmp_path / "t"
    (root / "deep").mkdir(parents=True)
    keep_secret(root / "environment.json", SECRET)
    (root / "empty").touch()
    (root / "link").symlink_to(root / "environment.json")
    assert leaks(root) == []
    keep_secret(root / "deep/train.log", f"{'x' * 5000} {SECRET[:8]}")
    (root / "environment.json").chmod(0o640)
    (root / f"deep/{SECRET}").touch()
    assert leaks(root) == [
        f"{root}/deep/{SECRET}: in its name",
        f"{root}/deep/train.log: it is not meant to hold secrets",
        f"{root}/environment.json: others may read it (mode 640)",
    ]
    (root / "environment.json").chmod(0o600)
    for path in (root / "deep").iterdir():  # the search at the end of this session should not find them
        path.unlink()


def test_a_secret_that_was_printed_is_seen() -> None:
    assert shown(f"403 for {SECRET}")
    assert not shown("403 for AKIA")
