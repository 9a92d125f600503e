"""What stands beside a comparison is kept like its results."""

import json

from headstart.classify.compare import beside
from headstart.classify.compare.beside import find_curve
from headstart.classify.compare.run_all import Procedure


def test_curve_and_findings_are_kept_with_the_results(run, heard):
    first, _ = run()
    assert [line for line in heard.stages if line.startswith(("fitting", "doubting"))] == [
        f"fitting {first['tests']['first']} on subsets",
        "doubting labels",
    ]
    again, _ = run()
    assert not [line for line in heard.stages if line.startswith(("fitting", "doubting"))]
    assert (again["curve"], again["doctor"]) == (first["curve"], first["doctor"])
    run(recipe="other code")
    assert len([line for line in heard.stages if line.startswith(("fitting", "doubting"))]) == 2


def test_a_slow_head_gets_no_learning_curve_unasked():
    class Slow:
        after_features = beside.LONGEST + 1

    assert find_curve(Slow(), Procedure()) is None


def test_the_doctor_says_what_inspect_says(run, photographs, tmp_path):
    from headstart.classify.doctor.inspect import inspect
    from headstart.extract.images.dataset import read_dataset
    from headstart.extract.recipe import Execution
    from headstart.extract.source import feature_source

    results, _ = run()
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    inspection = inspect(read_dataset(photographs), source, 0)
    assert results["doctor"]["summary"] == inspection.summary()
    expected = json.loads(json.dumps(inspection.to_dict()["outliers"][: beside.TOP]))
    assert json.loads(json.dumps(results["doctor"]["outliers"])) == expected
