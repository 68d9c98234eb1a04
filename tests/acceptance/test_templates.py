"""A spec that is a template, from the command line to the run."""

from osmo.rundir import records
from osmo.rundir.paths import RunDir
from support.cli import Osmo

TEMPLATE = """\
default-values:
  words: [one, two]
  who: nobody
workflow:
  name: {{ name }}
  tasks:
  {% for word in words %}
  - name: say-{{ word }}
    command: [sh, -c, "echo {{ word }} {{ who }} $EXTRA in {{ workflow_id }}: $(GREETING) {{output}} {{uuid}}"]
    environment: {GREETING: "hello {{who}}", EXTRA: mine}
  {% endfor %}
"""


def test_a_template_runs_with_its_variables(osmo: Osmo) -> None:
    spec = osmo.spec(TEMPLATE)
    run = osmo.submit(spec, "--set", "who=me", "name=t", "--set-env", "EXTRA=a=b", "UNUSED=", "--label", "team=x")
    assert osmo.wait(run).returncode == 0
    assert (records.read(RunDir(osmo.home.workflows / run).run) or {})["labels"] == {"team": "x"}
    said = "\n".join(osmo.log(run))
    for word in ("one", "two"):
        assert f"[say-{word}] {word} me a=b in t-1: hello me {osmo.attempt(run, f'say-{word}').task_output} " in said
    assert osmo("workflow", "spec", run, "--template").stdout == TEMPLATE
    rendered = osmo("workflow", "spec", run).stdout
    assert rendered.startswith("workflow:\n  name: t\n")
    assert "echo two me $EXTRA in {{workflow_id}}: $(GREETING) {{output}}" in rendered
    again = osmo("workflow", "submit", osmo.spec(rendered, "rendered.yaml"), "--dry-run")
    assert again.stdout == rendered


def test_a_dry_run_prints_what_errors_are_about(osmo: Osmo) -> None:
    spec = osmo.spec(TEMPLATE)
    dry = osmo("workflow", "submit", spec, "--dry-run", "--set", "name=9a")
    assert dry.returncode == 2
    assert dry.stdout.splitlines()[1] == "  name: 9a"
    assert dry.stderr.startswith("spec.yaml (rendered):2:9: workflow.name: '9a' is not a name")
    assert "--dry-run` prints it" in dry.stderr
    fine = osmo("workflow", "submit", spec, "--dry-run", "--set-string", "name=a", "--pool", "x", "--priority", "LOW")
    assert fine.returncode == 0
    assert "WARNING: --pool is not applied on this machine\nWARNING: --priority is not applied" in fine.stderr
    assert not osmo.home.workflows.exists()


def test_what_a_template_lacks_is_said_with_the_line_of_the_file(osmo: Osmo) -> None:
    refused = osmo("workflow", "validate", osmo.spec(TEMPLATE))
    assert refused.returncode == 2
    assert refused.stderr == "spec.yaml:5: 'name' is not defined: set it in default-values, or with --set name=...\n"
    swallowed = osmo("workflow", "validate", "--set", "name=a", "spec.yaml")
    assert swallowed.returncode == 2


def test_a_bomb_is_stopped(osmo: Osmo) -> None:
    loops = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    refused = osmo("workflow", "submit", osmo.spec(f"workflow: {{name: t, tasks: [{{name: a}}]}}\n{loops}"))
    assert refused.returncode == 2
    assert "takes more than a second of CPU time" in refused.stderr
