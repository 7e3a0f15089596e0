"""The explorer, in a real browser without a screen."""

import csv
import gzip
import io
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import mfrec
from mfrec.directions import DIRECTIONS
from mfrec.storage.store import publish
from tests.service.browsing import CHROMIUM, DRIVER, start
from tests.service.conftest import LARGE, MakeModel, Serve, with_large_ids
from tests.waiting import LIMIT, wait_for

pytest.importorskip("selenium.webdriver")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

Folders = Callable[[int], Path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        reason = "no chromium and chromedriver: apt-get install chromium chromium-driver"
        if os.environ.get("MFREC_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def no_error_in_the_console(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a page logged an error, but for answers that a test asked to be refused."""
    yield
    if "browser" in request.fixturenames:
        logged = request.getfixturevalue("browser").get_log("browser")
        errors = [entry["message"] for entry in logged if entry["level"] == "SEVERE"]
        assert [message for message in errors if "Failed to load resource" not in message] == []


class Page:
    """The explorer as a person sees it."""

    def __init__(self, browser: Any, client: httpx.Client, path: str = "/") -> None:
        self.browser = browser
        self.address = str(client.base_url).rstrip("/")
        browser.get_log("browser")
        browser.get(self.address + path)

    def wait(self, true: Callable[[], object]) -> None:
        WebDriverWait(self.browser, LIMIT, poll_frequency=0.02, ignored_exceptions=None).until(lambda _: true())

    def text(self, selector: str) -> str:
        """Return the text at one moment: between two calls the page may draw itself anew."""
        text = self.browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return str(text).replace("\n", " ").strip()

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
        return [str(text) for text in self.browser.execute_script(script, selector)]

    def results(self, direction: str) -> list[str]:
        return self.texts(f"[data-direction={direction}] .label")

    def search(self, text: str) -> None:
        """Type into the search box, and wait for what is found for all of it."""
        self.find("#query").send_keys(text)
        self.wait(lambda: self.find("#found").get_attribute("data-query") == text)

    def drawn(self) -> None:
        """Wait until the page is there with its explanation, which moves what stands below it."""
        self.wait(lambda: " scores " in self.text("#because"))

    def click(self, selector: str) -> None:
        """Click on what is there at this moment, be it drawn anew or not."""
        self.browser.execute_script("document.querySelector(arguments[0]).click()", selector)

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def explore(browser: Any, client: httpx.Client) -> Callable[[str], Page]:
    return lambda path: Page(browser, client, path)


@pytest.fixture(scope="module")
def model(folders: Folders) -> mfrec.Recommender:
    return mfrec.load(folders(0))


def shown_users(ranking: mfrec.Ranking) -> list[str]:
    return [f"user {key}" for key in ranking.ids]


def test_the_grid_shows_the_four_directions(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("item2user"))
    assert page.results("user2item") == model.user2item(7).labels
    assert page.results("item2item") == model.item2item(2).labels
    assert page.results("user2user") == shown_users(model.user2user(7))
    assert page.results("item2user") == shown_users(model.item2user(2))
    assert page.texts(".asked") == ["user\n7", "item\nStar Trek: First Contact (1996)\nid 2"]
    assert page.text("#banner").startswith("Personalised: 40 users get 40 different lists; nothing was held out")
    assert "factors" not in page.text("#banner")
    page.click("#banner summary")
    assert "40 users \u00d7 30 items \u00d7 4 factors" in page.text("#banner")
    page.wait(lambda: "Star Trek: First Contact (1996) scores" in page.text("#because"))
    assert page.errors() == []


def test_the_page_begins_with_what_is_popular(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/")
    page.wait(lambda: page.results("popular-user"))
    assert page.results("popular-item") == model.popular("item").labels
    assert page.results("popular-user") == shown_users(model.popular("user"))
    assert "Choose a user and an item" in page.text("#because")
    page.click("[data-direction=popular-item] .hit")
    page.wait(lambda: page.results("item2user"))
    assert page.browser.current_url.endswith(f"?item={model.popular('item').ids[0]}")
    page.browser.back()
    page.wait(lambda: page.results("popular-user"))
    assert page.errors() == []


def test_click_through_back_and_forward(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("item2item"))
    label = page.results("item2item")[0]
    page.find("[data-direction=item2item] .hit").click()
    page.wait(lambda: label in page.texts(".asked")[1])
    user = page.results("user2user")[0]
    page.find("[data-direction=user2user] .hit").click()
    page.wait(lambda: page.texts(".asked")[0].replace("\n", " ") == user)
    assert page.browser.current_url.endswith(f"item={model.item2item(2).ids[0]}")
    assert label in page.browser.title
    page.browser.back()
    page.wait(lambda: page.texts(".asked")[0] == "user\n7")
    page.browser.back()
    page.wait(lambda: "Star Trek" in page.texts(".asked")[1])
    page.browser.forward()
    page.wait(lambda: label in page.texts(".asked")[1])
    assert page.results("item2item") == model.item2item(model.item2item(2).ids[0]).labels
    assert page.errors() == []


def test_search_by_keyboard(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("item2item"))
    page.find("body").send_keys("/")
    box = page.browser.switch_to.active_element
    assert box.get_attribute("id") == "query"
    page.search("miserab")
    assert page.texts(".option")[0].startswith("Misérables, Les (1995)")
    box.send_keys(Keys.ENTER)
    page.wait(lambda: "Misérables" in page.texts(".asked")[1])
    page.search("star")
    assert len(page.texts(".option")) >= 2
    box.send_keys(Keys.ARROW_DOWN)
    assert page.find("[aria-selected=true]").get_attribute("id") == box.get_attribute("aria-activedescendant")
    chosen = page.text("[aria-selected=true] span")
    box.send_keys(Keys.ENTER)
    page.wait(lambda: chosen in page.texts(".asked")[1])
    page.search("zzzzqqq")
    assert "Nothing is like that" in page.text("#found")
    box.send_keys(Keys.ESCAPE)
    assert not page.find("#found").is_displayed()
    box.send_keys(Keys.ESCAPE)
    assert box.get_attribute("value") == ""
    page.search("12")
    page.find(".option[data-side=user]").click()
    page.wait(lambda: page.texts(".asked")[0] == "user\n12")
    assert page.errors() == []


def test_results_are_walked_by_arrow_keys(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("item2item"))
    page.find("[data-direction=item2item] .hit").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    focused = page.browser.switch_to.active_element.text
    assert focused.startswith(page.results("item2item")[1])
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait(lambda: focused.split("\n")[0] in page.texts(".asked")[1])


def test_why(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("user2item"))
    # an answer that is still on its way would be shown over the one that is asked for
    page.drawn()
    last = page.results("user2item")[-1]
    page.find("[data-direction=user2item] li:last-child .why").click()
    page.wait(lambda: page.text("#because").startswith(f"{last} scores"))
    assert "for user 7. The strongest of " in page.text("#because")
    assert page.browser.switch_to.active_element.get_attribute("id") == "because-panel"
    assert page.text("#because .sentence").count(" %)") == 3
    page.click("#because summary")
    assert all("%" in text for text in page.texts("#because .score"))
    assert page.texts("#because .sentence b")[1:] == page.texts("#because .label")[:3]
    # it is in the address, and an item that is known is no reason for itself
    assert "why=" in page.browser.current_url
    known = page.results("history-user")[0]
    page.click("[data-direction=history-user] .hit")
    page.wait(lambda: page.text("#because").startswith(f"{known} scores"))
    assert "who knows it already. Apart from itself, the strongest of " in page.text("#because")
    assert known not in page.texts("#because .label")
    page.browser.back()
    page.wait(lambda: page.text("#because").startswith(f"{last} scores"))
    assert page.errors() == []


def test_the_history_stands_beside_the_recommendations(
    explore: Callable[[str], Page], model: mfrec.Recommender
) -> None:
    page = explore("/?user=7&item=2&history-user.k=3")
    page.wait(lambda: page.results("item2item"))
    seen = model.adjacency.user.of(model.ids.user.number(7)).tolist()
    assert model.labels.item is not None
    most = sorted(seen, key=lambda n: -model.adjacency.item.degree[n])[:3]
    assert page.results("history-user") == [model.labels.item[n] for n in most]
    assert page.text("[data-direction=history-user] .note") == f"3 of {len(seen)} items, the most popular first"
    users = [model.ids.user.id(n) for n in model.adjacency.item.of(model.ids.item.number(2)).tolist()]
    assert {f"user {key}" for key in users} >= {*page.results("history-item")}
    assert page.errors() == []


def test_a_person_is_built_from_items(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.texts("#add"))
    page.drawn()
    page.find("#add").click()
    page.wait(lambda: page.texts(".asked")[0] == "user\nsomebody new")
    first = model.recommend_vectors("user2item", model.fold_in("user", [2]), deny=[2])[0]
    assert page.results("user2item") == first.labels
    near = page.results("item2item")[0]
    page.find("[data-direction=item2item] .hit").click()
    page.wait(lambda: page.text("#add") == f"Add {near}")
    page.wait(lambda: page.text("#because").startswith(f"{near} scores"))
    page.find("#add").click()
    page.wait(lambda: len(page.texts(".chips li")) == 2)
    history = [2, model.item2item(2).ids[0]]
    both = model.recommend_vectors("user2item", model.fold_in("user", history), deny=history)[0]
    page.wait(lambda: page.results("user2item") == both.labels)
    because = "for somebody new, who knows it already."
    page.wait(lambda: f"{because} Apart from itself, the strongest of 1 reason is " in page.text("#because"))
    assert page.text("[data-direction=history-user] .note") == "2 of 2 items"
    page.find(".chips .drop").click()
    page.wait(lambda: len(page.texts(".chips li")) == 1)
    page.wait(lambda: f"{because} There is nothing to explain it from." in page.text("#because"))
    page.find("#clear").click()
    page.wait(lambda: page.texts(".asked")[0] != "user\nsomebody new")
    page.browser.back()
    page.wait(lambda: page.texts(".asked")[0] == "user\nsomebody new")
    assert page.errors() == []


def test_the_map_is_drawn_and_clicked(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2")
    page.wait(lambda: page.results("item2item"))
    ink = (
        "const c = document.getElementById('map');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v)"
    )
    page.wait(lambda: page.browser.execute_script(ink))
    before = page.browser.current_url
    # somewhere on the map there is something to click on
    sweep = (
        "const c = document.getElementById('map'); const box = c.getBoundingClientRect();"
        "for (let x = 0; x < box.width; x += 6) for (let y = 0; y < box.height; y += 6) {"
        "  c.dispatchEvent(new PointerEvent('pointermove', {clientX: box.x + x, clientY: box.y + y}));"
        "  if (document.getElementById('pointed').textContent) {"
        "    c.dispatchEvent(new MouseEvent('click', {clientX: box.x + x, clientY: box.y + y})); return true; } }"
        "return false"
    )
    assert page.browser.execute_script(sweep)
    page.wait(lambda: page.browser.current_url != before)
    assert page.errors() == []


def test_an_unknown_id_is_told_and_leads_on(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=4242&item=2")
    page.wait(lambda: "does not know the user '4242'" in page.text("#alert"))
    assert page.results("item2item")
    assert page.results("user2item") == []
    page.find("#alert button").click()
    page.wait(lambda: page.results("user2item"))
    assert not page.find("#alert").is_displayed()


def test_labels_are_text_and_never_markup(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=6&why=6&watched=6&watched=2&like=item&seed=6&history-item.filter=<b>")
    page.drawn()
    page.wait(lambda: page.results("alike"))
    hostile = '<script>"&'
    assert hostile in page.texts(".asked")[1]
    for where in ("#because", "#person", "#seeds", "[data-direction=history-user] .results"):
        assert hostile in page.text(where)
    page.search("nasty")
    assert hostile in page.text("#found")
    assert page.texts("main script, main b b, .asked b") == []
    assert page.errors() == []


def test_ids_that_javascript_would_round_arrive_as_they_are(
    browser: Any, serve: Serve, make_model: MakeModel, tmp_path: Path
) -> None:
    model = with_large_ids(make_model(0))
    model.save(tmp_path / "m")
    client = serve(tmp_path / "m")
    for user, item in ((LARGE[-1], LARGE[0]), (LARGE[0], LARGE[-1])):
        page = Page(browser, client, f"/?user={user}&item={item}")
        page.drawn()
        assert page.texts(".asked")[0] == f"user\n{user}"
        assert page.texts(".asked")[1].endswith(f"id {item}")
        assert page.results("user2user") == shown_users(model.user2user(user))
        assert page.results("user2item") == model.user2item(user).labels
        assert page.results("item2item") == model.item2item(item).labels
        assert page.results("item2user") == shown_users(model.item2user(item))
    # in the history, in the reasons and among look-alikes
    page = Page(browser, client, f"/?user={LARGE[-1]}&item={LARGE[0]}&why={LARGE[-1]}&seed={LARGE[0]}&seed={LARGE[-1]}")
    page.drawn()
    page.wait(lambda: page.results("alike") == shown_users(model.lookalikes("user", [LARGE[0], LARGE[-1]])))
    assert page.texts("#seeds .chips span") == [f"user {LARGE[0]}", f"user {LARGE[-1]}"]
    known = {model.ids.user.id(int(n)) for n in model.adjacency.item.of(model.ids.item.number(LARGE[0]))}
    assert {f"user {key}" for key in known} >= {*page.results("history-item")}
    assert page.text("#because").startswith(f"{client.get(f'/v1/map?side=item&id={LARGE[-1]}').json()['labels'][0]} ")
    # the first list with such an id in it, which is clicked on
    asked, place, key = next(
        (user, place, key)
        for user in model.ids.user
        for place, key in enumerate(model.user2user(user).ids)
        if key in LARGE
    )
    page = Page(browser, client, f"/?user={asked}&item=1")
    page.drawn()
    page.click(f"[data-direction=user2user] li:nth-child({place + 1}) .hit")
    page.wait(lambda: page.texts(".asked")[0] == f"user\n{key}")
    assert f"user={key}&" in page.browser.current_url
    # by search, and in the history of somebody new
    page.search(str(LARGE[-1]))
    page.click(".option[data-side=user]")
    page.wait(lambda: page.texts(".asked")[0] == f"user\n{LARGE[-1]}")
    page.search(str(LARGE[0]))
    page.click(".option[data-side=item]")
    page.wait(lambda: page.texts(".asked")[1].endswith(f"id {LARGE[0]}"))
    page.wait(lambda: page.text("#add") == f"Add {page.texts('.asked')[1].split(chr(10))[1]}")
    page.click("#add")
    page.wait(lambda: page.texts(".asked")[0] == "user\nsomebody new")
    assert page.browser.current_url.endswith(f"item={LARGE[0]}&watched={LARGE[0]}")
    first = model.recommend_vectors("user2item", model.fold_in("user", [LARGE[0]]), deny=[LARGE[0]])[0]
    page.wait(lambda: page.results("user2item") == first.labels)
    page.wait(lambda: page.texts(".chips li"))
    page.click(".chips .drop")
    page.wait(lambda: not page.texts(".chips li"))
    assert page.errors() == []


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)], ids=str)
def test_the_only_one_of_its_side_has_empty_lists(
    browser: Any, serve: Serve, make_model: MakeModel, tmp_path: Path, shape: tuple[int, int]
) -> None:
    users, items = shape
    make_model(0, users=users, items=items).save(tmp_path / "m")
    page = Page(browser, serve(tmp_path / "m"), "/?user=1&item=1")
    page.drawn()
    assert not page.find("#alert").is_displayed()
    assert len(page.results("user2user")) == users - 1
    assert len(page.results("item2item")) == items - 1
    empty = [direction for direction in DIRECTIONS if not page.results(direction)]
    assert empty
    for direction in empty:
        assert page.text(f"[data-direction={direction}] .body") == "Nothing is left to recommend."
    assert page.errors() == []


def test_a_service_that_stops_is_told(browser: Any, serve: Serve, folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "store" / "versions").mkdir(parents=True)
    client = serve(tmp_path / "store")
    page = Page(browser, client, "/?user=7&item=2")
    page.wait(lambda: "none was published yet" in page.text("#alert"))
    publish(folders(0), tmp_path / "store")
    wait_for(lambda: client.get("/readyz").status_code == 200)
    page.click("#alert button")
    page.drawn()
    page.browser.execute_script("window.fetch = () => Promise.reject(new TypeError('gone'))")
    page.find("[data-direction=item2item] .hit").click()
    page.wait(lambda: "does not answer" in page.text("#alert"))


def test_a_new_version_shows_in_the_banner(browser: Any, serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish(folders(0), store)
    client = serve(store)
    page = Page(browser, client, "/?user=7&item=2")
    page.drawn()
    assert "000001" in page.text("#banner")
    publish(folders(1), store)
    wait_for(lambda: client.get("/readyz").json()["version"] == "000002")
    truth = mfrec.load(folders(1))
    page.click("[data-direction=item2item] .hit")
    page.wait(lambda: "000002" in page.text("#banner"))
    page.browser.get(page.address + "/?user=7&item=2")
    page.wait(lambda: page.results("user2item") == truth.user2item(7).labels)


def test_the_key_is_asked_for_and_remembered(browser: Any, serve: Serve) -> None:
    page = Page(browser, serve(api_key="0123456789abcdef"), "/?user=7&item=2")
    page.wait(lambda: page.find("#key").get_attribute("open"))
    page.find("#secret").send_keys("0123456789abcdef", Keys.ENTER)
    page.wait(lambda: page.results("item2item"))
    page.browser.refresh()
    page.wait(lambda: page.results("item2item"))
    assert not page.find("#key").get_attribute("open")
    # a command names the key and does not hold it
    page.click("[data-direction=item2item] .options summary")
    page.click("[data-direction=item2item] .curl")
    page.wait(lambda: '-H "x-api-key: $MFREC_API_KEY"' in page.text(".command:not([hidden])"))
    assert "0123456789abcdef" not in page.text(".command:not([hidden])")


@pytest.mark.parametrize(("width", "columns"), [(375, 1), (1280, 3)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_phones_and_desks_in_light_and_dark(
    explore: Callable[[str], Page], model: mfrec.Recommender, width: int, columns: int, scheme: str
) -> None:
    page = explore("/?user=7&item=2")
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page.wait(lambda: page.results("item2item"))
        wide = "return document.documentElement.scrollWidth"
        assert page.browser.execute_script(wide) <= width
        style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        grid = page.browser.execute_script(style, "#grid", "gridTemplateColumns")
        assert len(grid.split()) == columns
        # labels that are long and alike wrap, and their ids stand beside them
        lengthen = "document.querySelectorAll('.results .label').forEach((e) => e.append(' and so on'.repeat(20)))"
        page.browser.execute_script(lengthen)
        clipped = "return [...document.querySelectorAll('.hit')].filter((e) => e.scrollWidth > e.clientWidth).length"
        assert page.browser.execute_script(clipped) == 0
        assert page.browser.execute_script(wide) <= width
        assert page.texts("[data-direction=item2item] .id") == [str(key) for key in model.item2item(2).ids]
        ground = page.browser.execute_script(style, "body", "backgroundColor")
        assert (int(ground[4:].split(",")[0]) < 60) == (scheme == "dark")
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_api_page_lists_every_route(explore: Callable[[str], Page], client: httpx.Client) -> None:
    page = explore("/docs")
    page.wait(lambda: page.texts(".opblock"))
    routes = [(m.upper(), path) for path, ms in client.get("/openapi.json").json()["paths"].items() for m in ms]
    paths = "return [...document.querySelectorAll('.opblock [data-path]')].map((e) => e.dataset.path)"
    listed = list(zip(page.texts(".opblock-summary-method"), page.browser.execute_script(paths), strict=True))
    assert ("GET", "/v1/user2item/{id}") in listed
    assert sorted(listed) == sorted(routes)
    page.click(".opblock-summary-control")
    page.wait(lambda: "An external id" in page.text(".opblock .parameters"))
    assert page.errors() == []
    elsewhere = "return performance.getEntriesByType('resource').map((e) => e.name)"
    assert all(name.startswith((page.address, "data:")) for name in page.browser.execute_script(elsewhere))


def try_out(page: Page, block: str) -> None:
    """Send the request of one route as the page offers it, and wait for its answer."""
    page.click(f"{block} .opblock-summary-control")
    page.wait(lambda: page.texts(f"{block} .try-out__btn"))
    page.click(f"{block} .try-out__btn")
    page.wait(lambda: page.texts(f"{block} .execute"))
    page.click(f"{block} .execute")
    page.wait(lambda: page.text(f"{block} .live-responses-table .response .response-col_status"))


def test_the_api_page_offers_examples_that_answer(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/docs")
    page.wait(lambda: page.texts(".opblock"))
    for block in (".opblock-get", ".opblock-post"):
        try_out(page, block)
        assert page.text(f"{block} .live-responses-table .response .response-col_status").startswith("200")
    asked = model.ids.user.id(int(model.adjacency.user.degree.argmax()))
    assert f"/v1/user2item/{asked}?" in page.text(".opblock-get .request-url")
    assert page.errors() == []


def test_the_api_page_asks_for_the_key(browser: Any, serve: Serve) -> None:
    browser.execute_script("sessionStorage.clear()")
    page = Page(browser, serve(api_key="0123456789abcdef"), "/docs")
    page.wait(lambda: page.find("#key").get_attribute("open"))
    page.find("#secret").send_keys("0123456789abcdef", Keys.ENTER)
    page.wait(lambda: page.texts(".opblock"))


def handed(page: Page) -> str:
    """Return what was put into the clipboard or a file, which the page does at once."""
    page.wait(lambda: page.browser.execute_script("return window.taken"))
    return str(page.browser.execute_script("const it = window.taken; window.taken = null; return it"))


def set_to(page: Page, selector: str, value: object, event: str = "change") -> None:
    """Set a control and say so, as the browser does for a person."""
    page.browser.execute_script(
        "const e = document.querySelector(arguments[0]);"
        "e[e.type === 'checkbox' ? 'checked' : 'value'] = arguments[1];"
        "e.dispatchEvent(new Event(arguments[2], {bubbles: true}))",
        selector,
        value,
        event,
    )


def test_every_panel_has_its_controls_and_they_are_in_the_address(
    explore: Callable[[str], Page], model: mfrec.Recommender
) -> None:
    page = explore("/?user=7&item=2")
    page.drawn()
    page.find("[data-direction=user2item] .options summary").click()
    set_to(page, "#user2item-k", 25)
    page.wait(lambda: page.results("user2item") == model.user2item(7, 25).labels)
    set_to(page, "#user2item-seen", True)
    page.wait(lambda: page.results("user2item") == model.user2item(7, 25, exclude_seen=False).labels)
    set_to(page, "#user2item-diversity", 0.5)
    diverse = model.user2item(7, 25, exclude_seen=False, diversity=0.5)
    page.wait(lambda: page.results("user2item") == diverse.labels)
    least = float(model.user2user(7).scores[4]) - 1e-6
    set_to(page, "#user2user-min", least)
    page.wait(lambda: page.results("user2user") == shown_users(model.user2user(7))[:5])
    assert not page.texts("#user2user-seen")
    told = "[data-direction=user2item] .told"
    assert page.text(told) == "25 results · diversity 0.5 · seen ones too"
    # a filter asks nothing anew, and adds no step back
    steps = page.browser.execute_script("return history.length")
    set_to(page, "#user2item-filter", "FILM 1", "input")
    shown = "[data-direction=user2item] li:not([hidden]) .label"
    assert diverse.labels is not None
    kept = [label for label in diverse.labels if "film 1" in label.lower()]
    assert page.texts(shown) == kept
    assert page.browser.execute_script("return history.length") == steps
    page.browser.refresh()
    page.wait(lambda: page.texts(shown) == kept)
    assert page.text(told).endswith("with “FILM 1”")
    assert page.browser.execute_script("return document.querySelector('#user2item-k').value") == "25"
    page.browser.back()
    page.wait(lambda: len(page.results("user2user")) == 10)
    page.browser.back()
    page.wait(lambda: page.results("user2item") == model.user2item(7, 25, exclude_seen=False).labels)
    # what is out of bounds is brought back
    set_to(page, "#user2item-k", -3)
    page.wait(lambda: len(page.results("user2item")) == 1)
    assert not page.find("#alert").is_displayed()
    assert page.errors() == []


def test_a_list_is_taken_away_as_a_command_or_as_csv(
    explore: Callable[[str], Page], client: httpx.Client, model: mfrec.Recommender
) -> None:
    page = explore("/?user=7&item=2&watched=6&user2item.k=30&history-user.k=3")
    page.drawn()
    catch = (
        "navigator.clipboard.writeText = async (text) => { window.taken = text; };"
        "URL.createObjectURL = (blob) => { blob.text().then((text) => { window.taken = text; }); return 'data:,'; };"
    )
    page.browser.execute_script(catch)
    page.find("[data-direction=item2item] .options summary").click()
    page.click("[data-direction=item2item] .curl")
    taken = handed(page)
    assert taken == f"curl '{page.address}/v1/item2item/2?k=10'" == page.text("[data-direction=item2item] .command")
    page.click("[data-direction=user2item] .curl")
    words = shlex.split(handed(page))
    assert words[:4] == ["curl", f"{page.address}/v1/user2item", "-H", "content-type: application/json"]
    answer = client.post("/v1/user2item", content=words[-1], headers={"content-type": "application/json"}).json()
    assert [row["label"] for row in answer["rankings"][0]["results"]] == page.results("user2item")
    # quotes, commas and line ends come back from the file as they are
    page = explore("/?user=7&item=2&item2item.k=30")
    page.drawn()
    page.browser.execute_script(catch)
    page.click("[data-direction=item2item] .csv")
    taken = handed(page)
    assert taken.count("\r\n") == 30
    rows = list(csv.reader(io.StringIO(taken, newline="")))
    ranking = model.item2item(2, 30)
    assert rows[0] == ["rank", "id", "label", "score"]
    assert [(int(n), int(key), label) for n, key, label, _ in rows[1:]] == [
        (n + 1, key, label) for n, (key, label) in enumerate(zip(ranking.ids, ranking.labels or (), strict=True))
    ]
    assert any('"' in row[2] for row in rows)
    assert page.errors() == []


def test_look_alikes_are_built_from_several(explore: Callable[[str], Page], model: mfrec.Recommender) -> None:
    page = explore("/?user=7&item=2")
    page.drawn()
    page.wait(lambda: page.texts("#add-seed"))
    page.click("#add-seed")
    page.wait(lambda: page.results("alike") == shown_users(model.lookalikes("user", [7])))
    page.find("#seed").send_keys("12")
    page.wait(lambda: page.find("#seeds-found").get_attribute("data-query") == "12")
    page.find("#seed").send_keys(Keys.ENTER)
    page.wait(lambda: page.results("alike") == shown_users(model.lookalikes("user", [7, 12])))
    assert page.texts("#seeds .chips span") == ["user 7", "user 12"]
    set_to(page, "#alike-k", 4)
    page.wait(lambda: page.results("alike") == shown_users(model.lookalikes("user", [7, 12], 4)))
    page.browser.refresh()
    page.wait(lambda: page.results("alike") == shown_users(model.lookalikes("user", [7, 12], 4)))
    page.click("#seeds .drop")
    page.wait(lambda: page.texts("#seeds .chips span") == ["user 12"])
    page.browser.back()
    page.wait(lambda: page.texts("#seeds .chips span") == ["user 7", "user 12"])
    set_to(page, "#like", "item")
    page.wait(lambda: not page.texts("#seeds .chips span"))
    page.click("#add-seed")
    page.wait(lambda: page.results("alike") == model.lookalikes("item", [2], 4).labels)
    assert page.errors() == []


def test_the_map_zooms_pans_and_shows_what_is_found(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2")
    page.drawn()
    canvas = page.find("#map")

    def view() -> list[float]:
        address = parse_qs(urlsplit(page.browser.current_url).query)
        return [float(part) for part in address.get("view", [""])[0].split(",") if part]

    canvas.send_keys("+", "+")
    page.wait(lambda: view()[2:] == [2.25])
    before = view()
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    page.wait(lambda: view() != before)
    assert (view()[0] > before[0], view()[1] > before[1], view()[2]) == (True, True, 2.25)
    moved = view()
    page.browser.refresh()
    page.drawn()
    assert view() == moved
    drag = (
        "const c = document.getElementById('map'), box = c.getBoundingClientRect();"
        "c.setPointerCapture = () => {}; let from = null;"
        "const at = (kind, x, y) => c.dispatchEvent(new (kind === 'click' ? MouseEvent : PointerEvent)(kind,"
        "  {clientX: box.x + x, clientY: box.y + y, buttons: kind === 'pointermove' ? 1 : 0}));"
        "for (let x = 20; x < box.width - 90 && !from; x += 6) for (let y = 20; y < box.height - 20 && !from; y += 6) {"
        "  c.dispatchEvent(new PointerEvent('pointermove', {clientX: box.x + x, clientY: box.y + y}));"
        "  if (document.getElementById('pointed').textContent) from = [x, y]; }"
        "const [x, y] = from; at('pointerdown', x, y); at('pointermove', x + 60, y);"
        "at('pointerup', x + 60, y); at('click', x + 60, y);"
    )
    address = page.browser.execute_script("return location.search.replace(/&view.*/, '')")
    page.browser.execute_script(drag)
    page.wait(lambda: view() != moved)
    assert view()[0] < moved[0]
    # a drag is no click, though it ends on the point that it began on
    assert page.browser.execute_script("return location.search.replace(/&view.*/, '')") == address
    wheel = "document.getElementById('map').dispatchEvent(new WheelEvent('wheel', {deltaY: -300, cancelable: true}))"
    page.browser.execute_script(wheel)
    page.wait(lambda: view()[2] > 2.25)
    page.click("#farther")
    page.click("#whole")
    page.wait(lambda: not view())
    page.search("star")
    page.wait(lambda: int(page.find("#map").get_attribute("data-found")) >= 2)
    page.find("#query").send_keys(Keys.ESCAPE)
    page.wait(lambda: page.find("#map").get_attribute("data-found") == "0")
    assert page.errors() == []


def test_segments_are_colours_with_names(browser: Any, serve: Serve, make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model(0)
    found = model.segments("item", 3)
    model.with_segments(found).save(tmp_path / "m")
    client = serve(tmp_path / "m")
    whole = client.get("/v1/map?side=item").json()
    assert whole["segments"] == [int(found.segment[model.ids.item.number(key)]) for key in whole["ids"]]
    assert client.get("/v1/map?side=user").json()["segments"] is None
    page = Page(browser, client, "/?user=7&item=2")
    page.drawn()
    page.wait(lambda: page.find("#map").get_attribute("data-colour") == "item")
    written = (
        "const said = []; CanvasRenderingContext2D.prototype.fillText = (text) => said.push(text);"
        "window.said = said; document.getElementById('whole').click()"
    )
    page.browser.execute_script(written)
    names = [segment.name for segment in found]

    def said() -> bool:
        return any(name.startswith(text[:20]) for text in page.browser.execute_script("return said") for name in names)

    page.wait(said)
    page.find("#map").send_keys("+")
    set_to(page, "#colour", "side")
    page.wait(lambda: page.find("#map").get_attribute("data-colour") == "side")
    assert "colour=side" in page.browser.current_url
    page.browser.back()
    page.wait(lambda: page.find("#map").get_attribute("data-colour") == "item")
    assert page.texts("#colour option") == ["side", "segments of items"]
    assert page.errors() == []


def test_200_000_points_are_pixels_and_found(explore: Callable[[str], Page]) -> None:
    page = explore("/")
    paint = """
    const [done] = arguments;
    import('/static/cloud.js').then(({ paint, nearest }) => {
      const many = 200000, x = new Float32Array(many), y = new Float32Array(many);
      for (let n = 0; n < many; n++) [x[n], y[n]] = [Math.sin(n) * (n / many), Math.cos(n) * (n / many)];
      const target = { pixels: new Uint32Array(800 * 640), width: 800, height: 640 };
      const cloud = { x, y, kind: new Int32Array(many) };
      paint(target, cloud, [0x8f6a0a], { unit: 300, left: 400, top: 320, size: 3 });
      done([target.pixels.filter((p) => p).length, nearest(cloud, x[777], y[777], 1)]);
    });
    """
    painted, near = page.browser.execute_async_script(paint)
    assert painted > 100_000
    assert near == [777, 0]
    assert page.errors() == []


def test_our_own_files_are_small() -> None:
    static = Path(mfrec.__file__).parent / "service" / "static"
    files = [path for path in static.iterdir() if path.suffix in (".js", ".css", ".html", ".svg")]
    assert len(files) > 10
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 100_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(explore: Callable[[str], Page], scheme: str) -> None:
    # axe-core 4.14.1 by Deque Systems, under the Mozilla Public License 2.0, which is for the tests alone
    axe = Path(__file__).with_name("axe.min.js").read_text()
    page = explore("/?user=7&item=2&seed=3&seed=4&user2item.filter=film")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page.drawn()
        page.wait(lambda: page.results("alike"))
        page.browser.execute_script("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        page.search("star")
        page.browser.execute_script(axe)
        found = page.browser.execute_async_script("axe.run(document).then(arguments[0])")
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
        assert len(found["passes"]) > 20
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert page.errors() == []


def test_everything_is_reached_by_the_tab_key(explore: Callable[[str], Page]) -> None:
    page = explore("/?user=7&item=2&seed=3&user2item.k=2")
    page.drawn()
    page.wait(lambda: page.results("alike"))
    unreachable = (
        "return [...document.querySelectorAll('a, button, input, select, summary, canvas')]"
        ".filter((e) => e.checkVisibility() && e.tabIndex < 0).length"
    )
    assert page.browser.execute_script(unreachable) == 0
    page.find("[data-direction=user2item] .options summary").send_keys(Keys.ENTER)
    # a control keeps the focus while the list is drawn anew
    page.find("#user2item-k").send_keys("3", Keys.TAB)
    page.wait(lambda: len(page.results("user2item")) > 2)
    assert page.browser.switch_to.active_element.get_attribute("id") == "user2item-diversity"
    page.browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: "user2item.diversity=0.1" in page.browser.current_url)
    assert page.browser.switch_to.active_element.get_attribute("id") == "user2item-diversity"
    assert page.errors() == []
