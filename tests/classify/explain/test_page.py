"""The page of explanations: names are text, nothing is fetched, readable on a phone."""

import html
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browsing import patient_context
from headstart.classify.explain.explanation import Explanation, Explanations
from headstart.classify.explain.heat import Map
from headstart.classify.explain.method import MethodChoice
from headstart.classify.explain.neighbours import Neighbour
from headstart.classify.explain.page import write_page
from headstart.classify.explain.picture import SIDE, VEIL, legend, overlay
from headstart.classify.pages.thumbnails import open_upright
from headstart.errors import DataError, DecodeError
from headstart.extract.decode.decode import MAX_PIXELS
from headstart.extract.decode.frame import find_frame
from headstart.extract.ledger import Failure
from pictures import HOSTILE, paint


def explanation(path, size, values, resize="crop", neighbours=()):
    frame = find_frame("original", size, (224, 224), resize, b"")
    top = [(name, 0.5 / (at + 1)) for at, name in enumerate(HOSTILE)]
    return Explanation(path, top, HOSTILE[0], [Map(values, frame)], size, list(neighbours), 0.1)


@pytest.fixture
def told(tmp_path):
    """Two images of different proportions with hostile names; one neighbour is gone."""
    images = [tmp_path / f"\"'><b onload=alert(1)> {n}.png" for n in range(2)]
    sizes = [(400, 300), (200, 400)]
    for path, size in zip(images, sizes, strict=True):
        paint(path, (90, 140, 60), 1, size[::-1])
    near = [
        Neighbour(images[1], HOSTILE[1], 0.9),
        Neighbour(tmp_path / "gone.png", HOSTILE[0], 0.8),
    ]
    values = np.array([[0.0, 3.0], [-1.0, 1.0]])
    explained = [
        explanation(path, size, values, neighbours=near)
        for path, size in zip(images, sizes, strict=True)
    ]
    failures = [Failure(Path(HOSTILE[1].replace("/", "")), "not an image")]
    return Explanations(
        MethodChoice("cam", "it is <exact>"), explained, failures, ["no <b>remark</b>"]
    )


@pytest.fixture
def written(told, tmp_path):
    return write_page(
        told, Path(f"{HOSTILE[0].replace('/', '')}.headstart"), tmp_path / "why", MAX_PIXELS
    )


def test_names_are_text_and_every_picture_has_words(written):
    page = written.page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|b onload)", page)
    assert html.escape(HOSTILE[1], quote=False).split("&lt;")[1] in page
    assert "no &lt;b&gt;remark" in page
    pictures = re.findall(r"<img[^>]*>", page)
    assert len(pictures) == 8  # photograph, overlay, legend, the one neighbour that is there
    for picture in pictures:
        assert re.search(r'src="data:image/jpeg;base64,', picture)
        assert re.search(r'alt="[^"]{5,}"', picture)
    assert page.count("no longer readable") == 2
    assert page.count("(another class)") == 2


def test_each_image_gets_a_picture_in_its_own_proportions_with_a_legend(written):
    assert [path.name for path in written.pictures] == [
        "01-b-onload-alert-1-0.png",
        "02-b-onload-alert-1-1.png",
    ]
    for path, size in zip(written.pictures, [(400, 300), (200, 400)], strict=True):
        with Image.open(path) as picture:
            assert picture.size == (size[0], size[1] + 28)


def test_the_overlay_is_brightest_where_the_evidence_is_and_veiled_where_nothing_was_seen(
    tmp_path,
):
    path = tmp_path / "wide.png"
    Image.new("RGB", (400, 200), (100, 100, 100)).save(path)
    values = np.zeros((4, 4))
    values[1, 3] = 5.0
    one = explanation(path, (400, 200), values)
    drawn = np.asarray(overlay(one, open_upright(path, SIDE))).astype(int)
    assert (drawn[:, :99] == round((1 - VEIL) * 100 + VEIL * 255)).all()
    colourful = np.ptp(drawn, axis=2)[:, 101:299]
    row, column = np.unravel_index(colourful.argmax(), colourful.shape)
    assert 50 <= row < 100
    assert column >= 140
    assert (drawn[150:, 101:200] == 100).all()  # nothing speaks for the class there


def test_equal_steps_of_evidence_grow_lighter_in_the_legend():
    grey = np.asarray(legend(200, ground=0).convert("L"))[0].astype(int)
    assert (np.diff(grey) >= -1).all()
    assert grey[-1] - grey[0] > 150


def test_a_folder_that_cannot_be_written_and_an_image_that_has_gone_are_told(told, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot write to"):
        write_page(told, Path("m"), tmp_path / "file", MAX_PIXELS)
    told.images[0].path.unlink()
    with pytest.raises(DecodeError, match=r"cannot read: No such file"):
        write_page(told, Path("m"), tmp_path / "why", MAX_PIXELS)


def test_in_a_browser_it_fetches_nothing_and_fits_a_phone(written, browser):
    from axe_playwright_python.sync_playwright import Axe

    complaints = []
    for width in (390, 1200):
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url[:100]))
        page.goto(written.page.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        assert len(sizes) == 8
        assert min(sizes) > 0
    page = patient_context(browser, bypass_csp=True).new_page()
    page.goto(written.page.as_uri())
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    outside = [line for line in complaints if not line.startswith(("data:", "file:"))]
    assert outside == []
