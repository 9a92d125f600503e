"""Model files from strangers: each is loaded as data or refused in one line; none runs code."""

import base64
import io
import json
import marshal
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from headstart.cache import FeatureSpec
from headstart.classify.heads.calibration import TemperatureScaled
from headstart.classify.predict.predict import predict
from headstart.classify.saved.head_model import Model
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from model_files import written

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
X = np.random.default_rng(0).normal(size=(40, 3)) + np.repeat([[0.0], [3.0]], 20, axis=0)
Y = np.repeat([0, 1], 20)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, fuse):
        self.fuse = fuse

    def __reduce__(self):
        return Path.write_text, (self.fuse, "it ran")


def saved(path, head="logreg", spec=SPEC, estimator=None):
    fitted = TemperatureScaled(estimator or LogisticRegression(), cv=2).fit(X, Y)
    Model(head, fitted, ["cat", "dog"], spec, "imagenet", {}).save(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.headstart"


def refused(path, match, **options):
    with pytest.raises(ModelError, match=match) as caught:
        load_model(path, **options)
    assert "\n" not in str(caught.value)


def skops_with(parts, change):
    """Rewrite the head's own zip."""
    with zipfile.ZipFile(io.BytesIO(parts["head.skops"])) as file:
        inner = {name: file.read(name) for name in file.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in change(inner).items():
            file.writestr(name, content)
    return parts | {"head.skops": buffer.getvalue()}


def test_a_whole_model_is_loaded(path):
    saved(path)
    assert load_model(path).classes == ["cat", "dog"]


@pytest.mark.parametrize("part", ["head.skops", "head.joblib"])
def test_a_pickle_bomb_does_not_go_off(path, tmp_path, part):
    fuse = tmp_path / "fuse"
    parts = saved(path)
    del parts["head.skops"]
    bomb = pickle.dumps(Bomb(fuse))
    match = "--trust-joblib" if part == "head.joblib" else "is not a headstart model, or damaged"
    refused(written(path, parts | {part: bomb}), match)
    path.write_bytes(bomb)
    refused(path, "is not a headstart model, or damaged: File is not a zip file")
    joblib.dump(Bomb(fuse), path)
    refused(path, "is not a headstart model, or damaged")
    assert not fuse.exists()


def test_a_head_of_foreign_types_is_refused_by_name(path):
    parts = saved(path)

    def change(inner):
        schema = json.loads(inner["schema.json"])
        schema["__class__"], schema["__module__"] = "Popen", "subprocess"
        return inner | {"schema.json": json.dumps(schema).encode()}

    refused(written(path, skops_with(parts, change)), r"holds types .* subprocess\.Popen")


def lambda_network(fuse):
    """Return a Keras archive whose one layer runs code, as keras.Lambda saves it."""
    code = marshal.dumps((lambda x: Path(fuse).write_text("it ran")).__code__)
    layer = {
        "class_name": "Lambda",
        "module": "keras.layers",
        "registered_name": None,
        "config": {
            "name": "bomb",
            "function": {
                "class_name": "__lambda__",
                "config": {"code": base64.b64encode(code).decode(), "defaults": None},
            },
        },
    }
    config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
    return buffer.getvalue()


@pytest.mark.parametrize("part", ["network.keras", "network.npz", "head.skops"])
@pytest.mark.parametrize("network", [{}, {"network": "fine-tuned"}])
def test_a_lambda_layer_is_refused_and_does_not_run(path, tmp_path, part, network):
    parts = saved(path)
    del parts["head.skops"]
    fields = {**network, "features": json.loads(SPEC.to_json()), "temperature": 1.0}
    written(path, parts | {part: lambda_network(tmp_path / "fuse")}, **fields)
    refused(path, "is not a headstart model, or damaged")
    assert not (tmp_path / "fuse").exists()


def test_members_outside_the_manifest_are_refused(path, tmp_path):
    parts = saved(path)
    manifest = json.loads(parts["manifest.json"])
    for name in ("../evil", "/tmp/evil", "head.skops/../../evil", "other"):
        written(path, parts | {name: b"x"}, sha256=manifest["sha256"])
        refused(path, "its parts are not those of its manifest")
    assert not (tmp_path.parent / "evil").exists()


def test_a_part_that_stands_twice_is_refused(path):
    parts = saved(path)
    with (
        zipfile.ZipFile(path, "a") as file,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        file.writestr("head.skops", parts["head.skops"])
    refused(path, "its parts are not those of its manifest: 'head.skops'")


def test_a_listed_part_that_is_missing_is_refused(path):
    parts = saved(path)
    written(path, parts, sha256={"head.skops": "0" * 64, "../evil": "0" * 64})
    refused(path, r"its parts are not those of its manifest: '\.\./evil'")


def test_an_altered_part_is_refused(path):
    parts = saved(path)
    manifest = json.loads(parts["manifest.json"])
    parts["head.skops"] = parts["head.skops"][:-1] + b"?"
    written(path, parts, sha256=manifest["sha256"])
    refused(path, r"is damaged: head\.skops does not match its checksum")


def test_a_newer_version_is_refused_with_the_remedy(path):
    refused(written(path, saved(path), format_version=99), r"model format 99, newer than .*upgrade")


@pytest.mark.parametrize("inner", [False, True])
def test_a_zip_bomb_is_not_inflated(path, inner):
    parts = saved(path)
    zeros = b"\0" * (200 << 20)
    if inner:
        parts = skops_with(parts, lambda head: head | {"zeros.npy": zeros})
        assert len(parts["head.skops"]) < 1 << 20
    else:
        parts["head.skops"] = zeros
    written(path, parts)
    refused(path, "bytes would grow to 2")


def test_fewer_names_than_classes_is_refused(path):
    refused(written(path, saved(path), classes=["cat"]), "1 names for 2 classes")


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"backbone": "mobilenet"}},
        {"spec": 3},
        {"classes": None},
        {"record": 1},
        {"sha256": {}},
        {"sha256": 3},
        {"format_version": "x"},
    ],
)
def test_a_manifest_of_nonsense_is_refused(path, change):
    refused(written(path, saved(path), **change), "not a headstart model|not those of its manifest")


def test_weights_other_than_the_trained_backbones_are_refused(path, tmp_path, photographs):
    options = Execution(cache=tmp_path / "cache")
    spec = feature_source(execution=options).spec
    altered = json.loads(spec.to_json()) | {"weights_sha256": "0" * 64}
    model = load_model(written(path, saved(path, spec=spec), spec=altered))
    with pytest.raises(ModelError, match=r"trained on backbone weights with SHA-256 000000000000…"):
        predict(model, [photographs], options)
    assert not list((tmp_path / "cache").rglob("*.h5")), "told before anything is extracted"


def test_trees_load_only_where_joblib_is_trusted(path):
    saved(path, "random-forest", estimator=make_pipeline(RandomForestClassifier(5)))
    refused(path, r"can run code when they are loaded: --trust-joblib loads it")
    assert load_model(path, trust_joblib=True).predict_proba(X).shape == (40, 2)


def test_other_heads_do_not_need_that_trust_and_never_use_joblib(path):
    assert set(saved(path)) == {"manifest.json", "head.skops"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.headstart"
    saved(path)
    return path.read_bytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_harmless_or_refused_in_one_line(whole, path, data):
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        model = load_model(path)
    except ModelError as error:
        line = str(error)
    else:
        line = ""
        assert model.classes == ["cat", "dog"]
    assert "\n" not in line
