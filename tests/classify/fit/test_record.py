"""What a saved classifier remembers of its data and evaluation."""

import json

import pytest
from sklearn.metrics import recall_score

from pictures import paint


@pytest.fixture
def fitted(headstart, photographs, tmp_path):
    def fit(*arguments):
        status, out, err = headstart("fit", "head", photographs, "--json", *arguments)
        assert status == 0, err
        return json.loads(out)

    return fit


def test_an_account_is_given_of_what_is_saved_alone(fitted, tmp_path):
    assert fitted("--model", "ridge")["account"] is None
    heads = fitted("--model", "ridge", "--model", "knn", "--out", tmp_path / "m.headstart")
    accounts = {head["model"]: head["account"] for head in heads["heads"]}
    assert [name for name, one in accounts.items() if one] == [heads["best"]]


def test_images_are_counted_by_what_became_of_them(fitted, photographs, tmp_path):
    (photographs / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    copy = photographs / "red" / "copy.jpg"
    copy.write_bytes((photographs / "red" / "1.jpg").read_bytes())
    record = fitted("--out", tmp_path / "m.headstart")
    data = record["account"]["data"]
    assert (data["images"], data["failed"], data["copies"]) == (32, 1, 1)
    assert data["training"] + data["evaluation"] + data["left_out"] == 31
    assert data["name"] == "photographs"
    assert data["evaluation"] == record["evaluation"]["n"]
    rows = record["account"]["per_class"]
    assert sum(row["training"] for row in rows) == data["training"]
    assert sum(row["images"] for row in rows) == data["evaluation"]


def test_figures_agree_with_the_evaluation_and_with_each_other(headstart, tmp_path):
    root = tmp_path / "alike"  # two classes of one colour: some labels must be wrong
    for c, name in enumerate(("one", "other", "third")):
        for number in range(16):
            paint(root / name / f"{number}.png", (90 + c // 2 * 90, 90, 90), 100 * c + number)
    out = headstart("fit", "head", root, "--json", "--out", tmp_path / "m.headstart")[1]
    record = json.loads(out)
    account, evaluation = record["account"], record["evaluation"]
    for name in ("accuracy", "macro_f1", "log_loss", "ece"):
        assert account["figures"][name]["value"] == pytest.approx(evaluation[name])
    assert account["figures"]["accuracy"]["ci95"] == evaluation["ci95"]
    wrong = sum(row["images"] for row in account["confused"])
    assert wrong > 0
    assert wrong == evaluation["n"] - sum(row["right"] for row in account["per_class"])
    truth = [row["label"] for row in account["per_class"] for _ in range(row["images"])]
    told = []
    for row in account["per_class"]:
        mistakes = [p for p in account["confused"] if p["true"] == row["label"]]
        told += [row["label"]] * row["right"]
        told += [p["predicted"] for p in mistakes for _ in range(p["images"])]
    recalls = recall_score(truth, told, average=None)
    assert [row["recall"] for row in account["per_class"]] == pytest.approx(recalls.tolist())
