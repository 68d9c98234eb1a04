"""What the repository promises of itself, as far as no tool checks it."""

import re
import tomllib
from pathlib import Path

import pytest

from osmo.spec.load import load

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())


def direct() -> list[str]:
    """The names of all packages that pyproject.toml asks for."""
    groups = PROJECT["dependency-groups"].values()
    asked = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["example"]
    asked += [wanted for group in groups for wanted in group if isinstance(wanted, str)]
    return sorted({re.split(r"[\[<>=~! ]", wanted)[0] for wanted in asked})


@pytest.mark.parametrize("package", direct())
def test_a_dependency_is_locked_and_has_a_reason(package: str) -> None:
    lock = (TOP / "requirements/dev.txt").read_text()
    assert re.search(rf"^{package}==", lock, re.MULTILINE | re.IGNORECASE), "run scripts/lock"
    reasons = re.search(r"## Dependencies\n(.*?)\n## ", (TOP / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert reasons
    assert re.search(rf"^\|[^|]*\b{package}\b[^|]*\|", reasons[1], re.MULTILINE)


@pytest.mark.parametrize("path", sorted(TOP.glob("requirements/*.txt")), ids=lambda path: path.name)
def test_a_lock_names_no_host_and_has_a_hash_for_everything(path: Path) -> None:
    lock = path.read_text()
    assert "://" not in lock
    assert "--index" not in lock
    for requirement in re.split(r"\n(?=\w)", lock):
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


@pytest.mark.parametrize("script", sorted([*TOP.glob("scripts/*"), TOP / ".ci/run"]), ids=lambda path: path.name)
def test_a_script_can_be_run_and_stops_at_errors(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.parametrize("spec", sorted(TOP.glob("examples/**/*.yaml")), ids=lambda path: path.name)
def test_an_example_is_valid_and_says_what_it_is_and_how_to_run_it(spec: Path) -> None:
    text = spec.read_text()
    assert text.startswith("# ")
    assert f"osmo workflow submit {spec.relative_to(TOP)} --follow" in text
    assert load(spec).tasks
