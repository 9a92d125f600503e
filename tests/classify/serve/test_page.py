"""The service's pages in a real browser: a photograph in, its label out; quiet, self-contained."""

import base64

import pytest

pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browsing import patient_context
from headstart.extract.images.folder import plain_files
from serving import LARGEST

EXPECTED = "responded with a status of 422"  # Chromium's own note of a refused upload


@pytest.fixture
def address(served):
    return served.url


@pytest.fixture
def photographs(trained):
    """The first is blue, the last is red."""
    return plain_files(trained()[1])


@pytest.fixture
def opened(browser, address):
    """Open a page; what it says on the console or asks of others is kept, and none is allowed."""
    contexts, complaints = [], []

    def at(path="", width=1200, scheme="light"):
        context = patient_context(
            browser, viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda message: None if EXPECTED in message.text else complaints.append(message.text),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:", f"blob:{address}"))
                else complaints.append(request.url)
            ),
        )
        page.goto(address + path)
        return page

    yield at
    for context in contexts:
        context.close()
    assert complaints == []


def entry(page, name):
    return page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))


def test_a_chosen_photograph_gets_its_label_its_picture_and_its_bars(opened, photographs):
    page = opened()
    page.get_by_label("Drop photographs here").set_input_files([photographs[0], photographs[-1]])
    expect(page.get_by_role("status")).to_have_text("2 of 2 photographs done")
    last = entry(page, photographs[-1].name)
    expect(last.get_by_role("heading")).to_have_text("red")
    picture = last.get_by_role("img", name=f"Photograph {photographs[-1].name}")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 64
    bars = last.get_by_role("list", name="Most probable classes").get_by_role("listitem")
    expect(bars).to_have_count(3)
    expect(bars.first).to_contain_text("red")
    for bar in bars.all():
        share = float(bar.locator(".share").inner_text().removesuffix(" %")) / 100
        filled = bar.locator(".bar span").bounding_box()["width"]
        assert filled == pytest.approx(share * bar.locator(".bar").bounding_box()["width"], abs=1)


def test_a_dropped_photograph_gets_its_label(opened, photographs):
    page = opened()
    page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const dropped = new DataTransfer();
            dropped.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
        }""",
        base64.b64encode(photographs[0].read_bytes()).decode(),
    )
    expect(entry(page, "dropped.png").get_by_role("heading")).to_have_text("blue")


def test_by_keyboard_the_file_dialogue_opens(opened):
    page = opened()
    page.keyboard.press("Tab")  # the link to the documentation
    page.keyboard.press("Tab")
    expect(page.get_by_label("Drop photographs here")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    assert chooser.value.is_multiple()


def test_what_cannot_be_labelled_is_told_in_words_and_a_name_is_text(opened, tmp_path):
    hostile = tmp_path / "<img src=x onerror=alert(1)>.png"
    hostile.write_bytes(b"no image")
    large = tmp_path / "large.png"
    large.write_bytes(bytes(LARGEST + 1))
    page = opened()
    page.get_by_label("Drop photographs here").set_input_files([hostile, large])
    expect(page.get_by_role("status")).to_have_text("2 of 2 photographs done")
    expect(entry(page, hostile.name)).to_contain_text("not an image (begins with 'no image')")
    expect(entry(page, large.name)).to_contain_text("It has 200,001 bytes, the limit is 200,000.")
    assert page.locator("#results img").count() == 0


def test_long_names_break_between_their_words(opened, photographs, tmp_path):
    long = tmp_path / "a-photograph_of_the-black_headed-night_monkey.holiday.png"
    long.write_bytes(photographs[0].read_bytes())
    page = opened(width=390)
    page.get_by_label("Drop photographs here").set_input_files(long)
    expect(page.get_by_role("status")).to_have_text("1 of 1 photographs done")
    name = entry(page, long.name).locator(".file")
    expect(name).to_have_text(long.name)
    assert name.locator("wbr").count() == 9


def test_without_script_the_form_still_works(browser, address, photographs):
    context = patient_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Drop photographs here").set_input_files(photographs[0])
    page.get_by_role("button", name="Label them").click()
    page.wait_for_url("**/predict")
    assert '"label":"blue"' in page.content()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("path", ["", "docs"])
def test_nothing_is_wider_than_the_screen(opened, photographs, path, width, scheme):
    page = opened(path, width, scheme)
    if not path:
        page.get_by_label("Drop photographs here").set_input_files(photographs[0])
        expect(page.get_by_role("status")).to_have_text("1 of 1 photographs done")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "docs"])
def test_axe_finds_nothing_serious(browser, address, photographs, path, scheme):
    # A context of its own that lets axe in; the page's own policy would not.
    context = patient_context(browser, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(address + path)
    if not path:
        page.get_by_label("Drop photographs here").set_input_files(photographs[0])
        expect(page.get_by_role("status")).to_have_text("1 of 1 photographs done")
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []
