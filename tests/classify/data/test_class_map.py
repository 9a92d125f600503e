"""Class names of a dataset → class names of a model, and what is refused in words."""

import json
from pathlib import Path

import pytest

from headstart.classify.data.class_map import map_classes, read_class_map
from headstart.errors import DataError, OptionError
from headstart.extract.images.images import Image

KNOWN = ["blue", "green", "red"]


def images(*labels):
    return [Image(Path(f"{at}.jpg"), label) for at, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "from,to\nrot,red\n\ngrau,\n"),
        ("m.json", json.dumps({"rot": "red", "grau": ""})),
        ("m.json", json.dumps({"rot": "red", "grau": None})),
        ("from=to.csv", "\ufefffrom,to\r\nrot,red\r\ngrau,\r\n"),
    ],
)
def test_a_file_and_pairs_say_the_same(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert read_class_map([str(path)]) == read_class_map(["rot=red", "grau="])


def test_files_and_pairs_add_up(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text('from,to\n"a,b",red\n')
    assert read_class_map([str(path), "c=red=hot"]) == {"a,b": "red", "c": "red=hot"}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["rot"], OptionError, "takes a file .* or from=to, got 'rot'"),
        (["=red"], OptionError, "got '=red'"),
        (["rot=red", "rot=blue"], OptionError, "gives 'rot' two names: 'red' and 'blue'"),
    ],
)
def test_what_is_no_map_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        read_class_map(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rot,red\n", "expected the two columns from,to, got rot,red"),
        ("from,to\nrot\n", "expected the two columns from,to"),
        ("", "is not CSV with rows"),
        ("{", "is not JSON"),
        ('{"rot": 1}', "expected an object of names to names"),
        (b"\xff\xfe\xff", "cannot read the class map"),
    ],
)
def test_a_file_that_is_no_map_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "m"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_class_map([str(path)])
    assert "\n" not in str(caught.value)


def test_images_get_the_models_names_and_the_others_are_counted():
    mapped = map_classes(
        images("rot", "blue", "grau", "grau"), KNOWN, {"rot": "red", "grau": "", "lila": "red"}, "D"
    )
    assert [image.label for image in mapped.images] == ["red", "blue"]
    assert mapped.left_out == {"grau": 2}
    assert mapped.warnings == [
        "--class-map names classes that D does not have: lila",
        "2 images of classes mapped to nothing are left out: grau",
    ]


def test_names_that_are_known_may_be_mapped_too():
    mapped = map_classes(images("red", "blue"), KNOWN, {"red": "blue", "blue": "red"}, "D")
    assert [image.label for image in mapped.images] == ["blue", "red"]


def test_classes_that_the_model_does_not_know_are_refused_with_the_remedy():
    with pytest.raises(DataError) as caught:
        map_classes(images("gren", "red", "gren", "lila"), KNOWN, {}, "D")
    assert str(caught.value) == (
        "D has classes that the model does not know (and images of them): gren (2), lila (1); it "
        "knows blue, green, red; map each with --class-map 'gren=green', or leave it out with "
        "--class-map 'gren='"
    )


def test_a_map_to_no_class_of_the_model_is_refused():
    with pytest.raises(
        OptionError, match="unknown class of the model 'gren'; did you mean 'green'"
    ):
        map_classes(images("rot"), KNOWN, {"rot": "gren"}, "D")


def test_a_map_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match="leaves all 2 images of D out"):
        map_classes(images("red", "red"), KNOWN, {"red": ""}, "D")
