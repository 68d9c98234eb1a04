"""Each rule of the protocol is needed, and the simulation sees when it is missing.

Here, and only here, our own code is changed: one rule is taken out, and some order of requests must lose a checkpoint.
Where random orders do not find it soon, the order is written down; each of those is also run with the rule in place.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from support import orders, rules
from support.schedules import at_random, crowd
from support.simulation import Broken, World

MOST = 600  # random orders until one must have broken something
WHOLE = 16 * 1024 * 1024
IN_PARTS = 4
MANY_FILES = 4000  # before a record builds upon a listing
NO_FILES = -1

IGNORED = {"create_only": False}
KEEP_3 = {"keep": 3}

BY_ORDER: list[tuple[rules.Remove, orders.Order, dict[str, Any]]] = [
    (rules.alone_is_who_follows_a_close, orders.a_predecessor_of_the_predecessor_wakes_up, IGNORED),
    (rules.a_name_for_each_cycle, orders.every_try_of_an_upload_is_lost_and_one_lands_after_the_next_cycle, {}),
    (rules.objects_are_named_by_their_content, orders.a_content_comes_back_before_it_is_deleted, {}),
    (rules.names_do_not_tell_the_epoch, orders.somebody_prunes_between_an_upload_and_its_commit, {}),
    (rules.tidy_takes_what_is_newer, orders.somebody_prunes_between_an_upload_and_its_commit, {}),
    (rules.tidy_reads_the_log_first, orders.a_file_comes_and_is_overwritten_while_somebody_prunes, KEEP_3),
    (rules.tidy_does_not_mind_a_takeover, orders.somebody_prunes_while_the_stream_is_taken_over, IGNORED),
    (rules.a_claim_counts_at_once, orders.a_claim_lands_on_a_number_that_was_pruned, {}),
    (
        rules.other_bytes_for_an_open_number,
        orders.every_try_of_a_commit_is_lost_and_one_lands_after_the_next_cycle,
        IGNORED,
    ),
    (rules.other_bytes_for_an_open_number, orders.every_answer_to_a_commit_is_lost, {}),
    (
        rules.old_ones_have_one_name_for_all_tries,
        orders.a_copy_to_the_old_ones_lands_after_the_plain_file_has_changed,
        KEEP_3,
    ),
    (rules.content_of_any_kept_checkpoint_is_named_again, orders.somebody_prunes_an_object_whose_content_came_back, {}),
    (rules.a_copy_is_not_looked_at, orders.another_task_overwrites_a_plain_file_while_it_is_copied, {}),
    (rules.it_is_closed_anyway, orders.a_lost_copy_lands_in_the_next_epoch, {}),
    (rules.what_the_mirror_wrote_is_not_noted, orders.a_lost_copy_lands_where_a_new_file_of_that_name_is, {}),
    (rules.the_base_is_not_written_again, orders.a_third_writer_goes_on_from_what_the_second_did_not_see, IGNORED),
]

AT_RANDOM: list[tuple[rules.Remove, dict[str, Any], int]] = [  # and how many answers get lost
    (rules.every_writer_is_alone, IGNORED, 0),
    (rules.tidy_takes_what_is_newer, KEEP_3, 2),
    (rules.tidy_takes_claims, {}, 0),
    (rules.a_claim_counts_at_once, IGNORED, 0),
    (rules.records_are_overwritten, {}, 0),
    (rules.plain_files_before_the_commit, {}, 0),
    (rules.nothing_is_copied_away, KEEP_3, 0),
    (rules.old_ones_have_one_name, KEEP_3, 2),
    (rules.another_files_key_is_named, {}, 0),
    (rules.a_key_is_written_directly_again, {}, 0),
    (rules.a_key_is_written_directly_again, IGNORED, 2),
    (rules.nobody_looks_what_is_there, IGNORED, 0),
    (rules.nobody_lists_after_a_commit, IGNORED, 0),
    (rules.tidy_does_not_know_of_listings, {}, 0),
    (rules.listings_have_one_name, {}, 0),
    (rules.a_listing_is_sent_after_the_record, {}, 0),
    (rules.a_listing_that_the_base_does_not_name_is_built_upon, {}, 0),
]


def name(value: object) -> str | None:
    return getattr(value, "__name__", None) or ("-".join(map(str, value)) if isinstance(value, dict) else None)


@pytest.mark.parametrize(("remove", "order", "how"), BY_ORDER, ids=name)
def test_an_order_that_needs_a_rule_loses_nothing_where_it_is_kept(
    tmp_path: Path, remove: rules.Remove, order: orders.Order, how: dict[str, Any]
) -> None:
    world = World(tmp_path, **how)
    order(world)
    world.end()


@pytest.mark.long
@pytest.mark.parametrize(("remove", "order", "how"), BY_ORDER, ids=name)
def test_without_the_rule_that_order_breaks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remove: rules.Remove, order: orders.Order, how: dict[str, Any]
) -> None:
    remove(monkeypatch)
    with pytest.raises(Broken):
        order(World(tmp_path, **how))


@pytest.mark.long
@pytest.mark.parametrize(("remove", "how", "losses"), AT_RANDOM, ids=name)
def test_without_the_rule_some_order_breaks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remove: rules.Remove, how: dict[str, Any], losses: int
) -> None:
    remove(monkeypatch)
    monkeypatch.setattr("osmo.checkpoint.restore._FILES_AT_ONCE", 1)

    def try_them() -> None:
        for number in range(MOST):
            rng = random.Random(f"{number} {how} {losses}")
            monkeypatch.setattr("osmo.checkpoint.upload.WHOLE", rng.choice((IN_PARTS, WHOLE)))
            monkeypatch.setattr("osmo.checkpoint.listing._WORTH_IT", rng.choice((NO_FILES, MANY_FILES)))
            keep, create_only = how.get("keep", 1), how.get("create_only", True)
            world = crowd(tmp_path / str(number), rng, keep, create_only=create_only)
            at_random(world, rng, losses, rng.randrange(2))

    with pytest.raises(Broken):
        try_them()
