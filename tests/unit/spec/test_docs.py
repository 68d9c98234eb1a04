"""The specs in the docs are specs, and what the docs say of a wrong one is what is said."""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from osmo.errors import SpecError
from osmo.spec.load import check
from osmo.spec.place import Place
from osmo.spec.prepared import prepare
from osmo.spec.render import render
from osmo.spec.schema import schema

TOP = Path(__file__).parents[3]
PAGES = [*sorted(TOP.glob("docs/*.md")), TOP / "README.md"]
PLACE = Place({"HOME": "/home/me"}, "/proj", "/home/me/.local/share/osmo")
SPECS = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
    if "workflow:" in text
]


@pytest.mark.parametrize("text", SPECS)
def test_a_spec_in_the_docs_can_run_and_fits_the_schema(text: str) -> None:
    spec = prepare(Path("page.yaml"), text=text, render=render)
    assert check(spec, PLACE).workflow.tasks
    Draft202012Validator(schema()).validate(yaml.safe_load(spec.text))


def test_there_are_specs_in_the_docs() -> None:
    assert len(SPECS) >= 2


WRONG = """\
workflow:
  name: digits
  tasks:
  - name: train
    command: [python, train.py]
    checkpoint:
    - {path: ckpt, url: "s3://b", frequency: 1}
    - frequency: 10x
      regx: .*
      path: ckpt
      url: s3://b/c
"""


def test_the_page_shows_what_validate_says() -> None:
    shown = re.search(r"\$ osmo workflow validate train.yaml\n(.*?)```", (TOP / "docs/spec.md").read_text(), re.DOTALL)
    assert shown
    with pytest.raises(SpecError) as error:
        check(prepare(Path("train.yaml"), text=WRONG), PLACE)
    said = [re.sub(r"train.yaml:\d+:\d+: ", "", line).replace("[1]", "[0]") for line in error.value.problems]
    assert said == [re.sub(r"train.yaml:\d+:\d+: ", "", line) for line in shown[1].splitlines()]
