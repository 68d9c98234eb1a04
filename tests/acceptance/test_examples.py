"""Every example runs as its first lines say, and leaves what they say."""

import re
import subprocess
from pathlib import Path

import pytest

from support.cli import Osmo
from support.servers import S3Server
from support.stored import Stored

TOP = Path(__file__).parents[2]
EXAMPLES = TOP / "examples"


def own_copy(osmo: Osmo, example: str, *changes: tuple[str, str]) -> str:
    """The example's spec with changes, so that two tests on one machine do not meet."""
    text = (EXAMPLES / example).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return osmo.spec(text)


def test_hello(osmo: Osmo, tmp_path: Path) -> None:
    result = osmo(
        "workflow", "submit", own_copy(osmo, "hello.yaml", ("/tmp/osmo-hello", f"{tmp_path}/kept")), "--follow"
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^[0-9/]{10} [0-9:]{8} \[greet\] Hello from hello-1$", result.stdout, re.MULTILINE)
    assert (tmp_path / "kept/greetings/hello.txt").read_text() == "Hello from hello-1\n"


def test_two_frequencies(osmo: Osmo, tmp_path: Path) -> None:
    here = ("/tmp/osmo-two-frequencies", f"{tmp_path}/kept")
    faster = [('STEPS: "12"', 'STEPS: "6"'), ("frequency: 2s", "frequency: 1s")]
    result = osmo("workflow", "submit", own_copy(osmo, "two_frequencies.yaml", here, *faster), "--follow")
    assert result.returncode == 0, result.stderr
    kept = Stored(tmp_path / "kept")
    metrics = {f"metrics/step-{step}.json" for step in range(1, 7)}
    assert kept.files() == metrics | {"model/step-3.bin", "model/step-6.bin"}
    often, seldom = (kept.checkpoints(f"train.{folder}")[-1]["checkpoint"] for folder in ("metrics", "model"))
    assert often > seldom


def test_templates(osmo: Osmo) -> None:
    spec = own_copy(osmo, "templates.yaml")
    result = osmo("workflow", "submit", spec, "--follow", "--set", "steps=2", "name=descent")
    assert result.returncode == 0, result.stderr
    assert "[descend-1] rate 0.25 in descent-1 0.25\n" in result.stdout
    assert "[descend-2] rate 0.5 in descent-1 0\n" in result.stdout
    wrong = osmo("workflow", "submit", spec, "--dry-run", "--set", "name=9a")
    assert wrong.returncode == 2
    assert "spec.yaml (rendered):6:9: workflow.name: '9a' is not a name" in wrong.stderr
    assert wrong.stdout.count("command: [awk]") == 2


def test_digits(osmo: Osmo, server: S3Server) -> None:
    pytest.importorskip("sklearn")
    server.make_bucket("osmo-demo")
    here = ("examples/digits/train.py", str(EXAMPLES / "digits/train.py"))
    shorter = [('"45"', '"10"'), ('"0.5"', '"0.2"'), ("frequency: 3s", "frequency: 1s")]
    result = osmo("workflow", "submit", own_copy(osmo, "digits/digits.yaml", here, *shorter), "--follow")
    assert result.returncode == 0, result.stdout + result.stderr
    kept = Stored(server.directory / "osmo-demo").beneath("digits")
    wanted = {
        "checkpoints/step-0005.joblib",
        "checkpoints/step-0010.joblib",
        "metrics.json",
        "train.log",
        "weights.npz",
    }
    assert wanted <= kept.files()
    assert re.search(r"\[train\] epoch +10  loss", result.stdout)


@pytest.mark.timeout(300)
def test_the_demo_s_training_ends_as_if_it_had_not_been_killed() -> None:
    pytest.importorskip("sklearn")
    demo = subprocess.Popen([TOP / "scripts/demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = demo.communicate()
    finally:
        demo.terminate()  # if the test is cut short: it kills what it has started
    assert demo.returncode == 0, said
    before, after = said.split("=== Half way that machine goes")
    assert "Checkpoint 1: " in before
    assert "COMPLETED" not in before
    assert re.search(r"\[train\] going on after epoch (5|10|15|20)$", after, re.MULTILINE)
    for name in ("weights.npz", "metrics.json", "train.log"):
        assert re.search(rf"^{name}: [0-9]+ bytes, the same bit for bit$", after, re.MULTILINE)


def test_no_example_is_without_a_test() -> None:
    tested = {"hello.yaml", "two_frequencies.yaml", "templates.yaml", "digits.yaml"}
    assert {spec.name for spec in EXAMPLES.rglob("*.yaml")} == tested
