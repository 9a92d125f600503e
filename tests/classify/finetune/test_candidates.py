"""The table, and what a user has named in place of its own values."""

from headstart.classify.finetune.candidates import CANDIDATES, Candidate, candidates_for


def test_each_row_is_there_once_and_networks_of_both_kinds_have_some():
    assert len(set(CANDIDATES)) == len(CANDIDATES)
    for normalised in (True, False):
        rows = candidates_for({}, normalised=normalised)
        assert len(rows) >= 6
        assert {row.start for row in rows} == {"head", "random"}
        assert {"last block", "half", "all"} <= {row.unfreeze for row in rows}


def test_what_is_named_takes_the_place_of_the_rows_own():
    named = {"unfreeze": ("2", "all"), "start": ("head",), "learning_rate": (1e-5,)}
    rows = candidates_for(named, normalised=True)
    assert {row.unfreeze for row in rows} == {"2", "all"}
    assert {row.start for row in rows} == {"head"}
    assert {row.learning_rate for row in rows} == {1e-5}
    assert len(set(rows)) == len(rows)


def test_everything_named_leaves_one_candidate():
    named = {
        "unfreeze": ("1",),
        "start": ("head",),
        "batch_norm": ("frozen",),
        "learning_rate": (1e-4,),
        "layer_decay": (1.0,),
    }
    assert candidates_for(named, normalised=True) == [Candidate("1", "head", "frozen", 1e-4)]


def test_from_scratch_everything_moves():
    rows = candidates_for({"start": ("scratch",), "unfreeze": ("1",)}, normalised=True)
    assert {(row.unfreeze, row.batch_norm) for row in rows} == {("all", "trained")}


def test_a_network_without_batch_norm_has_none_to_set():
    rows = candidates_for({"batch_norm": ("trained",)}, normalised=False)
    assert {row.batch_norm for row in rows} == {"none"}
