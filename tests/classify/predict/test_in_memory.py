"""Labels from bytes in memory equal predict's from files, and leave nothing behind."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from headstart.classify.predict.in_memory import Labeller
from headstart.classify.predict.predict import predict
from headstart.classify.saved.load import load_model
from headstart.errors import DecodeError, ModelError, OptionError
from headstart.extract.images.folder import plain_files
from headstart.extract.recipe import Execution

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.mark.parametrize(
    "options",
    [{}, {"views": "original,flip,crop1"}, {"storage": "float16"}, {"resize": "pad"}],
    ids=str,
)
def test_it_says_of_bytes_what_predict_says_of_files(trained, tmp_path, options):
    path, folder = trained(**options)
    model, files = load_model(path), plain_files(folder)
    predictions, failures = predict(
        model, files, Execution(cache=tmp_path / "cache"), top=3, abstain=0.9
    )
    assert failures == []
    labeller = Labeller(model, Execution(cache=tmp_path / "cache"), abstain=0.9)
    images = np.stack([labeller.decode(file.read_bytes()) for file in files])
    told = labeller.label(images)
    by_name = [dict(prediction.top) for prediction in predictions]
    expected = [[row[name] for name in model.classes] for row in by_name]
    np.testing.assert_allclose(told.probabilities, expected, atol=1e-9)  # another batch
    assert told.abstained.tolist() == [prediction.abstained for prediction in predictions]


def test_what_is_labelled_one_by_one_in_threads_is_what_is_labelled_together(trained, tmp_path):
    path, folder = trained()
    labeller = Labeller(load_model(path), Execution(cache=tmp_path / "cache"))
    files = [file.read_bytes() for file in plain_files(folder)]

    def alone(data):
        return labeller.label(labeller.decode(data)[None]).probabilities[0]

    with ThreadPoolExecutor(4) as pool:
        one_by_one = np.stack(list(pool.map(alone, files)))
    together = labeller.label(np.stack([labeller.decode(data) for data in files])).probabilities
    np.testing.assert_allclose(one_by_one, together, atol=1e-12)


def test_nothing_is_written(trained, tmp_path):
    path, folder = trained()
    labeller = Labeller(load_model(path), Execution(cache=tmp_path / "cache"))
    labeller.label(labeller.decode(plain_files(folder)[0].read_bytes())[None])
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_bytes_that_are_no_image_and_too_many_pixels_have_their_reasons(trained, tmp_path):
    path, folder = trained()
    labeller = Labeller(load_model(path), Execution(cache=tmp_path, max_pixels=100))
    with pytest.raises(DecodeError, match=r"^not an image \(begins with 'hello'\)$"):
        labeller.decode(b"hello")
    with pytest.raises(DecodeError, match=r"too large: 64 x 48 is 3,072 pixels, the limit is 100"):
        labeller.decode(plain_files(folder)[0].read_bytes())


def test_other_weights_and_a_share_out_of_range_are_refused(trained, tmp_path):
    from dataclasses import replace

    model = load_model(trained()[0])
    with pytest.raises(OptionError, match="--abstain takes the share"):
        Labeller(model, Execution(cache=tmp_path), abstain=2.0)
    other = replace(model, spec=replace(model.spec, weights_sha256="0" * 64))
    with pytest.raises(ModelError, match="the model was trained on backbone weights with SHA-256"):
        Labeller(other, Execution(cache=tmp_path))
