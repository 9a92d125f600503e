"""What lies in a model's file names no module of ours."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from headstart.cache import FeatureSpec
from headstart.classify.data.columns import TapSelector
from headstart.classify.heads.calibration import TemperatureScaled
from headstart.classify.heads.dense import DenseHead
from headstart.classify.heads.scaler import PowerScaler
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.head_model import Model
from headstart.classify.saved.load import load_model
from headstart.classify.saved.type_names import CLASSES, from_plain, to_plain
from headstart.errors import ModelError

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
X[20:] += 3
Y = np.repeat([0, 1], 20)


def fitted(name, taps=None):
    pipeline = HEADS[name].pipeline(0, taps)
    if name == "dense":
        pipeline.set_params(head=DenseHead(4, epochs=2, random_state=0))
    return TemperatureScaled.around(pipeline.fit(X, Y), np.eye(2)[Y], Y)


def contents(file):
    """Return what lies in a zip, and in the zips in it, inflated."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            yield name.encode() + b"\n" + content
            if zipfile.is_zipfile(io.BytesIO(content)):
                yield from contents(io.BytesIO(content))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("taps", [None, TapSelector((2, 2), 1, (0,))])
@pytest.mark.parametrize("name", list(HEADS))
def test_no_file_of_any_head_names_a_module_of_ours(tmp_path, name, taps):
    estimator, path = fitted(name, taps), tmp_path / "m"
    Model(name, estimator, ["cat", "dog"], SPEC, "imagenet", {}).save(path)
    assert not [content for content in contents(path) if b"headstart." in content]
    again = load_model(path, trust_joblib=HEADS[name].saved == "joblib")
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))


def test_the_names_in_files_are_part_of_the_format():
    assert set(CLASSES) == {
        *("CentroidHead", "DenseHead", "DiscriminantHead", "HingeHead", "LogisticHead"),
        *("PowerScaler", "RidgeHead", "TapSelector", "TemperatureScaled"),
    }


def test_what_stands_twice_in_an_estimator_is_stored_once():
    plain = to_plain(fitted("logreg"))
    assert plain["estimator"] is plain["estimator_"]
    again = from_plain(plain)
    assert again.estimator is again.estimator_


def test_a_class_that_only_shares_a_name_of_ours_is_left_as_it_is():
    other = type("PowerScaler", (), {})()
    assert to_plain(other) is other
    assert isinstance(from_plain(to_plain(PowerScaler())), PowerScaler)


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelError, match=r"an estimator .* does not know: 'os\.system'"):
        from_plain({"headstart": "os.system"})


def test_a_file_of_the_format_that_named_modules_is_refused_in_one_line():
    old = Path(__file__).with_name("format-2.headstart")
    with pytest.raises(ModelError, match=r"model format 2, older than .*: train it again") as told:
        load_model(old)
    assert "\n" not in str(told.value)
