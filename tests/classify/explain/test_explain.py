"""Explanations with the real MobileNet: the evidence lies where a planted patch decides."""

import json
from dataclasses import replace

import numpy as np
import pytest

from headstart.classify.data.table import load_table
from headstart.classify.explain.explain import explain
from headstart.classify.explain.heat import evidence, share_inside
from headstart.classify.explain.layers import head_layers
from headstart.classify.fit.fit_head import fit_head, to_model
from headstart.classify.heads.table import HEADS, PROBE
from headstart.classify.network.upper import Network
from headstart.classify.saved.linear_layer import linear_layer
from headstart.classify.saved.network_model import TunedModel
from headstart.errors import DataError, OptionError
from headstart.extract.backbone.backbones import find_backbone
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from planted import SIDE, SIDE_OF_WHOLE, plant_dataset

TOLERANCE = 15  # pixels, as in the pointing game of Zhang et al. 2016, arXiv:1608.00507
ROOTED = replace(HEADS["logreg"], search={"scale__power": [0.5]})
HEADS_USED = {
    "linear": PROBE,
    "rooted": ROOTED,
    **{name: HEADS[name] for name in ("svm", "knn", "gaussian-nb", "mlp", "random-forest")},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home for what the tests of this module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


class Job:
    """A planted dataset, its features, and the heads that were fitted on them."""

    def __init__(self, root, resize="crop"):
        self.data = root / "data"
        self.boxes = plant_dataset(self.data, SIDE if resize == "crop" else SIDE_OF_WHOLE)
        self.execution = Execution(cache=root / "cache", engine="tensorflow")
        self.source = feature_source(Recipe(resize=resize), self.execution)
        self.table = load_table(read_dataset(self.data), self.source)
        self.models = {}

    def model(self, name):
        if name not in self.models:
            fitted = fit_head(HEADS_USED[name], self.table, 0)
            assert fitted.evaluation["accuracy"] == 1
            record = {"data": str(self.data)}
            self.models[name] = to_model(fitted, self.table, self.source, record)
        return self.models[name]

    def explain(self, model, count=None, **asked):
        return explain(model, list(self.boxes)[:count], self.execution, **asked)

    def pointed(self, told):
        """Return the shares of mass and of area in the patches, and how often the peak hits."""
        shares, areas, hits = [], [], []
        for one in told.images:
            grid, box = one.grid(128), self.boxes[one.path]
            height, width = grid.shape
            row, column = np.unravel_index(evidence(grid).argmax(), grid.shape)
            x, y = (column + 0.5) / width, (row + 0.5) / height
            slack = TOLERANCE / one.size[0], TOLERANCE / one.size[1]
            hits.append(
                box[0] - slack[0] <= x <= box[2] + slack[0]
                and box[1] - slack[1] <= y <= box[3] + slack[1]
            )
            shares.append(share_inside(grid, box))
            areas.append((box[2] - box[0]) * (box[3] - box[1]) / np.mean(~np.isnan(grid)))
        return np.mean(shares), np.mean(areas), np.mean(hits)


@pytest.fixture(scope="module")
def job(home, tmp_path_factory):
    return Job(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def tuned(job):
    """A network with the linear head in it, as fine-tuning has it before its first step."""
    model = job.model("linear")
    source = job.source.tapping(("conv_pw_12_relu",), "none")
    backbone = find_backbone("mobilenet").load(source.weights)
    network = Network(job.source.spec, backbone, len(model.classes))
    upper = network.above("conv_pw_12_relu")
    upper.set_head(*linear_layer(model.estimator))
    return TunedModel(
        name="fine-tuned from conv_dw_13",
        classes=model.classes,
        spec=source.spec,
        features=job.source.spec,
        weights="imagenet",
        arrays=upper.model.get_weights(),
        temperature=1.0,
        record=model.record,
    )


def check_pointing(job, told, times):
    shares, areas, hits = job.pointed(told)
    print(f"{shares:.0%} of the mass on {areas:.0%} of the area, {hits:.0%} of the peaks")  # noqa: T201
    assert shares >= times * areas
    assert hits >= 0.9


@pytest.mark.parametrize(
    ("name", "method", "count", "times"),
    [
        ("linear", "cam", None, 2.5),
        ("rooted", "grad-cam", None, 2.5),
        ("svm", "occlusion", 3, 1.5),  # any change takes its kernels away from all they know
        pytest.param("mlp", "grad-cam", None, 2.5, marks=pytest.mark.slow),
        pytest.param("linear", "occlusion", None, 2.5, marks=pytest.mark.slow),
        pytest.param("gaussian-nb", "occlusion", None, 2, marks=pytest.mark.slow),
        pytest.param("knn", "occlusion", None, 2, marks=pytest.mark.slow),
        pytest.param("random-forest", "occlusion", None, 2, marks=pytest.mark.slow),
    ],
)
def test_the_evidence_lies_on_the_planted_patch(job, name, method, count, times):
    asked = "auto" if name != "linear" else method
    told = job.explain(job.model(name), count, method=asked, nearest=0)
    assert told.choice.method == method
    check_pointing(job, told, times)


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["pad", "squash"])
@pytest.mark.parametrize("method", ["cam", "occlusion"])
def test_it_lies_there_whatever_the_resize_rule(home, tmp_path, resize, method):
    job = Job(tmp_path, resize)
    told = job.explain(job.model("linear"), method=method, nearest=0)
    check_pointing(job, told, 2)  # the patch has 19 % of the whole photograph, 14 % of a square


def test_the_map_and_the_bias_are_the_score_whose_softmax_is_the_probability(job):
    model = job.model("linear")
    bias = head_layers(model).layers[-1][1]
    path = next(iter(job.boxes))
    scores, probabilities = [], []
    for at, label in enumerate(model.classes):
        one = explain(model, [path], job.execution, label=label, nearest=0).images[0]
        scores.append(sum(part.values.mean() for part in one.maps) + bias[at])
        probabilities.append(dict(one.top)[label])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_another_head_gives_another_map(job):
    """A sanity check in the spirit of Adebayo et al. 2018, arXiv:1810.03292."""
    from scipy.stats import spearmanr

    model, images = job.model("linear"), list(job.boxes)[:4]
    other = replace(model, estimator=_shuffled(model.estimator, np.random.default_rng(0)))
    maps = [
        [one.maps[0].values.ravel() for one in told.images]
        for told in (
            explain(each, images, job.execution, label="checks", nearest=0)
            for each in (model, other)
        )
    ]
    likenesses = [spearmanr(*pair).statistic for pair in zip(*maps, strict=True)]
    assert abs(np.mean(likenesses)) < 0.5


def _shuffled(estimator, random):
    """Return the same head with its weights dealt to other features."""
    import copy

    other = copy.deepcopy(estimator)
    head = other.estimator_["head"]
    head.coef_ = head.coef_[:, random.permutation(head.coef_.shape[1])]
    return other


def test_a_network_is_explained_by_gradients_down_to_its_last_maps(job, tuned):
    told = job.explain(tuned, 4)
    assert told.choice.method == "grad-cam"
    assert told.choice.why == "the head is part of a fine-tuned network"
    plain = job.explain(job.model("linear"), 4)
    for one, other in zip(told.images, plain.images, strict=True):
        assert one.top[0][1] == pytest.approx(other.top[0][1], abs=1e-4)
        # Before its first step it is that head, so the maps are the exact ones.
        np.testing.assert_allclose(
            one.maps[0].values, other.maps[0].values, atol=2e-3 * np.ptp(other.maps[0].values)
        )
        assert all(near.label == one.explained for near in one.neighbours)
    assert "validation" not in str(told.images[0].neighbours)


def test_neighbours_are_training_images_of_the_class_from_the_cache(job, monkeypatch):
    model = job.model("linear")
    images = [image.path for image in read_dataset(job.data).images if image.split == "train"]
    told = explain(model, [images[0], *list(job.boxes)[:2]], job.execution, nearest=4)
    for one in told.images:
        assert len(one.neighbours) == 4
        assert {near.path for near in one.neighbours} <= set(images) - {one.path}
        assert [near.label for near in one.neighbours] == [one.explained] * 4
        similarities = [near.similarity for near in one.neighbours]
        assert similarities == sorted(similarities, reverse=True)
    assert told.remarks == []


@pytest.mark.parametrize("record", [{}, {"data": "gone"}])
def test_without_the_training_data_the_rest_is_still_there(job, tmp_path, record):
    record = {name: str(tmp_path / place) for name, place in record.items()}
    told = job.explain(replace(job.model("linear"), record=record), 1)
    assert told.images[0].neighbours == []
    assert told.images[0].maps
    (remark,) = told.remarks
    assert remark.startswith("no neighbours: ")
    assert "--data" in remark
    with pytest.raises(DataError, match="no such folder or manifest"):
        job.explain(job.model("linear"), 1, data=tmp_path / "gone")


def test_a_class_can_be_asked_for_and_an_unknown_one_is_refused(job):
    told = job.explain(job.model("linear"), 1, label="stripes", nearest=0)
    assert told.images[0].explained == "stripes"
    assert told.images[0].top[0][0] == "checks"
    with pytest.raises(OptionError, match="unknown class 'stripe'; did you mean 'stripes'"):
        job.explain(job.model("linear"), 1, label="stripe")


def test_the_command_prints_tables_and_writes_a_page_and_pictures(headstart, photographs, tmp_path):
    path, strange = tmp_path / "m.headstart", tmp_path / "torn.png"
    headstart("fit", "head", photographs, "--model", "knn", "--out", path)
    strange.write_bytes(b"\x89PNG")
    images = photographs / "red" / "0.png", strange
    status, out, err = headstart(
        "explain", path, *images, "--neighbours", "2", "--out", tmp_path / "why"
    )
    assert status == 0
    assert "0.png: red, probability" in out
    assert out.count("yes") == 2
    assert "method: occlusion, because knn has no gradient" in out
    assert "torn.png: " in err
    assert sorted(file.name for file in (tmp_path / "why").iterdir()) == ["01-0.png", "index.html"]
    status, _, err = headstart("explain", path, strange)
    assert status == 1
    assert err.splitlines()[-1] == "error: none of the 1 images could be explained"


def test_the_command_prints_one_document(headstart, photographs, tmp_path):
    path = tmp_path / "m.headstart"
    headstart("fit", "head", photographs, "--model", "knn", "--out", path)
    status, out, _ = headstart(
        "explain", path, photographs / "blue" / "1.jpg", "--class", "red", "--json"
    )
    told = json.loads(out)
    assert status == 0
    assert {"version", "method", "why", "explanations", "failed", "remarks"} == set(told)
    (one,) = told["explanations"]
    assert (one["label"], one["class"]) == ("blue", "red")
    assert one["class_probability"] < one["probability"]
    assert one["map"]["shape"] == [24, 32]
    assert np.shape(one["map"]["values"]) == (24, 32)
    assert {value is None for value in one["map"]["values"][0]} == {True, False}  # beside the crop
    assert len(one["neighbours"]) == 5
    assert [near["agrees"] for near in one["neighbours"]] == [True] * 5  # with the label
    assert set(one["neighbours"][0]) == {"path", "label", "similarity", "agrees"}


def test_fitting_records_where_the_data_was(headstart, photographs, monkeypatch):
    monkeypatch.chdir(photographs.parent)
    _, out, _ = headstart("fit", "head", photographs.name, "--model", "ridge", "--json")
    assert json.loads(out)["data"] == str(photographs)
