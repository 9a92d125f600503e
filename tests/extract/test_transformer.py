"""ImageFeatures: images in, features out, the backbone run once over each image."""

import io
import pickle
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from PIL import Image
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

import headstart
from fakes import FakeEngine, bringing
from headstart import ImageFeatures
from headstart.cache import FeatureStore
from headstart.errors import DataError, OptionError
from headstart.extract.decode.decode import decode_views
from headstart.extract.engine.turns import taking_turns
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.in_memory import DOMAIN, PixelImage, digest_pixels


class LoggingEngine(FakeEngine):
    """Writes each image's key beside the cache: counts over processes."""

    def __call__(self, images):
        features = super().__call__(images)
        self.wanted.cache.mkdir(parents=True, exist_ok=True)
        with open(self.wanted.cache / "calls", "ab", buffering=0) as log:
            log.write(b"".join(row.tobytes().hex().encode() + b"\n" for row in features))
        return features


class LoggedFeatures(ImageFeatures):
    """ImageFeatures on the fake engine."""

    def _source(self):
        return bringing(super()._source(), LoggingEngine)


class OnRows(LoggedFeatures):
    """ImageFeatures on rows of numbers, each painted as an image: what scikit-learn checks."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = tags.input_tags.string = False
        return tags

    def fit_transform(self, X, y=None):
        return super().fit_transform(self._painted(X, reset=True))

    def transform(self, X):
        return super().transform(self._painted(X, reset=False))

    def _painted(self, X, *, reset):
        X = validate_data(self, X, dtype=np.float64, reset=reset)
        rows = np.ascontiguousarray(X).view(np.uint8).reshape(len(X), -1, 8, 1)
        return np.repeat(rows, 3, axis=3)


def calls(cache):
    """How often each image went through the engine."""
    return Counter((cache / "calls").read_bytes().split())


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def images(cache):
    return LoggedFeatures(cache=cache)


@pytest.fixture
def labelled(photographs):
    """Paths and labels of the photographs."""
    rows = read_dataset(photographs).images
    return [str(row.path) for row in rows], [row.label for row in rows]


@parametrize_with_checks([OnRows()])
def test_scikit_learns_contract_is_kept(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_scikit_learn_is_told_that_images_are_no_matrix():
    tags = ImageFeatures().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.string
    assert not tags.requires_fit


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_grid_search_runs_the_backbone_once_over_each_image(images, labelled, cache, backend):
    paths, labels = labelled
    search = GridSearchCV(
        make_pipeline(images, LogisticRegression()),
        {"logisticregression__C": [0.01, 1.0, 100.0]},
        cv=5,
        n_jobs=2,
    )
    try:
        with joblib.parallel_config(backend=backend):
            search.fit(paths, labels)
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert search.best_score_ == 1.0
    assert search.score(paths, labels) == 1.0
    counts = calls(cache)
    assert (len(counts), set(counts.values())) == (30, {1})


def test_paths_of_every_kind_give_the_rows_of_the_command_line(images, labelled, cache):
    paths, _ = labelled
    expected = images.fit_transform(paths)
    assert (expected.shape, expected.dtype) == ((30, 12), np.float32)
    frame = pd.DataFrame({"path": paths, "size": 1})
    for same in (
        [Path(path) for path in paths],
        np.array(paths),
        np.array(paths, dtype=object),
        np.array(paths, dtype=object)[:, None],
        frame["path"],
        frame[["path"]],
        tuple(paths),
    ):
        np.testing.assert_array_equal(images.transform(same), expected)
    for column in ("path", ["path"]):
        columns = make_column_transformer((images, column))
        np.testing.assert_array_equal(columns.fit_transform(frame), expected)
    assert set(calls(cache).values()) == {1}


def test_pixels_are_resized_as_files_are_and_kept_by_their_own_key(images, labelled, cache):
    paths, _ = labelled
    png = next(path for path in paths if path.endswith(".png"))
    pixels = np.asarray(Image.open(png))
    row = images.transform([png])
    for same in ([pixels], pixels[None], [Image.open(png)], np.asfortranarray(pixels)[None]):
        np.testing.assert_array_equal(images.transform(same), row)
    assert set(calls(cache).values()) == {2}  # once as a file, once as pixels
    store = FeatureStore(cache, images._source().spec)
    assert digest_pixels(pixels) in store
    assert len(store) == 2


def test_images_of_many_sizes_and_kinds_go_together(images, labelled):
    small, large = np.zeros((1, 1, 3), np.uint8), np.full((300, 500, 3), 255, np.uint8)
    X = images.transform([small, labelled[0][0], large, small])
    assert X.shape == (4, 12)
    np.testing.assert_array_equal(X[0], np.zeros(12))
    np.testing.assert_array_equal(X[2], np.full(12, 255))
    np.testing.assert_array_equal(X[3], X[0])


def test_a_pil_image_is_turned_upright_and_laid_on_white(images):
    turned = Image.new("RGB", (40, 20), "red")
    turned.paste("blue", (0, 0, 20, 20))
    file = io.BytesIO()
    exif = turned.getexif()
    exif[274] = 6
    turned.save(file, "PNG", exif=exif)
    whole = decode_views(file.getvalue())[0]
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    X = images.transform([Image.open(file), clear])
    np.testing.assert_array_equal(X[0], FakeEngine()(whole[None])[0])
    np.testing.assert_array_equal(X[1], np.full(12, 255))


def test_the_key_of_pixels_is_no_files_and_tells_shapes_apart():
    pixels = np.arange(24, dtype=np.uint8)
    digests = {digest_pixels(pixels.reshape(shape)) for shape in ((2, 4, 3), (4, 2, 3), (8, 1, 3))}
    assert len(digests) == 3
    assert len(DOMAIN) == 19
    # Pinned: another key would orphan what users' caches hold.
    black = PixelImage(np.zeros((2, 3, 3), np.uint8), "black")
    assert black.digest.hex().startswith("c8037c16859877aa")


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_kept(images, labelled, cache):
    paths, _ = labelled
    Path(paths[3]).write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 30 images .*3\.jpg: empty file \(0 bytes\); take"):
        images.fit(paths)
    with pytest.raises(
        DataError, match=r"2 of 2 images .*nowhere: cannot read: No such file .*1 m"
    ):
        images.transform(["nowhere", paths[3]])
    assert images.transform(paths[:3]).shape == (3, 12)
    assert set(calls(cache).values()) == {1}
    torn = Image.open(io.BytesIO(Path(paths[0]).read_bytes()[:3000]))
    with pytest.raises(DataError, match="image 1 of X cannot be used: damaged PNG image"):
        images.transform([paths[1], torn])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("photo.jpg", TypeError, "got one str: put it in a list"),
        (Image.new("RGB", (8, 8)), TypeError, "got one Image: put it in a list"),
        (3, TypeError, "got one int"),
        ([], ValueError, "got 0 sample"),
        ([1.5], TypeError, "image 0 of X is a float"),
        ([np.zeros((8, 8), np.uint8)], ValueError, r"image 0 of X is an array \(8, 8\) of uint8"),
        (["a", np.zeros((8, 8, 3))], ValueError, r"image 1 of X is an array .* of float64"),
        ([np.zeros((0, 8, 3), np.uint8)], ValueError, r"array \(0, 8, 3\)"),
        (np.zeros((2, 8, 8, 3)), ValueError, r"got an array \(2, 8, 8, 3\) of float64"),
        (np.zeros((8, 8, 3), np.uint8), ValueError, r"got an array \(8, 8, 3\) of uint8"),
        (np.array([["a", "b"]]), ValueError, r"got an array \(1, 2\)"),
    ],
)
def test_what_is_no_image_is_refused_in_words(images, X, error, message):
    with pytest.raises(error, match=message):
        images.fit(X)


def test_parameters_are_kept_as_given_and_judged_when_used(labelled):
    layers = ["conv_pw_5_relu"]
    features = ImageFeatures("vgg16", layers=layers, batch_size=0)
    assert features.layers is layers
    assert clone(features).get_params() == features.get_params()
    with pytest.raises(OptionError, match="must be at least 1"):
        features.fit(labelled[0])
    with pytest.raises(OptionError, match="unknown backbone 'vgg61'"):
        features.set_params(backbone="vgg61", batch_size=None).transform(labelled[0])


def test_one_layer_may_be_named_without_a_list(cache):
    assert ImageFeatures(layers="conv_pw_5_relu")._source().spec.layers == ("conv_pw_5_relu",)
    spec = ImageFeatures(layers="auto", cache=cache)._source().spec
    assert len(spec.layers) == 5


def test_columns_are_named_and_data_frames_come_out(images, labelled):
    with pytest.raises(NotFittedError, match="once fit has seen an image"):
        images.get_feature_names_out()
    frame = images.set_output(transform="pandas").fit_transform(labelled[0])
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns[:2]) == ["conv_pw_13_relu_0", "conv_pw_13_relu_1"]
    unfitted = clone(images).set_output(transform="pandas").transform(labelled[0])
    assert list(unfitted.columns) == list(frame.columns)
    images.set_params(views="original,flip").fit(labelled[0])
    names = images.get_feature_names_out()
    assert (names[0], names[12], len(names)) == (
        *("original_conv_pw_13_relu_0", "flip_conv_pw_13_relu_0"),
        24,
    )


def test_a_pickle_holds_parameters_and_finds_the_cache_again(images, labelled, cache):
    rows = images.fit_transform(labelled[0])
    again = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(again.transform(labelled[0]), rows)
    assert len(pickle.dumps(again)) < 2000
    assert set(calls(cache).values()) == {1}


def test_where_files_cannot_be_locked_nobody_waits(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with taking_turns(tmp_path / "file" / "lock"), taking_turns(tmp_path / "file" / "lock"):
        pass


def test_the_package_itself_loads_nothing_heavy():
    script = (
        "import sys, headstart\n"
        "heavy = ('tensorflow', 'keras', 'sklearn', 'h5py', 'numpy', 'PIL')\n"
        "print([m for m in heavy if m in sys.modules])\n"
        "headstart.ImageFeatures\n"
        "print([m for m in ('tensorflow', 'keras', 'onnxruntime') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout.split() == ["[]", "[]"]


def test_an_unknown_attribute_of_the_package_is_told():
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'Nothing'"):
        _ = headstart.Nothing
