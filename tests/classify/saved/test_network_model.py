"""A fine-tuned network as a file: the same answers, nothing run from it, damage told."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakes import engines_made_by
from headstart.classify.data.table import load_table
from headstart.classify.export.graph import build_graph
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.predict.evaluate_model import evaluate_model
from headstart.classify.predict.in_memory import Labeller
from headstart.classify.predict.predict import predict, predict_each
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.in_memory import PixelImage
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import decode, paint_splits
from tuning import one_candidate


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A network fine-tuned on 24 pictures: table, source, result, the file it is saved in."""
    root = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        paint_splits(root / "data", train=6, test=2)
        source = feature_source(execution=Execution(cache=root / "cache", engine="tensorflow"))
        table = load_table(read_dataset(root / "data"), source)
        settings = one_candidate(learning_rate=(3e-4,), epochs=2)
        result = fine_tune_dataset(table, source, settings)
        path = root / "network.headstart"
        replace(result.model, record={"accuracy": 1}).save(path)
        yield table, source, result, path


def test_it_comes_back_as_it_was(job):
    _, _, result, path = job
    model = load_model(path)
    for name in ("name", "classes", "spec", "features", "weights", "temperature"):
        assert getattr(model, name) == getattr(result.model, name)
    assert model.record == {"accuracy": 1}
    for one, other in zip(model.arrays, result.model.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cached", [True, False])
def test_predicting_gives_what_training_saw(job, tmp_path, cached):
    table, source, result, path = job
    rows = table.split.evaluation
    paths = [table.paths[row] for row in rows]
    cache = source.cache if cached else tmp_path / "empty"
    predictions, failures = predict(load_model(path), paths, Execution(cache=cache), top=3)
    assert failures == []
    for prediction, expected in zip(predictions, result.probabilities, strict=True):
        by_name = dict(prediction.top)
        told = [by_name[name] for name in table.classes]
        np.testing.assert_allclose(told, expected, atol=1e-6 if cached else 1e-5)
    assert not list((tmp_path / "empty").rglob("mobilenet*/*.h5"))


def test_a_labeller_says_of_bytes_what_predict_says_of_files(job, tmp_path):
    table, _, _, path = job
    paths = table.paths[:5]
    options = Execution(cache=tmp_path / "empty", engine="tensorflow")
    labeller = Labeller(load_model(path), options)
    told = labeller.label(np.stack([labeller.decode(p.read_bytes()) for p in paths]))
    predictions, _ = predict(load_model(path), paths, options, top=3)
    for row, prediction in zip(told.probabilities, predictions, strict=True):
        by_name = dict(prediction.top)
        np.testing.assert_allclose(row, [by_name[name] for name in table.classes], atol=1e-6)
    assert not told.abstained.any()


def test_the_assembled_network_equals_it_from_the_pixels_on(job):
    table, source, _, path = job
    model = load_model(path)
    pixels = np.stack([decode(path.read_bytes()) for path in table.paths[:5]])
    maps = load_features(table.paths[:5], replace(source, spec=model.spec)).X
    whole = build_graph(model, source.weights).run(pixels)["probabilities"].numpy()
    np.testing.assert_allclose(whole, model.predict_proba(maps), atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-6)


def test_a_file_that_cannot_be_read_is_listed_beside_the_others(job, tmp_path):
    table, source, _, path = job
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    files = [torn, table.paths[0]]
    predictions, failures = predict(load_model(path), files, Execution(cache=source.cache))
    assert [p.path for p in predictions] == [table.paths[0]]
    assert [f.path for f in failures] == [torn]


def test_it_cannot_abstain_and_says_so(job):
    table, source, _, path = job
    options = Execution(cache=source.cache)
    with pytest.raises(ModelError, match=r"a network .* has no out-of-fold scores"):
        predict(load_model(path), table.paths[:1], options, abstain=0.9)
    with pytest.raises(ModelError, match=r"a network .* has no out-of-fold scores"):
        evaluate_model(load_model(path), read_dataset(path.parent / "data"), options, abstain=0.9)


def test_evaluating_it_gives_training_times_figures_and_knows_its_images(job):
    _, source, result, path = job
    options = Execution(cache=source.cache)
    dataset = read_dataset(path.parent / "data")
    run = evaluate_model(load_model(path), dataset, options)
    for name, value in result.evaluation.items():
        expected = value if isinstance(value, str) else pytest.approx(value, abs=1e-5)
        assert run.record["evaluation"][name] == expected
    assert run.record["seen_in_training"]["images"] == 0
    run = evaluate_model(load_model(path), dataset, options, "all")
    assert run.record["seen_in_training"]["images"] == 18
    assert run.record["seen_in_training"]["evaluation"]["n"] == 6


def test_blocks_pixels_and_limits_are_those_of_heads(job, tmp_path, heard):
    table, source, _, path = job
    pixels = PixelImage(np.asarray(Image.open(table.paths[0])), "from memory")
    paths = [*table.paths[:4], pixels]
    options = Execution(cache=source.cache)
    predictions = list(predict_each(load_model(path), paths, options, block=2))
    memory, file = dict(predictions[-1].top), dict(predictions[0].top)
    assert memory == pytest.approx(file, abs=1e-5)
    assert heard.progress[-1] == (5, 5)
    assert heard.progress == sorted(heard.progress)
    small = Execution(cache=tmp_path, max_pixels=100)
    predictions, failures = predict(load_model(path), table.paths[:2], small)
    assert (len(predictions), len(failures)) == (0, 2)


def test_the_file_holds_json_and_plain_arrays_alone(job):
    with zipfile.ZipFile(job[3]) as file:
        assert file.namelist() == ["manifest.json", "network.npz", "trained-on.npy"]
        with zipfile.ZipFile(file.open("network.npz")) as arrays:
            heads = [arrays.read(name)[:6] for name in arrays.namelist()]
    assert set(heads) == {b"\x93NUMPY"}


def respelt(path, target, spoil):
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(target, "w") as file:
        for name, data in spoil(parts).items():
            file.writestr(name, data)
    return target


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda parts: parts | {"network.npz": b"other"},
            "network.npz does not match its checksum",
        ),
        (lambda parts: {"manifest.json": parts["manifest.json"]}, "or damaged: "),
        (
            lambda parts: (
                parts | {"manifest.json": b'{"format_version": 3, "sha256": {}, "network": 1}'}
            ),
            "or damaged: ",
        ),
    ],
)
def test_a_spoiled_file_is_refused(job, tmp_path, spoil, message):
    with pytest.raises(ModelError, match=message):
        load_model(respelt(job[3], tmp_path / "spoiled", spoil))


