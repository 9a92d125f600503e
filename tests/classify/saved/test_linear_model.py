"""A linear head as plain arrays: what scikit-learn says, without scikit-learn."""

import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from headstart.cache import FeatureSpec
from headstart.classify.data.columns import TapSelector
from headstart.classify.heads.calibration import TemperatureScaled, class_scores
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.head_model import Model, linear_arrays
from headstart.classify.saved.linear_model import LINEAR, LinearArrays
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError
from model_files import written

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
LINEAR_HEADS = ("centroid", "lda", "linear-svm", "logreg", "ridge")


def fitted(name, classes=3, **params):
    rng = np.random.default_rng(0)
    y = np.arange(60) % classes
    X = np.abs(rng.normal(size=(60, 8)) + 2 * np.eye(8)[y]).astype(np.float32)
    pipeline = HEADS[name].pipeline(0).set_params(**params)
    return calibrated(pipeline, X, y), X


def calibrated(pipeline, X, y):
    pipeline.fit(X, y)
    return TemperatureScaled.around(pipeline, class_scores(pipeline, X) / 3, y)


def saved(path, name="logreg", classes=3):
    estimator, X = fitted(name, classes)
    names = [str(number) for number in range(classes)]
    Model(name, estimator, names, SPEC, "imagenet", {"seed": 3}).save(path)
    return X


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("name", LINEAR_HEADS)
def test_arrays_say_what_scikit_learn_says(name, power, classes):
    estimator, X = fitted(name, classes, scale__power=power)
    data = linear_arrays(estimator).to_bytes()
    arrays = LinearArrays.from_bytes(data, classes)
    # The same products in float64; which routine adds them up is the library's business.
    np.testing.assert_allclose(arrays.predict_proba(X), estimator.predict_proba(X), rtol=1e-9)


def test_other_heads_and_those_of_several_layers_have_none():
    assert linear_arrays(fitted("knn")[0]) is None
    assert linear_arrays(fitted("gaussian-nb")[0]) is None
    X, y = np.ones((12, 8), np.float32) * np.arange(12)[:, None], np.arange(12) % 2
    tapped = HEADS["ridge"].pipeline(0, TapSelector((4, 4), 1))
    assert linear_arrays(calibrated(tapped, X, y)) is None


@pytest.mark.parametrize("name", [*LINEAR_HEADS, "gaussian-nb"])
def test_a_file_is_loaded_either_way_with_the_same_answers(tmp_path, name):
    X = saved(tmp_path / "m", name)
    quick, whole = load_model(tmp_path / "m", to_label=True), load_model(tmp_path / "m")
    assert isinstance(quick.estimator, LinearArrays) == (name in LINEAR_HEADS)
    np.testing.assert_allclose(quick.predict_proba(X), whole.predict_proba(X), rtol=1e-9)
    for field in ("name", "classes", "spec", "weights", "record", "abstainer", "trained_on"):
        assert getattr(quick, field) == getattr(whole, field)


def test_labelling_imports_neither_scikit_learn_nor_tensorflow(tmp_path):
    saved(tmp_path / "m")
    script = (
        "import sys\n"
        "from headstart.classify.saved.load import load_model\n"
        "from headstart.classify.predict import predict, sorting\n"
        f"load_model({str(tmp_path / 'm')!r}, to_label=True)\n"
        "print(sorted({'sklearn', 'scipy', 'skops', 'tensorflow'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coef": np.zeros((2, 8))}, "coef does not fit 3 classes"),
        ({"mean": np.zeros(7)}, "coef does not fit 3 classes"),
        ({"intercept": np.zeros((3, 1))}, "intercept does not fit 3 classes"),
        ({"temperature": np.zeros(2)}, "temperature does not fit 3 classes"),
        ({"coef": np.full((3, 8), "x")}, "coef is no array of numbers"),
        ({"coef": np.full((3, 8), None)}, "Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(tmp_path, change, message):
    saved(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    arrays = dict(np.load(io.BytesIO(parts[LINEAR]))) | change
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    written(tmp_path / "m", parts | {LINEAR: buffer.getvalue()})
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tmp_path / "m", to_label=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"x", b"\x80\x04."])
def test_other_content_is_refused(tmp_path, content):
    saved(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    written(tmp_path / "m", parts | {LINEAR: content})
    with pytest.raises(ModelError, match="is not a headstart model, or damaged"):
        load_model(tmp_path / "m", to_label=True)


def test_arrays_are_plain(tmp_path):
    estimator, _ = fitted("logreg")
    arrays = linear_arrays(estimator)
    again = LinearArrays.from_bytes(arrays.to_bytes(), 3)
    assert replace(again, mean=0, coef=0, intercept=0) == replace(
        arrays, mean=0, coef=0, intercept=0
    )
