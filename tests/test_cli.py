"""The command line: one line and status 1 for what is expected, one document for --json."""

import json
import subprocess
import sys
import zipfile

import pytest

from headstart.demo import explain_outcome, write_digits
from pictures import paint

TWICE = ("--backbone", "vgg16", "--backbone", "vgg16")


def test_extract_features_prints_its_contract(headstart, photographs):
    status, out, _ = headstart("extract", "features", photographs, "--json")
    document = json.loads(out)
    assert status == 0
    assert set(document) >= {
        *("images", "extracted", "reused", "duplicates", "failed", "dimension"),
        *("seconds", "images_per_second", "milliseconds", "spec", "cache", "version"),
    }
    assert (document["images"], document["extracted"], document["dimension"]) == (30, 30, 12)
    assert set(document["milliseconds"]) == {"read", "decode", "backbone", "commit"}
    assert len(document["spec"]["id"]) == 12


def test_a_portable_table_holds_everything(headstart, photographs, tmp_path):
    import h5py

    headstart("extract", "features", photographs, "--out", tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as table:
        assert set(table) == {"X", "obs", "var", "obsm", "uns"}
        assert table["X"].shape == (30, 12)
        assert table["obs/label/categories"].asstr()[...].tolist() == ["blue", "green", "red"]


def test_failures_are_listed_and_a_limit_makes_them_an_error(headstart, photographs):
    (photographs / "red" / "empty.jpg").write_bytes(b"")
    status, out, _ = headstart("extract", "features", photographs)
    assert status == 0
    assert "empty.jpg: empty file (0 bytes)" in out
    status, out, err = headstart(
        "extract", "features", photographs, "--max-failures", "0", "--json"
    )
    assert status == 1
    assert json.loads(out)["failed"][0]["reason"] == "empty file (0 bytes)"
    assert err.splitlines()[-1].startswith("error: 1 of 31 images failed")


def test_heads_print_their_contract_and_the_best_is_saved(headstart, photographs, tmp_path):
    path = tmp_path / "m.headstart"
    arguments = ("--model", "ridge", "--model", "knn", "--json", "--out", path)
    status, out, _ = headstart("fit", "head", photographs, *arguments)
    assert status == 0
    document = json.loads(out)
    assert {head["model"] for head in document["heads"]} == {"ridge", "knn"}
    assert document["best"] in {"ridge", "knn"}
    for head in document["heads"]:
        assert set(head["evaluation"]) == {
            *("split", "n", "accuracy", "ci95", "macro_f1", "log_loss", "ece"),
        }
        assert set(head["cv"]) >= {"metric", "mean", "std", "folds"}
        assert set(head["seconds"]) == {"features", "fit"}

    (photographs / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    status, out, _ = headstart("predict", path, photographs / "red", "--json", "--top", "2")
    told = json.loads(out)
    assert status == 0
    assert {p["label"] for p in told["predictions"]} == {"red"}
    assert len(told["predictions"][0]["top"]) == 2
    assert [f["path"].rsplit("/", 1)[-1] for f in told["failed"]] == ["torn.jpg"]


def test_a_sample_is_stated_and_the_others_are_not_extracted(headstart, photographs):
    status, out, err = headstart("fit", "head", photographs, "--sample", "24", "--json")
    assert status == 0
    assert json.loads(out)["sample"] == {"images": 24, "of": 30, "seed": 0}
    assert "--sample: 24 of 30 images, each class by its share (seed 0)" in err
    status, out, _ = headstart("extract", "features", photographs, "--json")
    told = json.loads(out)
    assert (told["reused"], told["extracted"]) == (24, 6)


def test_rank_prints_its_contract_and_what_to_do_next(headstart, photographs):
    status, out, _ = headstart("fit", "rank", photographs)
    assert status == 0
    assert out.startswith("nothing that is cached can be ranked on these images")
    assert out.rstrip().endswith(f"next: headstart extract features {photographs}")

    headstart("extract", "features", photographs)
    status, out, _ = headstart("fit", "rank", photographs, "--images", "12", "--json")
    document = json.loads(out)
    assert status == 0
    assert (document["version"], document["images"], document["classes"]) == (2, 12, 3)
    (row,) = document["ranked"]
    assert set(row) >= {
        *("backbone", "layers", "pooling", "views", "options", "cached_in", "dimension", "images"),
        *("share", "accuracy", "ci95", "missing_images", "multiply_adds", "seconds"),
    }
    assert [row["options"] for row in document["not_cached"]] == [["--layer", "auto"]]

    out = headstart("fit", "rank", photographs)[1]
    assert f"training images: 'headstart fit head {photographs}' decides" in out
    assert f"next: headstart extract features {photographs} --layer auto" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("extract", "features", "/nowhere"), "error: no such file or folder: /nowhere"),
        (("predict", "/nowhere.headstart", "x"), "error: no model file /nowhere.headstart"),
        (("fit", "head", "DATA", "--model", "x"), "error: unknown head 'x'; valid: centroid"),
        (("fit", "head", "DATA", "--backbone", "x"), "error: unknown backbone 'x'; valid: mob"),
        (("fit", "head", "DATA", "--resize", "x"), "error: unknown resize rule 'x'; valid: sq"),
        (("fit", "head", "DATA", "--pooling", "x"), "error: unknown pooling 'x'; valid: avg"),
        (("extract", "features", "DATA", "--weights", "/no"), "error: no weights file /no"),
        (("compare", "show", "/nowhere"), "error: no report in /nowhere: 'compare transfer"),
        (
            ("compare", "transfer-vs-finetune", "DATA", *TWICE, "--weights", "x"),
            "error: 1 --weights for 2 --backbone: name one for each",
        ),
    ],
)
def test_expected_errors_are_one_line_and_status_1(headstart, photographs, arguments, line):
    arguments = [photographs if a == "DATA" else a for a in arguments]
    status, out, err = headstart(*arguments)
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith(line)


