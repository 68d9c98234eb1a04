"""What broke simpler protocols: one order of requests each, that loses a checkpoint if a rule is missing.

Z is a writer that was thought to be dead, S the one that took over from it, P a person who prunes. After every request
the world looks whether all kept checkpoints can be restored.
"""

from pathlib import Path

import pytest

from support.simulation import A_DAY, World

OBJECTS = ".osmo/train.ckpt/objects/"
LOG = ".osmo/train.ckpt/log/"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_a_zombie_still_writes_meets_only_its_own_names(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": "of S"})
    with world.running():
        world.until(z, f"put {OBJECTS}")
        world.finish(s)
        world.go(z)
    assert world.contents() == {"a": "of S"}


def test_a_late_copy_of_a_zombie_changes_a_plain_file_and_no_checkpoint(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": "of S"})
    with world.running():
        world.until(z, f"copy {OBJECTS}00000003-00000001-1 to ckpt/a")
        world.finish(s)
        world.go(z)
    assert world.plain("a") == "of Z"
    assert world.contents() == {"a": "of S"}


def test_the_number_of_a_zombies_commit_is_taken_by_the_claim_of_the_next(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": "of S"})
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        world.until(s, f"put_new {LOG}00000004")
        world.finish(z, s)
    assert "Z is fenced" in world.trace
    assert "Z reports checkpoint 2" not in world.trace
    assert world.contents() == {"a": "of S"}


def test_an_upload_without_an_answer_lands_a_cycle_later(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    with world.running():
        world.until(z, f"put {OBJECTS}00000003")
        world.lose(z)
        world.until(z, "delete")
        world.finish(z)
        world.arrive()
    assert world.contents() == {"a": "A2"}


def test_a_commit_without_an_answer_lands_a_cycle_later(world: World) -> None:
    """Every try of one cycle is lost; before anything else is sent in the next one, its outcome is settled."""
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        for _ in range(4):
            world.lose(z)
        assert f"put_new {LOG}00000003" in str(z.pending)
        world.arrive()
        world.finish(z)
        world.arrive()
    assert [line for line in world.trace if "reports" in line] == [
        f"Z reports checkpoint {number}" for number in (1, 2, 3)
    ]
    assert world.contents() == {"a": "A2"}


def test_a_late_copy_to_the_old_ones_holds_other_bytes_and_nobody_is_deceived(tmp_path: Path) -> None:
    world = World(tmp_path, keep=3)
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": "of S"})
    with world.running():
        world.until(z, "copy ckpt/a to .osmo/train.ckpt/old/")
        world.finish(s)
        world.go(z)
    olds = [body for key, body in world.server.objects.items() if "/old/" in key]
    assert sorted(olds) == [b"A0", b"of S"]
    assert [world.contents(which)["a"] for which in range(3)] == ["A0", "of Z", "of S"]


def test_a_late_delete_after_the_same_content_came_back(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A"}, {"a": "B"})
    s = world.writer("S", {"a": "A"}, {"a": "A", "b": "B"})
    with world.running():
        world.until(z, f"delete {OBJECTS}")
        world.finish(s)
        world.go(z)
    assert world.contents() == {"a": "A", "b": "B"}


@pytest.mark.parametrize(
    "before", ["list .osmo/train.ckpt/old", "list .osmo/train.ckpt/log", "delete", f"delete {OBJECTS}"]
)
def test_a_person_prunes_while_the_writer_works(world: World, before: str) -> None:
    """What he found that nobody needs comes back before he removes it."""
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"}, {"a": "A1", "b": "A2"}, keep=3)
    p = world.pruner("P", keep=1)
    with world.running():
        world.until(z, f"put {OBJECTS}00000005")
        world.until(p, before)
        world.until(z, f"put_new {LOG}00000005")
        world.finish(p, z)
    assert world.contents() == {"a": "A1", "b": "A2"}


def test_a_person_keeps_fewer_checkpoints_than_the_writer_knows_of(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"}, keep=3)
    s = world.writer("S", {"a": "B0"}, {"a": "B1"}, keep=3)
    p = world.pruner("P", keep=1)
    with world.running():
        world.finish(z)
        world.until(s, f"put {OBJECTS}")
        world.finish(p, s)
    assert world.contents() == {"a": "B1"}


def test_exists_is_no_refusal_if_it_was_our_own_record(world: World) -> None:
    """A server applies a commit, answers 5xx, and says "exists" of the same request when it comes again."""
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"})
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        world.lose(z)
        world.arrive()
        world.go(z)
        assert "AlreadyExists" in world.trace[-1]
        world.finish(z)
    assert "Z reports checkpoint 2" in world.trace
    assert "Z is fenced" not in world.trace


def test_a_number_that_was_pruned_is_not_free_for_a_zombie(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": "S0"}, {"a": "S1"}, {"a": "S2"})
    p = world.pruner("P", keep=1)
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        world.finish(s, p, z)
    assert "Z is fenced" in world.trace
    assert "Z reports checkpoint 2" not in world.trace
    assert world.contents() == {"a": "S2"}


def test_a_claim_on_a_number_that_a_prune_has_freed_does_not_count(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"}, {"a": "A3"})
    s = world.writer("S", {"a": "of S"})
    with world.running():
        world.until(z, f"put {OBJECTS}00000003")
        world.until(s, f"put_new {LOG}00000003")
        world.until(z, f"put {OBJECTS}00000005")
        world.go(s)
        assert f"S: put_new {LOG}00000003.json" in world.trace
        world.until(s, f"put_new {LOG}00000005")
        world.finish(s, z)
    assert "Z is fenced" in world.trace
    assert world.contents() == {"a": "of S"}


def test_two_who_take_over_at_the_same_time_where_create_only_is_ignored(tmp_path: Path) -> None:
    world = World(tmp_path, create_only=False)
    z = world.writer("Z", {"a": "A0"})
    s = world.writer("S", {"a": "S0"}, {"a": "S1"})
    t = world.writer("T", {"a": "T0"}, {"a": "T1"})
    with world.running():
        world.finish(z)
        world.until(s, f"put_new {LOG}")
        world.until(t, f"put_new {LOG}")
        world.until(s, f"put_new {LOG}00000006")
        world.finish(t, s)
    assert "S is fenced" in world.trace
    assert world.contents() == {"a": "T1"}


def test_a_plain_file_that_another_task_overwrites_while_the_server_copies_it_is_sent(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"b": "A0"}, task="train0")
    y = world.writer("Y", {"a": "of Y"}, task="train1")
    with world.running():
        world.until(z, "copy ckpt/a to")
        world.finish(y, z)
    assert world.contents(task="train0") == {"b": "A0"}
    assert world.contents(task="train1") == {"a": "of Y"}


def test_a_writer_that_had_nothing_to_do_for_a_day_is_not_alone_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes then takes it for dead, and writes plain files at once."""
    monkeypatch.setattr("osmo.checkpoint.upload.WHOLE", 4)
    z = world.writer("Z", {"a": "A0"}, A_DAY, {"new": "in parts, of Z"})
    s = world.writer("S", {"new": "in parts, of S"})
    with world.running():
        world.until(z, "put_parts")
        world.finish(s, z)
    assert "Z is fenced" in world.trace
    assert world.contents() == {"new": "in parts, of S"}
