"""The built site as a reader's browser shows it: on a desk, on a phone, in the dark, without scripts, on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("site")]

CONCEPTS = ["layers/affine/", "layers/relu/", "layers/batchnorm/", "layers/dropout/", "losses/softmax/"]
TEXTS = [
    "",
    "foundations/how-to-read/",
    "foundations/chain-rule/",
    "notation/",
    "trust/",
    "errata/",
    "reference/layers/",
]
#: axe takes minutes for the longest of the reference pages, and they are all made alike.
SHORT_TEXTS = ["reference/optim/" if path == "reference/layers/" else path for path in TEXTS]
SCREENS = {"desk": (1280, 900, "light"), "phone": (390, 844, "light"), "dark": (1280, 900, "dark")}

#: Chromium run by root in a container, without its own errands on the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """An open page and what the browser complained about."""

    page: object
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser(chromium_path) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def visit(path: str, screen: str = "desk", **options) -> Visit:
        width, height, scheme = SCREENS[screen]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        seen = Visit(context.new_page())
        seen.page.on("console", lambda m: seen.errors.append(m.text) if m.type in ("error", "warning") else None)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on("request", lambda r: None if r.url.startswith((address, "data:")) else seen.foreign.append(r.url))
        seen.page.goto(f"{address}{path}")
        seen.page.evaluate("document.fonts.ready")
        return seen

    yield visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_no_error_no_foreign_request_no_sideways_scroll(visit, address, screen):
    seen = visit("", screen)
    sideways = []
    for path in [*CONCEPTS, *TEXTS]:
        seen.page.goto(f"{address}{path}")
        if seen.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            sideways.append(path)
    assert seen.errors == []
    assert seen.foreign == []
    assert sideways == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("screen", "paths"), [("desk", CONCEPTS), ("phone", CONCEPTS), ("dark", [*CONCEPTS, *SHORT_TEXTS])], ids=SCREENS
)
def test_axe_finds_nothing(visit, address, screen, paths):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("", screen).page
    found = []
    for path in paths:
        page.goto(f"{address}{path}")
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        page.wait_for_timeout(100)  # Material and our script have put their names on what they add
        for rule in Axe().run(page).response["violations"]:
            found += [(path, rule["id"], node["html"][:200]) for node in rule["nodes"]]
    assert found == []


def test_formulas_are_set_in_our_font(visit):
    page = visit("layers/batchnorm/").page
    assert page.evaluate("document.fonts.check('16px \"Handbook Math\"')")
    assert page.evaluate("getComputedStyle(document.querySelector('.eq math')).fontFamily").startswith(
        '"Handbook Math"'
    )


def test_a_node_of_the_graph_leads_to_the_formula_of_its_gradient(visit):
    seen = visit("layers/batchnorm/")
    seen.page.wait_for_load_state("networkidle")  # while the theme starts it may undo a jump
    seen.page.get_by_label("the gradient dvar: its formula").click()
    seen.page.locator("#dvar.eq:target").wait_for()  # the browser may jump after the click has returned
    assert seen.page.evaluate("location.hash") == "#dvar"
    assert seen.errors == []


def test_the_small_print_unfolds(visit):
    page = visit("layers/batchnorm/").page
    fold = page.locator("#dx .proof")
    assert not fold.locator("dl").is_visible()
    fold.locator("summary").click()
    assert fold.locator("dl").is_visible()
    assert "cs231n prove batchnorm" in fold.inner_text()


def test_the_tex_can_be_copied(visit):
    page = visit("layers/batchnorm/", permissions=["clipboard-read", "clipboard-write"]).page
    page.locator("#dbeta").hover()
    page.locator("#dbeta .eq__copy").click()
    page.get_by_text("copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == r"d\beta_l = \sum_i \mathrm{dout}_{il} \tag{dbeta}"


def test_wide_formulas_scroll_in_their_box_and_only_they_take_the_keyboard(visit):
    page = visit("layers/batchnorm/", "phone").page
    wide = "[...document.querySelectorAll('.eq__math')].filter(box => box.scrollWidth > box.clientWidth)"
    assert page.evaluate(f"{wide}.every(box => box.tabIndex === 0 && box.getAttribute('role') === 'group')")
    assert page.evaluate("document.querySelectorAll('.eq__math[tabindex]').length") == page.evaluate(f"{wide}.length")


@pytest.mark.parametrize("path", ["conventions/", "layers/batchnorm/"])
def test_a_word_of_code_in_a_narrow_cell_is_not_broken(visit, path):
    page = visit(path, "phone").page
    words = "[...document.querySelectorAll('table :is(td, th) code')].filter(code => /^\\w+$/.test(code.innerText))"
    assert page.evaluate(f"{words}.length") > 10
    assert page.evaluate(f"{words}.filter(code => code.getClientRects().length > 1).map(code => code.innerText)") == []


def test_instant_navigation_keeps_the_formulas(visit):
    seen = visit("layers/affine/")
    seen.page.get_by_role("link", name="ReLU", exact=True).first.click()
    seen.page.wait_for_url("**/layers/relu/")
    seen.page.locator("h1", has_text="ReLU").wait_for()
    assert seen.page.locator(".eq math").count() > 5
    assert seen.errors == []


def test_all_can_be_read_without_scripts(visit):
    page = visit("layers/batchnorm/", java_script_enabled=False, screen="desk").page
    assert page.locator("#dx .eq__math math").is_visible()
    assert page.locator(".graph svg").is_visible()
    assert not page.locator("#dx .eq__copy").is_visible()
    page.locator("#dx summary").click()
    assert page.locator("#dx dl").is_visible()


def test_paper_has_text_and_formulas_only(visit):
    page = visit("layers/batchnorm/").page
    page.emulate_media(media="print")
    for hidden in (".md-header", ".md-sidebar", ".md-footer", "#dx .eq__copy", "#dx .proof dl"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator("#dx .eq__math math").is_visible()
    assert page.locator("#dx .proof summary").is_visible()
