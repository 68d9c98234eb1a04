"""Orders of requests, each of which loses a checkpoint if one rule of the protocol is missing.

Z is a writer that was thought to be dead, S and T take over from it, P is a person who prunes.
"""

from collections.abc import Callable

from support.simulation import BASE, REST, World

Order = Callable[[World], None]

LOG = ".osmo/train.ckpt/log/"
OBJECTS = ".osmo/train.ckpt/objects/"
OLD = ".osmo/train.ckpt/old"


def a_predecessor_of_the_predecessor_wakes_up(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A0", "n": "of Z"})
    s = world.writer("S", {"a": "A1"})
    t = world.writer("T", {"a": "A1", "n": "of T"})
    with world.running():
        world.until(z, "put_new ckpt/n")
        world.finish(s, t)
        world.go(z)


def every_try_of_an_upload_is_lost_and_one_lands_after_the_next_cycle(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    with world.running():
        world.until(z, f"put {OBJECTS}00000003")
        for _ in range(4):
            world.lose(z)
        world.finish(z)
        while world.late:
            world.arrive()


def every_try_of_a_commit_is_lost_and_one_lands_after_the_next_cycle(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        for _ in range(4):
            world.lose(z)
        world.finish(z)
        while world.late:
            world.arrive()


def every_answer_to_a_commit_is_lost(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        for _ in range(4):
            world.lose(z)
            world.arrive()
        world.finish(z)


def a_content_comes_back_before_it_is_deleted(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A"}, {"a": "B"})
    s = world.writer("S", {"a": "A"})
    with world.running():
        world.until(z, f"delete {OBJECTS}")
        world.finish(s)
        world.go(z)


def a_file_comes_and_is_overwritten_while_somebody_prunes(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A0", "n": "N1"}, {"a": "A0", "n": "N2"})
    p = world.pruner("P", world.keep)
    with world.running():
        world.until(z, "put_new ckpt/n")
        world.until(p, f"list {OLD}")
        world.until(z, f"put_new {LOG}00000005")
        world.finish(p, z)


def a_claim_lands_on_a_number_that_was_pruned(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"}, {"a": "A3"}, {"a": "A4"})
    s = world.writer("S", {"a": "A0", "b": "of S"})
    with world.running():
        world.until(z, f"put {OBJECTS}00000003")
        world.until(s, f"put_new {LOG}00000003")
        world.until(z, f"put {OBJECTS}00000006")
        world.finish(s, z)


def a_copy_to_the_old_ones_lands_after_the_plain_file_has_changed(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"})
    with world.running():
        world.until(z, f"copy ckpt/a to {OLD}")
        world.lose(z)
        world.finish(z)
        world.arrive()


def somebody_prunes_an_object_whose_content_came_back(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A"}, {"a": "B"}, {"a": "A"}, keep=3)
    p = world.pruner("P", 1)
    with world.running():
        world.until(z, f"put_new {LOG}00000005")
        world.finish(p)
        world.go(z)


def another_task_overwrites_a_plain_file_while_it_is_copied(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"b": "A0"}, task="train0")
    y = world.writer("Y", {"a": "of Y"}, task="train1")
    with world.running():
        world.until(z, "copy ckpt/a to")
        world.finish(y, z)


def a_lost_copy_lands_in_the_next_epoch(world: World) -> None:
    """What it copies is still there, for the request that removes it was lost, too."""
    z = world.writer("Z", {"a": "A0"}, {"a": "A0", "n": "of Z"}, {"a": "A0"})
    s = world.writer("S", {"a": "A0", "n": "of S"})
    with world.running():
        world.until(z, "put_new ckpt/n")
        world.lose(z, arrives=False)
        world.until(z, "to ckpt/n")
        world.lose(z)
        world.until(z, f"delete {OBJECTS}")
        world.lose(z, arrives=False)
        world.finish(z)
        world.until(s, f"put_new {LOG}00000007")
        world.go(s)
        world.arrive()
        world.finish(s)


def a_lost_copy_lands_where_a_new_file_of_that_name_is(world: World) -> None:
    """The second writer comes a day later, so it is alone, and the plain file of `n` is not there yet."""
    world.overnight = True
    z = world.writer("Z", {"a": "A0"}, {"a": "A0", "n": "N1"}, {"a": "A0"})
    t = world.writer("T", {REST: BASE}, {"a": "A0"}, {"a": "A0", "n": "N2"}, restores=True)
    with world.running():
        world.until(z, "put_new ckpt/n")
        world.lose(z, arrives=False)
        world.until(z, "to ckpt/n")
        world.crash(z)
        world.overnight = False
        world.until(t, "to ckpt/n")
        world.lose(t)
        world.until(t, f"delete {OBJECTS}")
        world.lose(t, arrives=False)
        world.until(t, f"put_new {LOG}00000006")
        world.go(t)
        world.arrive()
        world.finish(t)


def a_third_writer_goes_on_from_what_the_second_did_not_see(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "of Z"})
    s = world.writer("S", {"a": BASE, "b": "of S"}, restores=True)
    t = world.writer("T", {REST: BASE}, {REST: BASE}, restores=True)
    with world.running():
        world.until(z, f"put_new {LOG}00000003")
        world.until(s, f"put {OBJECTS}")
        world.until(s, f"put_new {LOG}")
        world.go(z)
        while t.ready and "to ckpt/a" not in str(t.pending):
            world.go(t)
        world.go(s)
        world.finish(t, s, z)


def somebody_prunes_while_the_stream_is_taken_over(world: World) -> None:
    z = world.writer("Z", {"a": "A0"}, {"a": "A1"}, {"a": "A2"})
    s = world.writer("S", {"a": "of S"})
    p = world.pruner("P", 1)
    with world.running():
        world.until(z, f"put_new {LOG}00000004")
        world.until(s, f"put_new {LOG}00000005")
        world.go(z)
        world.finish(p, s, z)


def somebody_prunes_between_an_upload_and_its_commit(world: World) -> None:
    z = world.writer("Z", {"a": "A0"})
    s = world.writer("S", {"a": "S1"}, {"a": "S2"})
    p = world.pruner("P", world.keep)
    with world.running():
        world.finish(z)
        world.until(s, f"put_new {LOG}00000006")
        world.finish(p, s)
