"""What the repository promises of itself, as far as no tool checks it."""

import argparse
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.cli.examples import EXAMPLES
from osmo.cli.parser import build, split
from osmo.cli.settings import KNOWN
from osmo.spec.load import load
from osmo.spec.render import render

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
    assert load(spec, render=render).tasks


def commands(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The command lines that there are, and what each takes."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield words, parser
    for name, more in (pair for action in below for pair in action.choices.items()):
        yield from commands(more, f"{words} {name}")


@pytest.mark.parametrize(("words", "parser"), [pytest.param(*each, id=each[0]) for each in commands(build(id), "osmo")])
def test_a_command_and_its_options_are_in_the_docs(words: str, parser: argparse.ArgumentParser) -> None:
    text = (TOP / "docs/commands.md").read_text()
    assert f"`{words}" in text
    told = {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text), "--help"}
    options = [each.option_strings for each in parser._actions if each.option_strings]
    assert [forms for forms in options if not told & {*forms}] == []


def test_the_docs_name_no_option_that_does_not_exist() -> None:
    parsers = [build(id), *(parser for _, parser in commands(build(id), ""))]
    there = {option for each in parsers for action in each._actions for option in action.option_strings}
    text = (TOP / "docs/commands.md").read_text()
    assert set(re.findall(r"`(?:osmo [^`]*)?(--[a-z][a-z-]+)", text)) - there == set()


def test_every_setting_is_in_the_docs_with_its_variable_and_its_default() -> None:
    text = (TOP / "docs/commands.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| `(OSMO_\w+)` \| ?(.*?) ?\|", text, re.MULTILINE)
    defaults = {known.name: known.default for known in KNOWN} | {"home": "`~/.local/share/osmo`"}
    assert {name: default for name, _, default in told} == defaults
    assert {name: variable for name, variable, _ in told} == {known.name: known.variable for known in KNOWN}


@pytest.mark.parametrize(("words", "parser"), [pytest.param(*each, id=each[0]) for each in commands(build(id), "osmo")])
def test_the_help_of_a_command_ends_with_an_example_that_it_takes(words: str, parser: argparse.ArgumentParser) -> None:
    example = EXAMPLES[words]
    assert " ".join(parser.format_help().split()).endswith(f"Example: {' '.join(example.split())}")
    line = re.split(r" >| && ", example)[0]
    given, _ = split(shlex.split(line)[1:])
    assert build(id).parse_args(given).command
