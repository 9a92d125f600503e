"""The page in a real browser: sixty labels by keyboard, through a reload and a kill; on a phone."""

import csv
import re

import pytest

pytest.importorskip("fastapi", reason="the page: headstart[serve] is not installed")

from playwright.sync_api import expect

from browsing import patient_context
from pictures import COLOURS, paint
from serving import started

EACH = 24
KILLED = "ERR_CONNECTION_REFUSED"  # Chromium's own note of a server that is gone


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Flat: 24 pictures of each colour, and one whose name is markup."""
    root = tmp_path_factory.mktemp("photographs")
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(EACH):
            paint(root / f"{name}-{number}.png", colour, seed=100 * c + number)
    paint(root / "red-<img src=x onerror=alert(1)>.png", COLOURS["red"], seed=999)
    return root


@pytest.fixture
def labelling(folder, tmp_path, tmp_path_factory):
    """Start ``headstart label`` on the folder; ``label(port)`` to start it again."""
    cache = tmp_path_factory.getbasetemp() / "label-cache"

    def start(port=0):
        files = ("--out", str(tmp_path / "labels.csv"), "--model", str(tmp_path / "m.headstart"))
        return started("label", str(folder), "--port", str(port), *files, cache=cache)

    return start


def written(tmp_path):
    with open(tmp_path / "labels.csv", encoding="utf-8", newline="") as file:
        return {row["path"].rpartition("/")[2]: row["label"] for row in csv.DictReader(file)}


def open_page(browser, url, complaints, **options):
    context = patient_context(browser, **options)
    page = context.new_page()
    page.on(
        "console",
        lambda message: None if KILLED in message.text else complaints.append(message.text),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    expect(page.get_by_role("option").first).to_be_visible()
    return page


def selected(page):
    return page.get_by_role("option", selected=True)


def labelled(page):
    text = page.locator("#progress").inner_text()
    found = re.match(r"([\d,]+) of", text)
    return int(found[1]) if found else 0


def label_by_keys(page, until, given):
    """Label what is selected by its name: Enter where the guess is right, else a key, else +."""
    while len(given) < until:
        item = selected(page)
        name = item.locator(".name").inner_text()
        truth = name.partition("-")[0]
        choices = page.locator("#choices button").all_inner_texts()
        keys = {text.split()[0]: text.split()[-1] for text in choices}
        if item.locator("b").inner_text().startswith(f"{truth}?"):
            page.keyboard.press("Enter")
        elif truth in keys:
            page.keyboard.press(keys[truth])
        else:
            page.keyboard.press("+")
            page.keyboard.type(truth)
            page.keyboard.press("Enter")
        given[name] = truth
        expect(page.locator("#progress")).to_have_text(re.compile(rf"^{len(given)} of "))
        expect(selected(page).locator(".name")).not_to_have_text(name)


def test_sixty_photographs_by_keyboard_through_a_reload_and_a_kill(browser, labelling, tmp_path):
    complaints, given = [], {}
    with labelling() as server:
        page = open_page(browser, server.url, complaints)
        port = server.address[1]
        label_by_keys(page, 14, given)
        page.reload()
        expect(selected(page)).to_have_count(1)
        label_by_keys(page, 30, given)
        server.process.kill()
        server.process.wait()
    assert written(tmp_path) == given
    with labelling(port) as server:
        page.goto(server.url)
        expect(selected(page)).to_have_count(1)
        label_by_keys(page, 60, given)
        page.keyboard.press("Backspace")
        expect(page.locator("#progress")).to_have_text(re.compile("^59 of "))
        last, truth = list(given.items())[-1]
        expect(selected(page).locator(".name")).to_have_text(last)
        del given[last]
        label_by_keys(page, 60, given)
        assert given[last] == truth
        page.context.close()
    assert written(tmp_path) == given
    assert complaints == []
