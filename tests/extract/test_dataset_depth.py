"""10 or 12 bits in 16: what a whole dataset agrees on goes into the spec, and stays out of others'."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.extract import dataset_depth
from headstart.extract.dataset_depth import find_bit_depth
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Recipe
from headstart.extract.source import feature_source
from shards import tar_of


def grey(seed, bits):
    values = np.random.default_rng(seed).integers(0, 2**bits, (40, 40)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def microscopy(tmp_path, at_rest):
    """Return a function that writes a folder of two classes of so many bits each."""

    def write(*bits, name="scans"):
        for number, used in enumerate(bits):
            file = tmp_path / name / "ab"[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(grey(number, used))
        return tmp_path / name

    return write


def settled(folder, **options):
    dataset = read_dataset(folder)
    return feature_source(Recipe(**options), dataset=dataset).spec, dataset.warnings


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_dataset_that_agrees_is_scaled_by_its_range(microscopy, bits):
    spec, warnings = settled(microscopy(*[bits] * 6))
    assert (spec.bit_depth, warnings) == (bits, [])


def test_images_that_disagree_are_held_by_the_largest_and_it_is_told(microscopy):
    spec, warnings = settled(microscopy(10, 12, 12, 12))
    assert spec.bit_depth == 12
    assert "1 of 10 bits, 3 of 12 bits" in warnings[0]
    assert "--bit-depth 10" in warnings[0]


def test_the_option_decides(microscopy):
    spec, warnings = settled(microscopy(10, 12), bit_depth=16)
    assert (spec.bit_depth, warnings) == (16, [])
    with pytest.raises(OptionError, match="8 to 16, not 17"):
        Recipe(bit_depth=17)


def test_images_of_eight_bits_keep_the_id_that_they_always_had(photographs, microscopy):
    dataset = read_dataset(photographs)
    spec = feature_source(dataset=dataset).spec
    assert "bit_depth" not in spec.to_json()
    assert spec.id == feature_source().spec.id
    full, _ = settled(microscopy(16, 16))
    assert full.id == spec.id
    twelve, _ = settled(microscopy(12, 12, name="twelve"))
    assert twelve.id != spec.id
    assert type(twelve).from_json(twelve.to_json()) == twelve


def test_a_second_run_opens_no_image(microscopy, monkeypatch):
    folder = microscopy(12, 12, 12)
    images = [image.path for image in read_dataset(folder).images]
    first = find_bit_depth(images, 10**6)
    monkeypatch.setattr(dataset_depth, "read_image", None)
    assert find_bit_depth(images, 10**6) == first
    assert first.bits == 12


def test_a_shard_says_the_same_as_its_folder(microscopy, tmp_path):
    folder = microscopy(12, 12, 12, 12)
    members = [(f"{p.parent.name}/{p.name}", p.read_bytes()) for p in folder.rglob("*.png")]
    spec, _ = settled(tar_of(tmp_path / "scans.tar", members))
    assert spec.bit_depth == 12


def test_damaged_files_have_no_say(microscopy):
    folder = microscopy(12, 12)
    (folder / "a" / "torn.png").write_bytes(grey(9, 16)[:200])
    (folder / "a" / "none.png").write_bytes(b"")
    assert settled(folder)[0].bit_depth == 12


def test_extraction_and_prediction_see_the_same_range(microscopy, headstart, tmp_path):
    folder = microscopy(*[12] * 12)
    status, _, err = headstart("fit", "head", folder, "--out", tmp_path / "m.headstart", "--json")
    assert status == 0, err
    model = tmp_path / "m.headstart"
    status, _, _ = headstart("predict", model, folder, "--json")
    assert status == 0
    status, ledger, _ = headstart("extract", "features", folder, "--json")
    document = json.loads(ledger)
    assert document["spec"]["bit_depth"] == 12
    assert document["extracted"] == 0
