"""``--max-failures``: a count or a share, judged before anything is read and held against the run."""

from pathlib import Path

import pytest

from headstart.errors import DataError, OptionError
from headstart.extract.failures import allowed_failures, check_failures, check_limit
from headstart.extract.ledger import Failure

ONE = [Failure(Path("empty.jpg"), "the file is empty")]


@pytest.mark.parametrize("limit", [None, "1", "4%", "100%"])
def test_as_many_as_are_allowed_may_fail(limit):
    check_failures(ONE, 31, limit)
    check_failures([], 0, limit)


@pytest.mark.parametrize("limit", ["0", "3%"])
def test_more_are_an_error_that_names_the_first(limit):
    message = rf"1 of 31 images failed, --max-failures allows {limit}; .*empty\.jpg: the file is"
    with pytest.raises(DataError, match=message):
        check_failures(ONE, 31, limit)


def test_a_run_in_which_all_failed_is_always_an_error():
    with pytest.raises(DataError, match="none of the 1 images can be used"):
        check_failures(ONE, 1, "100%")


def test_a_share_is_one_of_all_images():
    assert allowed_failures("5%", 200) == 10
    assert allowed_failures("3", 200) == 3


@pytest.mark.parametrize("limit", ["few", "", "%", "-1", "-1%", "1.5", "nan%"])
def test_a_limit_that_cannot_be_is_refused_before_there_are_failures(limit):
    with pytest.raises(OptionError, match=r"takes a count \(3\) or a share \(5%\), got"):
        check_limit(limit)


@pytest.mark.parametrize(
    "command",
    [
        ("extract", "features"),
        ("fit", "head"),
        ("fit", "learning-curve"),
        ("fit", "finetune"),
        ("compare", "transfer-vs-finetune"),
        ("inspect",),
    ],
    ids=" ".join,
)
def test_a_mistyped_limit_costs_no_extraction(headstart, photographs, fake_engine, command):
    status, out, err = headstart(*command, photographs, "--max-failures", "few")
    assert (status, out, fake_engine.images) == (1, "", 0)
    assert err == "error: --max-failures takes a count (3) or a share (5%), got 'few'\n"


def test_the_library_refuses_it_before_an_extraction_too(photographs, tmp_path, fake_engine):
    from headstart.classify.data.table import load_table
    from headstart.classify.doctor.inspect import inspect
    from headstart.extract.feature_run import extract_dataset
    from headstart.extract.images.dataset import read_dataset
    from headstart.extract.recipe import Execution
    from headstart.extract.source import feature_source

    dataset = read_dataset(photographs)
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    for run in (load_table, extract_dataset):
        with pytest.raises(OptionError, match="--max-failures"):
            run(dataset, source, max_failures="few")
    with pytest.raises(OptionError, match="--max-failures"):
        inspect(dataset, source, 0, max_failures="few")
    assert fake_engine.images == 0