def test_arrays_that_do_not_fit_the_backbone_are_refused(job):
    _, _, result, _ = job
    model = replace(result.model, arrays=result.model.arrays[:-1])
    with pytest.raises(ModelError, match="arrays do not fit mobilenet above conv_pw_12_relu"):
        model.predict_proba(np.zeros((1, 50_176), dtype=np.float32))


@pytest.mark.parametrize(
    "unfreeze",
    [
        ("none",),
        pytest.param(("all",), marks=pytest.mark.slow),
    ],
)
def test_the_head_alone_and_the_whole_network_can_be_saved_too(job, tmp_path, unfreeze):
    table, source, _, _ = job
    settings = one_candidate(unfreeze=unfreeze, batch_size=8)
    result = fine_tune_dataset(table, source, settings)
    result.model.save(tmp_path / "m")
    paths = [table.paths[row] for row in table.split.evaluation]
    predictions, _ = predict(load_model(tmp_path / "m"), paths, Execution(cache=source.cache))
    told = [dict(p.top)[table.classes[0]] for p in predictions]
    np.testing.assert_allclose(told, result.probabilities[:, 0], atol=1e-5)
    assert ("conv_dw_1" in result.moved) == (unfreeze == ("all",))


def test_a_network_trained_at_the_images_own_size_labels_new_ones_at_it(job, tmp_path):
    table, source, _, _ = job
    settings = one_candidate(
        unfreeze=("all",), start=("random",), batch_norm=("trained",), learning_rate=(1e-3,)
    )
    result = fine_tune_dataset(table, source, settings)
    assert result.model.spec.input_size == result.model.features.input_size == (96, 96)
    result.model.save(tmp_path / "m")
    paths = [table.paths[row] for row in table.split.evaluation]
    predictions, _ = predict(load_model(tmp_path / "m"), paths, Execution(cache=source.cache))
    told = [dict(p.top)[table.classes[0]] for p in predictions]
    np.testing.assert_allclose(told, result.probabilities[:, 0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_trains_close_to_float32(job, precision):
    table, source, _, _ = job
    reduced = replace(source, spec=replace(source.spec, precision=precision))
    # This test is of training: the maps may come from any engine.
    exact = source_at(source).engine()
    settings = one_candidate(epochs=2)
    with engines_made_by(lambda wanted: exact):
        result = fine_tune_dataset(table, reduced, settings)
    plain = fine_tune_dataset(table, source, settings)
    assert result.diverged is None
    losses = [[entry["val_loss"] for entry in one.best.history] for one in (result, plain)]
    np.testing.assert_allclose(*losses, rtol=0.05)


def source_at(source):
    return source.tapping(("conv_pw_12_relu",), "none")
