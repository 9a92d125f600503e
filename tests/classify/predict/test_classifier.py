"""headstart.load: the same answers as the command line, for whatever image Python holds."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import headstart as package
from fakes import engines_made_by
from headstart.classify.predict.classifier import Classifier
from headstart.classify.saved.load import load_model
from headstart.errors import DataError, ModelError
from headstart.extract.recipe import Execution


@pytest.fixture
def saved(headstart, photographs, tmp_path):
    path = tmp_path / "m.headstart"
    status, _, err = headstart("fit", "head", photographs, "--model", "ridge", "--out", path)
    assert status == 0, err
    return path


@pytest.fixture
def classifier(saved, fake_engine, tmp_path):
    options = Execution(cache=tmp_path / "cache")
    return Classifier(load_model(saved), options)


def test_labels_and_probabilities_are_those_of_the_command_line(
    headstart, classifier, saved, photographs
):
    paths = sorted(photographs.rglob("*.*"))
    told = json.loads(headstart("predict", saved, *paths, "--json", "--top", "3")[1])["predictions"]
    probabilities = classifier.predict_proba(paths)
    assert classifier.predict(paths).tolist() == [one["label"] for one in told]
    by_name = [{t["label"]: t["probability"] for t in one["top"]} for one in told]
    expected = [[one[name] for name in classifier.classes_] for one in by_name]
    np.testing.assert_allclose(probabilities, expected, atol=1e-9)  # another batch


def test_paths_pixels_and_pil_images_are_taken_in_the_order_given(classifier, photographs):
    path = photographs / "red" / "0.png"
    with Image.open(photographs / "blue" / "5.png") as opened:
        picture = opened.copy()
    pixels = np.full((30, 40, 3), (50, 180, 60), np.uint8)
    assert classifier.predict([str(path), picture, pixels]).tolist() == ["red", "blue", "green"]
    stack = np.stack([pixels, pixels])
    assert classifier.predict(stack).tolist() == ["green", "green"]
    assert classifier.predict_proba(stack).shape == (2, 3)


def test_the_engine_starts_once_and_never_for_what_is_cached(saved, photographs, tmp_path):
    class Counting:
        name, device, widths, notes, made = "fake", "cpu", (12,), (), 0

        def __init__(self, source):
            type(self).made += 1

        def __call__(self, images):
            return images.reshape(len(images), -1)[:, :12].astype(np.float32)

    classifier = Classifier(load_model(saved), Execution(cache=tmp_path / "other"))
    with engines_made_by(Counting):
        for name in ("red", "blue", "red"):
            classifier.predict([photographs / name / "1.jpg"])
    assert Counting.made == 1


def test_an_image_that_cannot_be_used_is_an_error_that_names_it(classifier, photographs):
    torn = photographs / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"1 of 2 images cannot be used: .*torn\.jpg: .*take them"):
        classifier.predict([photographs / "red" / "1.jpg", torn])


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        ("photo.jpg", TypeError, "got one str: put it in a list"),
        ([], ValueError, "got 0 sample"),
        (np.zeros((2, 4, 4, 3)), ValueError, r"got an array \(2, 4, 4, 3\) of float64"),
    ],
)
def test_what_is_no_list_of_images_is_refused_in_words(classifier, images, kind, message):
    with pytest.raises(kind, match=message):
        classifier.predict(images)


def test_loading_with_other_weights_is_refused(saved, tmp_path):
    other = tmp_path / "other.weights.h5"
    other.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="was trained on backbone weights with SHA-256"):
        package.load(saved, weights=other)


def test_it_says_what_it_is(classifier):
    assert repr(classifier) == "<Classifier ridge, 3 classes>"


def test_the_package_loads_nothing_heavy_until_it_is_asked():
    script = (
        "import sys, headstart\nassert not {'sklearn', 'tensorflow', 'h5py'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_scikit_learn_takes_it_as_a_classifier(classifier, photographs):
    from sklearn.base import clone, is_classifier
    from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score
    from sklearn.model_selection import cross_val_score

    paths = sorted(photographs.rglob("*.*"))
    labels = [path.parent.name for path in paths]
    assert is_classifier(classifier)
    assert clone(classifier) is classifier
    right = accuracy_score(labels, classifier.predict(paths))
    assert classifier.score(paths, labels) == pytest.approx(right)
    assert cross_val_score(classifier, paths, labels, cv=3).tolist() == [1.0] * 3
    matrix = ConfusionMatrixDisplay.from_estimator(classifier, paths, labels).confusion_matrix
    assert matrix.tolist() == np.diag([10, 10, 10]).tolist()


def test_its_calibration_can_be_drawn(headstart, photographs, tmp_path):
    from sklearn.calibration import CalibrationDisplay

    shutil.rmtree(photographs / "green")
    path = tmp_path / "two.headstart"
    assert headstart("fit", "head", photographs, "--out", path)[0] == 0
    paths = sorted(photographs.rglob("*.*"))
    labels = [path.parent.name for path in paths]
    drawn = CalibrationDisplay.from_estimator(package.load(path), paths, labels, n_bins=2)
    assert drawn.y_prob.max() > 0.5
