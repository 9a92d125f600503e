"""Kept results die with the code that computed them."""

from headstart.classify.compare.recipe import COMPUTE, ROOT, recipe, source_digest


def test_a_changed_solver_is_another_recipe(tmp_path):
    solver = tmp_path / "heads" / "linear" / "solver.py"
    solver.parent.mkdir(parents=True)
    solver.write_text("TOLERANCE = 1e-4\n")
    before = source_digest([tmp_path / "heads"])
    solver.write_text("TOLERANCE = 1e-6\n")
    after = source_digest([tmp_path / "heads"])
    assert before != after
    solver.rename(solver.with_name("newton.py"))
    assert source_digest([tmp_path / "heads"]) not in {before, after}


def test_the_code_that_computes_is_where_the_recipe_looks():
    assert all((ROOT / place).exists() for place in COMPUTE)
    for place in ("heads/linear", "network", "finetune", "fit", "data", "doctor"):
        assert list((ROOT / "classify" / place).glob("*.py")), place
    assert len(recipe()) == 64