def test_wrong_usage_is_status_2(headstart, photographs):
    assert headstart("fit", "head", photographs, "--nope")[0] == 2
    assert headstart("extract", "features", photographs, "--batch-size", "0")[0] == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda parts: parts | {"head.skops": b"other"}, "does not match its checksum"),
        (
            lambda parts: (
                parts | {"manifest.json": parts["manifest.json"].replace(b'n": 3', b'n": 9')}
            ),
            "model format 9, newer than this headstart's 3",
        ),
        (lambda parts: {"x": b""}, "is not a headstart model, or damaged"),
    ],
)
def test_a_spoiled_model_is_refused_in_one_line(headstart, photographs, tmp_path, spoil, message):
    path = tmp_path / "m.headstart"
    headstart("fit", "head", photographs, "--model", "ridge", "--out", path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in spoil(parts).items():
            file.writestr(name, data)
    status, _, err = headstart("predict", path, photographs)
    assert status == 1
    assert message in err.splitlines()[-1]


def test_inspect_prints_counts_then_a_table_for_each_finding(headstart, photographs, tmp_path):
    copy = photographs / "green" / "copy.jpg"
    copy.write_bytes((photographs / "red" / "1.jpg").read_bytes())
    status, out, err = headstart("inspect", photographs, "--out", tmp_path / "page", "--top", "2")
    lines = out.splitlines()
    assert status == 0, err
    assert lines[0].startswith("31 images of 3 classes: ")
    assert "exact duplicates: 1 groups, 0 across splits, 1 with different labels" in lines
    (row,) = (line for line in lines if line.startswith("labels differ"))
    assert "green/copy.jpg" in row
    assert "red/1.jpg" in row
    assert "… and 1 more: --top 3 or --json shows all" in lines
    assert lines[-1] == f"page: {tmp_path / 'page' / 'inspect.html'}"


def test_inspect_prints_one_document_with_everything(headstart, photographs):
    status, out, _ = headstart("inspect", photographs, "--json", "--quiet", "--top", "1")
    document = json.loads(out)
    assert status == 0
    assert set(document) == {
        *("version", "dataset", "images", "classes", "duplicates", "near_duplicates"),
        *("label_errors", "outliers", "failed", "remarks"),
    }
    assert [one["name"] for one in document["classes"]] == ["blue", "green", "red"]
    assert all(sum(one["splits"].values()) == 10 for one in document["classes"])


def test_the_demos_data_are_1797_digits_in_ten_folders(tmp_path):
    write_digits(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == list("0123456789")
    assert len(list(tmp_path.rglob("*.png"))) == 1797


def test_the_demo_says_why_its_comparison_ended_as_it_did():
    assert explain_outcome("finetune").startswith("Fine-tuning wins here because ImageNet never")
    assert explain_outcome("untuned") == explain_outcome("tied") != explain_outcome("transfer")


def test_predict_may_abstain_and_says_what_that_meant_on_training_images(
    headstart, photographs, tmp_path
):
    path, stranger = tmp_path / "m.headstart", tmp_path / "new" / "yellow.png"
    status, out, _ = headstart("fit", "head", photographs, "--out", path, "--json")
    curve = json.loads(out)["abstention"]["curve"]
    paint(stranger, (250, 250, 0), seed=0)

    arguments = ("predict", path, stranger, photographs / "red", "--abstain", "0.9")
    status, out, _ = headstart(*arguments, "--json")
    told = json.loads(out)
    by_name = {p["path"].rsplit("/", 1)[-1]: p for p in told["predictions"]}
    assert status == 0
    assert told["abstention"] == next(point for point in curve if point["wished"] == 0.9)
    assert by_name["yellow.png"]["label"] is None
    assert by_name["yellow.png"]["abstained"]
    assert len(by_name["yellow.png"]["top"]) == 3
    labelled = [p for p in told["predictions"] if not p["abstained"]]
    assert {p["label"] for p in labelled} == {"red"}
    assert len(labelled) >= 7

    status, out, _ = headstart(*arguments)
    assert "unsure" in next(line for line in out.splitlines() if "yellow.png" in line)
    unsure = len(by_name) - len(labelled)
    assert f"unsure of {unsure} of 11 images" in out
    assert "out of fold, " in out.splitlines()[-1]

    status, out, _ = headstart("predict", path, stranger, "--json")
    assert json.loads(out)["predictions"][0]["label"] is not None  # nothing was asked: all labelled
    status, _, err = headstart("predict", path, stranger, "--abstain", "95")
    assert status == 1
    assert err.splitlines()[-1].startswith("error: --abstain takes the share of images to label")


def test_a_model_saved_without_out_of_fold_scores_says_that_it_cannot_abstain(
    headstart, photographs, tmp_path
):
    path = tmp_path / "m.headstart"
    headstart("fit", "head", photographs, "--model", "ridge", "--out", path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist() if name != "abstention.npz"}
    manifest = json.loads(parts["manifest.json"])
    del manifest["sha256"]["abstention.npz"]
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (parts | {"manifest.json": json.dumps(manifest)}).items():
            file.writestr(name, data)
    status, _, err = headstart("predict", path, photographs, "--abstain", "0.95")
    assert status == 1
    assert "saved without the out-of-fold scores that --abstain needs" in err.splitlines()[-1]
    assert headstart("predict", path, photographs)[0] == 0


def test_a_learning_curve_prints_its_contract_and_a_sentence(headstart, photographs):
    status, out, _ = headstart("fit", "learning-curve", photographs, "--seeds", "2", "--json")
    told = json.loads(out)
    assert status == 0
    assert set(told) >= {"version", "model", "points", "evaluation", "extrapolation", "conclusion"}
    assert set(told["points"][0]) >= {"images_a_class", "images", "accuracy", "ci95", "seeds"}

    status, out, err = headstart("fit", "learning-curve", photographs, "--seeds", "1")
    assert status == 0
    assert out.splitlines()[0].startswith("images a class")
    assert out.splitlines()[-1] == told["conclusion"]
    assert "warning: 3 of 3 classes have fewer than 20 training images" in err
    status, _, err = headstart("fit", "learning-curve", photographs, "--model", "all")
    assert status == 1
    assert err.splitlines()[-1].startswith("error: unknown head 'all'")
    assert headstart("fit", "learning-curve", photographs, "--seeds", "0")[0] == 2


def test_help_loads_nothing_that_it_does_not_need():
    script = (
        "import runpy, sys\n"
        "sys.argv = ['headstart', '--help']\n"
        "try:\n"
        "    runpy.run_module('headstart', run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'numpy', 'h5py', 'sklearn', 'tensorflow', 'matplotlib', 'onnxruntime', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Turn a folder of photographs into a classifier" in done.stdout
    assert done.stderr.strip() == "[]"
