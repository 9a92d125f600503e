"""Python asks for all that commands do, with the same words, and gets what they print."""

import json
import subprocess
import sys
from inspect import signature
from urllib.request import Request, urlopen

import pytest

import headstart as library
from headstart import cli
from headstart.api.options import ExecutionOptions, FeatureOptions, ModelOptions, RecipeOptions
from headstart.commands.options import BACKBONES, FEATURES, MACHINE, OPTIONS, RUNNING
from near import near


def test_importing_loads_nothing_heavy_and_dir_is_the_contents():
    heavy = "sklearn", "tensorflow", "pandas", "matplotlib", "h5py"
    code = (
        "import sys, headstart, headstart.cli\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
        "print(dir(headstart) == headstart.__all__)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["[]", "True"]


@pytest.mark.parametrize("name", sorted(set(library.__all__) - {"__version__"}))
def test_every_public_name_is_there_documented_and_on_the_contents_page(name):
    public = getattr(library, name)
    assert public.__doc__
    assert name in library.__doc__ or name == "HeadstartError"


def test_every_public_function_and_estimator_has_an_example():
    without = {"__version__", "HeadstartError", "Classifier"}
    missing = [
        name
        for name in set(library.__all__) - without
        if ">>>" not in getattr(library, name).__doc__
    ]
    assert missing == []


@pytest.mark.parametrize(
    "name", ["ImageFeatures", "PowerScaler", "DenseHead", "LogisticHead", "TemperatureScaled"]
)
def test_an_estimators_diagram_links_the_docs_where_they_are_served(name, monkeypatch):
    kind = getattr(library, name)
    estimator = kind(library.RidgeHead()) if name == "TemperatureScaled" else kind()
    assert "/docs/api/" not in estimator._repr_html_()
    monkeypatch.setenv("HEADSTART_DOCS", "https://docs.example/")
    assert f"https://docs.example/docs/api/#headstart.{name}" in estimator._repr_html_()


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fit_heads'"):
        _ = library.fit_heads


def commands(app=cli.app):
    """Yield what each command of the program runs."""
    yield from (command.callback for command in app.registered_commands)
    for group in app.registered_groups:
        yield from commands(group.typer_instance)


ASKED = {command.asks: command for command in commands() if hasattr(command, "asks")}
SHARED = {row.name for row in OPTIONS} | {"options"}
OF_THE_COMMAND = {"quiet", "as_json", "gates", "track", "context", "config", "save_config"}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_command_and_its_function_have_the_same_words(name):
    typed = set(signature(ASKED[name]).parameters) - SHARED - OF_THE_COMMAND
    words = set(signature(getattr(library, name)).parameters) - SHARED - {"command"}
    assert typed == words


def test_each_public_function_is_asked_by_its_command_or_has_one_that_streams_or_serves():
    functions = {name for name in library.__all__ if name.islower()} - {"__version__", "load"}
    assert functions - {"label", "predict", "simulate"} == set(ASKED)


@pytest.mark.parametrize(
    ("words", "group"),
    [(FeatureOptions, FEATURES), (ModelOptions, RUNNING), (ModelOptions, MACHINE)],
)
def test_python_has_the_words_of_the_table_of_options(words, group):
    fields = {row.fills for row in OPTIONS if group in row.groups}
    assert fields <= set(words.__annotations__)


def test_compare_has_them_too_but_for_what_it_repeats():
    fields = {row.fills for row in OPTIONS if BACKBONES in row.groups}
    assert set(RecipeOptions.__annotations__) == fields - {"backbone", "weights"}
    assert set(ExecutionOptions.__annotations__) < set(RecipeOptions.__annotations__)


def test_an_unknown_option_is_a_type_error(photographs):
    with pytest.raises(TypeError, match="no option 'polling'"):
        library.fit_head(photographs, polling="max")


def test_a_command_prints_what_the_function_returns(headstart, photographs, tmp_path):
    told = library.fit_head(
        photographs, ["ridge", "centroid"], seed=1, out=tmp_path / "a.headstart"
    )
    arguments = ("fit", "head", photographs, "--model", "ridge", "--model", "centroid", "--seed", 1)
    out = headstart(*arguments, "--out", tmp_path / "b.headstart")[1]
    lines, printed = str(told).splitlines(), out.splitlines()
    assert len(lines) == len(printed)
    assert lines[3:5] == printed[3:5]
    document = json.loads(headstart(*arguments, "--json")[1])
    assert document["best"] == told.to_dict()["best"] == told.best["model"]


def test_a_result_is_a_table_of_numbers_and_safe_html(headstart, hostile_manifest):
    del headstart  # its engine
    found = library.evaluate(library.load(_hostile_model(hostile_manifest)), hostile_manifest)
    frame = found.to_frame().set_index("figure")
    assert frame.loc["accuracy", "ci95_low"] < frame.loc["accuracy", "value"]
    page = found._repr_html_()
    assert "<table>" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def _hostile_model(manifest):
    path = manifest.parent / "m.headstart"
    library.fit_head(manifest, "centroid", out=path)
    return path


def test_options_arrive_however_they_are_written(headstart, photographs, tmp_path):
    del headstart
    views = [
        library.fit_head(photographs, views=views, cache=str(tmp_path / "cache"), layers="auto")
        for views in ("original,flip", ["original", "flip"])
    ]
    assert views[0].best["taps"] == views[1].best["taps"]
    assert (tmp_path / "cache").exists()


def test_a_comparison_shows_its_report_inline(comparison):
    from headstart.api.compare import Compared

    compared = Compared(comparison, None)
    assert compared.report()._repr_html_().startswith("<iframe srcdoc=")
    assert "<script" not in compared.report()._repr_html_()
    assert compared.to_frame()["kind"].to_list() == ["transfer", "transfer", "finetune"]
    assert comparison.results["verdict"] in str(compared)


def test_a_predicted_folder_lists_what_failed(headstart, colour_head, photographs):
    del headstart
    (photographs / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    predicted = library.predict(colour_head[1], photographs / "red")
    assert set(predicted.to_frame()["label"]) == {"red"}
    assert [failure.path.name for failure in predicted.failures] == ["torn.jpg"]
    assert "torn.jpg" in predicted.warnings[0]


def test_the_findings_of_an_inspection_are_rows(headstart, photographs):
    del headstart
    (photographs / "red" / "copy.png").write_bytes((photographs / "red" / "0.png").read_bytes())
    frame = library.inspect(photographs).to_frame()
    copies = frame[frame["finding"] == "duplicate"]
    assert sorted(path.rsplit("/", 1)[-1] for path in copies["path"]) == ["0.png", "copy.png"]


def test_photographs_are_labelled_on_a_page_while_its_block_runs(headstart, photographs, tmp_path):
    pytest.importorskip("fastapi", reason="headstart[serve] is not installed")
    del headstart
    kind = {"Content-Type": "application/json"}
    for count in (1, 2):  # the second goes on with what the first wrote
        with library.label(photographs, tmp_path / "l.csv", unlabelled=True, port=0) as page:
            (shown,) = json.load(urlopen(f"{page.url}next?count=1"))
            body = json.dumps({"labels": {shown["row"]: "red"}}).encode()
            state = json.load(urlopen(Request(f"{page.url}labels", body, kind)))
            assert state["labelled"] == page.to_dict()["labelled"] == count
            assert page.to_frame()["label"].to_list() == ["red"] * count
            assert page.url in str(page)
        with pytest.raises(OSError, match="refused"):
            urlopen(page.url)


def test_a_simulation_is_the_same_document_and_a_row_a_point(headstart, photographs):
    found = library.simulate(photographs, seeds=1, labels=20, goal=0.9)
    options = ("--simulate", "--seeds", 1, "--labels", 20, "--goal", 0.9)
    assert json.loads(headstart("label", photographs, *options, "--json")[1]) == near(
        found.to_dict()
    )
    assert headstart("label", photographs, *options)[1].splitlines()[-3:-1] == [
        "chosen: labels to reach 90 %: 10",
        "random: labels to reach 90 %: 10",
    ]
    points = {each["name"]: each["points"] for each in found.to_dict()["strategies"]}
    frame = found.to_frame().set_index("order")
    for order, own in points.items():
        assert frame.loc[[order], "labels"].to_list() == [point["labels"] for point in own]
    assert (frame["ci95_low"] <= frame["accuracy"]).all()


def test_the_logger_hears_warnings_notes_and_stages_and_is_silent_by_default(
    headstart, photographs, caplog, capsys
):
    del headstart
    (photographs / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    with caplog.at_level("DEBUG", logger="headstart"):
        fitted = library.fit_head(photographs)
    levels = {record.levelname for record in caplog.records if record.name == "headstart"}
    assert levels == {"DEBUG", "INFO", "WARNING"}
    assert fitted.warnings[0] in caplog.messages
    assert capsys.readouterr() == ("", "")
