"""Photographs fall into the groups that they look like; outliers and copies are told apart."""

import json
import shutil

import numpy as np
import pytest

from headstart import cli
from headstart.classify.data.collection import Collection, load_collection
from headstart.classify.group.clusters import OUTLIER, find_clusters, numbers
from headstart.classify.group.group import agree, group, link_groups
from headstart.classify.group.page import sheets, write_sheets
from headstart.errors import DataError
from headstart.extract.images.dataset import read_photographs
from headstart.extract.images.images import Image
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import HOSTILE, paint


@pytest.fixture
def grouped(fake_engine, tmp_path):
    """Group a folder with the fake engine."""

    def go(root):
        source = feature_source(execution=Execution(cache=tmp_path / "cache"))
        return group(load_collection(read_photographs(root), source))

    return go


@pytest.fixture
def flat(photographs, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for file in sorted(photographs.glob("*/*")):
        shutil.copy(file, folder / f"{file.parent.name}-{file.name}")
    return folder


def colours(grouping, number):
    rows = grouping.members(number)
    return {grouping.collection.images[row].path.name.partition("-")[0] for row in rows}


def synthetic(sizes, spread=0.05, far=0):
    """Points around corners, and some far from all, as a collection."""
    random = np.random.default_rng(0)
    middles = np.repeat(np.eye(len(sizes), 24), sizes, axis=0)
    strays = np.abs(random.normal(size=(far, 24))) * np.eye(24)[-far:][:, ::1] if far else None
    rows = middles + random.normal(0, spread, middles.shape)
    rows = rows if strays is None else np.concatenate([rows, strays])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    images = [Image(f"{n}.jpg", "") for n in range(len(rows))]
    digests = [bytes([n // 256, n % 256]) * 16 for n in range(len(rows))]
    return Collection("x", images, rows, rows, None, digests, [], [])


def test_the_number_of_groups_is_found():
    clusters = find_clusters(synthetic([40, 30, 20, 15]))
    assert len(clusters.medoids) == 4
    assert np.bincount(clusters.group).tolist() == [40, 30, 20, 15]  # the largest first


def test_what_is_far_from_all_is_in_no_group():
    clusters = find_clusters(synthetic([40, 40, 40], far=3))
    assert np.flatnonzero(clusters.group == OUTLIER).tolist()[-3:] == [120, 121, 122]


def test_three_colours_are_three_groups_that_agree_with_their_labels(grouped, photographs):
    grouping = grouped(photographs)
    assert [len(colour) for colour in map(grouping.members, range(3))] == [10, 10, 10]
    assert grouping.labels["found"] == {"groups": 3, "adjusted_rand": 1.0, "purity": 1.0}
    assert grouping.labels["k_means"]["adjusted_rand"] == 1.0


def test_without_labels_groups_are_the_same_and_nothing_is_said_of_agreement(grouped, flat):
    grouping = grouped(flat)
    assert [colours(grouping, number) for number in range(3)] != []
    assert all(len(colours(grouping, number)) == 1 for number in range(3))
    assert grouping.labels is None


def test_copies_share_a_group_and_are_folded(grouped, flat):
    shutil.copy(flat / "red-1.jpg", flat / "copy.jpg")
    grouping = grouped(flat)
    (rows,) = (
        r
        for r in grouping.copies
        if any(grouping.collection.images[row].path.name == "copy.jpg" for row in r)
    )
    assert len({int(grouping.clusters.group[row]) for row in rows}) == 1
    number = int(grouping.clusters.group[rows[0]])
    folded = grouping.folded(number)
    assert sum(copies + 1 for _, copies in folded) == len(grouping.members(number))
    assert max(copies for _, copies in folded) >= 1


def test_the_document_holds_every_photograph_once(grouped, flat):
    document = grouped(flat).to_dict()
    assert json.loads(json.dumps(document)) == document
    paths = [path for own in document["groups"] for path in own["paths"]] + document["outliers"]
    assert len(paths) == len(set(paths)) == document["images"] == 30
    assert all(own["medoid"] in own["paths"] for own in document["groups"])


def test_links_are_a_start_to_sort_from(grouped, flat, tmp_path):
    grouping = grouped(flat)
    said = link_groups(grouping, tmp_path / "out")
    assert "group-01 10" in said
    links = list((tmp_path / "out").glob("group-01/*"))
    assert len(links) == 10
    assert all(link.is_symlink() and link.exists() for link in links)
    assert link_groups(grouping, tmp_path / "out") == said  # again changes nothing


def test_contact_sheets_show_each_group_and_a_name_is_text(grouped, flat, tmp_path):
    paint(flat / (HOSTILE[1].replace("/", "_") + ".png"), (200, 50, 40), seed=1)
    grouping = grouped(flat)
    page = write_sheets(grouping, tmp_path / "out").read_text()
    shown = sum(len(sheet.photographs) for sheet in sheets(grouping))
    assert page.count("data:image/jpeg") == shown
    assert "<img src=x" not in page


def test_one_photograph_makes_no_groups(grouped, tmp_path):
    paint(tmp_path / "one" / "1.png", (1, 2, 3), seed=0)
    with pytest.raises(DataError, match="1 distinct photographs to group"):
        grouped(tmp_path / "one")


def test_two_photographs_are_grouped(grouped, tmp_path):
    for number in range(2):
        paint(tmp_path / "two" / f"{number}.png", (90 * number, 2, 3), seed=number)
    assert len(grouped(tmp_path / "two").clusters.medoids) == 1


def test_numbers_of_groups_grow_and_end():
    assert numbers(2) == []
    assert numbers(8) == [2]
    assert max(numbers(10**6)) <= 100


def test_agreement_by_chance_is_about_none():
    random = np.random.default_rng(0)
    agreement = agree(random.integers(0, 4, 2000), random.integers(0, 4, 2000))
    assert abs(agreement["adjusted_rand"]) < 0.01


def test_the_command_says_how_groups_agree(fake_engine, photographs, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["headstart", "group", str(photographs)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert "groups (3): adjusted Rand index 1.000, purity 1.000" in capsys.readouterr().out
