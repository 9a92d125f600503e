"""The page in a real browser: quiet, self-contained, reachable by keyboard, readable on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browsing import patient_context
from headstart.classify.compare.report.write import write_report


@pytest.fixture(scope="module")
def address(comparison, tmp_path_factory):
    return write_report(comparison, tmp_path_factory.mktemp("report"))[0].as_uri()


@pytest.fixture
def opened(browser, address):
    """Open the page; whatever it says on the console or asks for is kept, and none is allowed."""
    contexts, complaints = [], []

    def at(width=1200, scheme="light"):
        context = patient_context(
            browser, viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url)
                if request.url != address and not request.url.startswith("data:")
                else None
            ),
        )
        page.goto(address)
        return page

    yield at
    for context in contexts:
        context.close()
    assert complaints == []


def test_hostile_names_run_nothing(opened):
    page = opened()
    assert page.title().startswith("Transfer or fine-tuning?")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(opened, width, scheme):
    page = opened(width, scheme)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_is_dark(opened):
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened(scheme="light").evaluate(background) == "rgb(255, 255, 255)"
    assert opened(scheme="dark").evaluate(background) == "rgb(20, 23, 27)"


def test_a_confusion_cell_shows_its_photographs(opened):
    page = opened()
    cell = page.locator(".wrong button").first
    count = int(cell.inner_text())
    cell.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("img")).to_have_count(count)
    shown = dialog.get_by_role("img").first
    assert "url(" in shown.evaluate("element => getComputedStyle(element).backgroundImage")
    assert shown.bounding_box()["width"] > 50
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_confusion_cell_opens_by_keyboard(opened):
    page = opened()
    page.locator(".right button").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_map_shows_a_photograph_by_pointer_and_by_keyboard(opened, comparison):
    page = opened()
    panel = page.locator("#map-photo")
    page.locator("#map-points use").nth(3).hover(force=True)
    expect(panel.get_by_role("img")).to_be_visible()
    page.locator("#map-view").focus()
    before = panel.inner_text()
    page.keyboard.press("ArrowRight")
    assert panel.inner_text() != before
    assert page.locator("#map-points use.current").count() == 1


def test_everything_is_there_without_script(browser, address):
    context = patient_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".verdict")).to_be_visible()
    assert page.locator("#mistakes ~ .photos .pic").first.is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, address, scheme):
    # A context of its own that lets axe in; the page's own policy would not.
    context = patient_context(browser, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(address)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_print_opens_what_is_folded(opened):
    page = opened()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
