"""Reports and site pages in Chromium, from disk, without a network: ``make test-browser``."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import synthetic_runs as synthetic
from attns_harness.reports.site import publish
from attns_harness.reports.write import write_report

from attns_core import build_registry

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = os.environ.get("ATTNS_SCREENSHOTS")
NAME = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report with everything in it, one of an empty run, one with hostile names, and a site."""
    folder, registry = tmp_path_factory.mktemp("pages"), build_registry()
    small: dict[str, Any] = {"dts": (0.2, 0.1, 0.05), "seeds": (0, 1, 2)}
    full = synthetic.run_folder(folder / "full", equations=("henon-heiles",), spread=0.1, **small)
    empty = folder / "empty"
    (empty / "tables").mkdir(parents=True)
    synthetic.table(**small).iloc[:0].to_parquet(empty / "tables" / "results.parquet")
    evil = synthetic.run_folder(folder / "evil", equations=(NAME,), spread=0.1, **small)
    for run in (full, empty, evil):
        write_report(run, run / "report", ("html",), registry=registry)
    publish([full, evil], folder / "site", registry=registry)
    reports = {run.name: run / "report" / "report.html" for run in (full, empty, evil)}
    site = {name: folder / "site" / f"{name}.html" for name in ("index", "leaderboard", "runs/full/rows")}
    return {**reports, **site}


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield made
    made.quit()


@pytest.fixture
def browser(driver: Any) -> Any:
    """The browser, with what it logged before forgotten, at the size of a desk."""
    size(driver, 1100, 900)
    scheme(driver, "light")
    driver.get("about:blank")
    driver.get_log("browser"), driver.get_log("performance")
    return driver


def size(driver: Any, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def scheme(driver: Any, name: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": name}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def requests(driver: Any) -> list[str]:
    """Addresses asked for since the log was last read."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def shown(driver: Any, parts: Any) -> set[bool]:
    """Whether elements are drawn (a horizontal line has no height, which WebDriver takes for hidden)."""
    return set(driver.execute_script("return arguments[0].map((p) => getComputedStyle(p).display !== 'none')", parts))


def screenshot(driver: Any, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))


ALL = ["full", "empty", "evil", "index", "leaderboard", "runs/full/rows"]


@pytest.mark.parametrize("name", ALL)
def test_a_page_opens_from_disk_without_error_or_request(browser: Any, pages: dict[str, Path], name: str) -> None:
    browser.get(pages[name].as_uri())
    assert browser.find_element("css selector", "h1").text
    screenshot(browser, name.replace("/", "-"))
    assert browser.get_log("browser") == []
    assert requests(browser) == [pages[name].as_uri()]
    assert browser.execute_script("return document.images.length + document.querySelectorAll('iframe').length") == 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_no_serious_violation(browser: Any, pages: dict[str, Path], name: str, colours: str) -> None:
    scheme(browser, colours)
    browser.get(pages[name].as_uri())
    screenshot(browser, f"{name.replace('/', '-')}-{colours}")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    bad = [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert bad == []
    assert found["passes"]


@pytest.mark.parametrize("name", ALL)
def test_nothing_scrolls_sideways_on_a_phone(browser: Any, pages: dict[str, Path], name: str) -> None:
    size(browser, 375, 812)
    browser.get(pages[name].as_uri())
    screenshot(browser, f"{name.replace('/', '-')}-phone")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 375
    assert browser.execute_script("return window.innerWidth") == 375


def test_tables_sort_and_filter(browser: Any, pages: dict[str, Path]) -> None:
    browser.get(pages["full"].as_uri())
    table = browser.find_element("id", "henon-heiles-equal-error")
    heading = next(h for h in table.find_elements("tag name", "th") if h.text == "error")
    column = table.find_elements("tag name", "th").index(heading)

    def values() -> list[float]:
        script = "return [...arguments[0].tBodies[0].rows].map((r) => Number(r.cells[arguments[1]].dataset.value))"
        return browser.execute_script(script, table, column)

    before = values()
    heading.find_element("tag name", "button").click()
    assert values() == sorted(before) != before
    assert heading.get_attribute("aria-sort") == "ascending"
    # By keyboard, too.
    heading.find_element("tag name", "button").send_keys("\ue007")
    assert values() == sorted(before, reverse=True)
    box = browser.find_element("css selector", '[data-filter="henon-heiles-equal-error"]')
    box.send_keys("LINEAR not")
    shown = [row for row in table.find_elements("css selector", "tbody tr") if row.is_displayed()]
    assert 0 < len(shown) < len(before)
    assert all("linear" in row.text and "not" in row.text for row in shown)
    assert f"{len(shown)} of {len(before)} rows" in browser.find_element("id", "henon-heiles").text


def test_series_toggle_and_values_appear_under_pointer_and_keys(browser: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver import ActionChains, Keys

    browser.get(pages["full"].as_uri())
    figure = browser.find_element("css selector", "#henon-heiles figure.plot")
    button = next(b for b in figure.find_elements("css selector", ".toggles button") if b.text == "rk4")
    parts = figure.find_elements("css selector", '[data-series="rk4"]')
    assert parts
    assert shown(browser, parts) == {True}
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert shown(browser, parts) == {False}
    button.send_keys(Keys.SPACE)
    assert shown(browser, parts) == {True}
    marker = figure.find_element("css selector", '[data-series="rk4"] [data-value]')
    ActionChains(browser).move_to_element(marker).perform()
    tip = figure.find_element("css selector", ".hover")
    assert tip.is_displayed()
    assert tip.text.startswith("rk4: error ")
    screenshot(browser, "hover")
    canvas = figure.find_element("css selector", ".canvas")
    canvas.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    canvas.send_keys(Keys.ARROW_RIGHT)
    first = tip.text
    canvas.send_keys(Keys.ARROW_RIGHT)
    assert first != tip.text != ""


def test_the_keyboard_reaches_the_summary_first_and_every_plot_has_a_name(browser: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver import Keys

    browser.get(pages["full"].as_uri())
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the summary"
    script = "return [...document.querySelectorAll('svg[role=img]')].map((s) => [s.getAttribute('aria-labelledby'), "
    script += "document.getElementById(s.getAttribute('aria-labelledby')).textContent])"
    named = browser.execute_script(script)
    assert len(named) == len(browser.find_elements("css selector", "svg[role=img]")) > 4
    assert all(text for _, text in named)
    assert any("Trajectories of henon-heiles" in text for _, text in named)


def test_paper_shows_whole_tables_on_white(browser: Any, pages: dict[str, Path]) -> None:
    scheme(browser, "dark", media="print")
    browser.get(pages["full"].as_uri())
    background = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(background) == "rgb(255, 255, 255)"
    cut = "return [...document.querySelectorAll('.scroll')].filter((s) => getComputedStyle(s).overflowY !== 'visible')"
    assert browser.execute_script(cut) == []
    assert not browser.find_element("css selector", "nav").is_displayed()


def test_hostile_names_run_no_code(browser: Any, pages: dict[str, Path]) -> None:
    from selenium.common.exceptions import NoAlertPresentException

    browser.get(pages["evil"].as_uri())
    assert NAME in browser.find_element("tag name", "main").text
    with pytest.raises(NoAlertPresentException):
        _ = browser.switch_to.alert.text
