"""The page in a real browser: by keyboard through a reload and a kill, in two tabs, by thumb."""

import csv
import re
import signal

import pytest

pytest.importorskip("fastapi", reason="the page: headstart[serve] is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browsing import patient_context
from pictures import COLOURS, paint
from serving import started

EACH = 24
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
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


def expect_labelled(page, count):
    expect(page.locator("#progress")).to_have_text(re.compile(rf"^{count} of "))


def name_class(page, name):
    page.keyboard.press("+")
    page.keyboard.type(name)
    page.keyboard.press("Enter")


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
            name_class(page, truth)
        given[name] = truth
        expect_labelled(page, len(given))
        expect(selected(page).locator(".name")).not_to_have_text(name)


@pytest.mark.slow  # a minute
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
        expect_labelled(page, 59)
        last, truth = list(given.items())[-1]
        expect(selected(page).locator(".name")).to_have_text(last)
        del given[last]
        label_by_keys(page, 60, given)
        assert given[last] == truth
        page.context.close()
        server.process.send_signal(signal.SIGTERM)
        status, line = server.ending()
        assert (status, line.partition(";")[0]) == (143, "error: stopped")
    assert written(tmp_path) == given
    assert complaints == []


def test_two_tabs_a_doubted_label_a_merge_and_the_model(browser, labelling, tmp_path):
    complaints, given = [], {}
    with labelling() as server:
        page, other = (open_page(browser, server.url, complaints) for _ in range(2))
        wrong = selected(other).locator(".name").inner_text()
        truth = wrong.partition("-")[0]
        lie = next(name for name in COLOURS if name != truth)
        label_by_keys(page, 24, given)
        name_class(other, lie)  # of what the first tab has labelled meanwhile
        expect_labelled(other, 24)
        assert written(tmp_path) == {**given, wrong: lie}
        page.get_by_role("button", name="Doubted labels").click()
        first = page.get_by_role("option").first
        expect(first).to_contain_text(wrong)
        expect(first.locator("b")).to_contain_text(f"{lie}; rather {truth}?")
        page.keyboard.press("Enter")
        expect(page.locator("#empty")).to_be_visible()
        assert written(tmp_path) == given
        page.get_by_text("Classes", exact=True).click()
        page.get_by_role("button", name="Rename or merge red").click()
        page.get_by_role("combobox").fill("green")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Show red")).to_have_count(0)
        assert set(written(tmp_path).values()) == {"blue", "green"}
        page.keyboard.press("!")
        expect(page.locator("#fitted")).to_contain_text("Saved")
        assert (tmp_path / "m.headstart").exists()
    assert complaints == []


def test_what_is_scrolled_past_is_no_tile_and_is_labelled_with_its_range(
    browser, labelling, tmp_path
):
    complaints, all_of_them = [], len(COLOURS) * EACH + 1
    with labelling() as server:
        page = open_page(browser, server.url, complaints, **PHONE)
        page.get_by_role("button", name="All photographs").tap()
        expect(page.locator("[aria-setsize='73']").first).to_be_visible()
        page.keyboard.press("End")
        expect(selected(page)).to_have_attribute("aria-posinset", str(all_of_them))
        expect(selected(page)).to_be_in_viewport()
        tiles = page.get_by_role("option").count()
        assert tiles < all_of_them / 2
        page.keyboard.press("Shift+Home")
        expect(page.locator("[aria-posinset='1']")).to_be_in_viewport()
        name_class(page, "mine")
        expect_labelled(page, all_of_them)
        assert list(written(tmp_path).values()) == ["mine"] * all_of_them
        page.keyboard.press("Backspace")
        expect_labelled(page, 0)
        expect(selected(page)).to_have_text(re.compile("no guess yet"))
    assert written(tmp_path) == {}
    assert complaints == []


@pytest.mark.slow  # a thousand photographs go through the network
def test_the_last_of_many_is_reached_few_are_held_and_a_long_range_is_labelled(
    browser, tmp_path, tmp_path_factory
):
    """Three requests' worth: what is listed comes in parts of 500, and so do labels."""
    root = tmp_path / "many"
    for number in range(1_100):
        paint(root / f"red-{number:04}.png", COLOURS["red"], seed=number, size=(8, 8))
    complaints, held = [], []
    files = ("--out", str(tmp_path / "labels.csv"), "--port", "0")
    cache = tmp_path_factory.getbasetemp() / "label-cache"
    with started("label", str(root), *files, cache=cache) as server:
        page = open_page(browser, server.url, complaints, viewport={"width": 1280, "height": 800})
        page.get_by_role("button", name="All photographs").click()
        expect(page.locator("[aria-setsize='-1']").first).to_be_visible()
        last = page.locator("[aria-posinset='1100']")
        for _ in range(400):
            if last.count():
                break
            page.evaluate("scrollBy(0, 1200)")
            page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            held.append(page.get_by_role("option").count())
        expect(last).to_have_attribute("aria-setsize", "1100")
        assert max(held) < 150
        page.keyboard.press("End")
        page.keyboard.press("Shift+Home")
        name_class(page, "red")
        expect_labelled(page, "1,100")
    assert not complaints
    assert len(written(tmp_path)) == 1_100
    assert set(written(tmp_path).values()) == {"red"}


def test_a_thumb_can_use_it_and_axe_finds_nothing_serious(browser, labelling, tmp_path):
    complaints, serious = [], []
    with labelling() as server:
        for number, scheme in enumerate(("light", "dark"), 1):
            page = open_page(
                browser, server.url, complaints, color_scheme=scheme, bypass_csp=True, **PHONE
            )
            page.wait_for_function("document.querySelector('#grid img').naturalWidth > 0")
            page.get_by_role("option").nth(1).tap()
            page.get_by_role("button", name="Class …").tap()
            page.get_by_role("combobox").fill("mine")
            page.get_by_role("button", name="Give", exact=True).tap()
            expect_labelled(page, number)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            heights = page.locator("button:visible").evaluate_all(
                "all => all.map(b => b.offsetHeight)"
            )
            assert min(heights) >= 44
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            serious += [
                (scheme, found["id"], [node["html"][:200] for node in found["nodes"][:3]])
                for found in Axe().run(page).response["violations"]
                if found["impact"] in ("serious", "critical")
            ]
            page.context.close()
    assert set(written(tmp_path).values()) == {"mine"}
    assert serious == []
    assert complaints == []
