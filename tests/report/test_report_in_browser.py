"""The page in a real browser: nothing foreign runs, nothing is loaded, nothing sticks out, everything can be reached by keyboard."""

import itertools
import json
import os
import shutil

import pytest
from axe import serious
from benchmark.frozen_run import run_folder

from clave.records import Evidence, MappedConcept, Response, Verdict
from clave.report import write_report
from clave.report.benchmarking import run_page
from clave.report.writing import write_page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></svg></style>" + "W" * 400


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CLAVE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    responses = [Response(id=f"r{i}", scenario=HOSTILE, response=HOSTILE, metadata={"model": f"m{i % 2}{HOSTILE}"}) for i in range(20)]
    verdicts = [
        Verdict(
            id=r.id,
            value=f"v{j}{HOSTILE}",
            status="ok",
            label="adhere" if (i + j) % 3 else "oppose",
            probabilities={"adhere": 0.5, "oppose": 0.3, "unrelated": 0.2},
            concepts=(MappedConcept(text=HOSTILE),),
            evidence=(Evidence(text=HOSTILE[8:30], start=8, end=30),),
        )
        for i, r in enumerate(responses)
        for j in range(4)
    ]
    reasons = {"failed": HOSTILE, "refused": "لن أجيب عن هذا السؤال " * 40, "abstained": ""}
    verdicts += [
        Verdict(id=r.id, value=f"{status}{HOSTILE}", status=status, reason=reason) for r in responses for status, reason in reasons.items()
    ]
    return write_report(verdicts, tmp_path_factory.mktemp("page") / "r.html", responses=responses, title="A title")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_hostile_text_neither_runs_nor_breaks_the_page(browser, page_file, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    requests, problems = [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("console", lambda m: problems.append(m.text))
    page.goto(page_file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.title() == "A title"
    assert page.evaluate("[document.scripts.length, document.images.length]") == [2, 0]
    page.locator(".rows button.text").first.click()
    assert page.locator(".rows .detail").is_visible()
    assert requests == [page_file.as_uri()]
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert [page.locator(one).count() for one in ("svg", ".forest", "figure")] == [0, 1, 2]
    context.close()


@pytest.fixture(scope="module")
def listed_file(tmp_path_factory):
    responses = [Response(id=f"r{i}", scenario="Q?", response=f"Text {i} is kind.", metadata={"model": f"m{i % 2}"}) for i in range(120)]
    verdicts = [
        Verdict(
            id=r.id,
            value=value,
            status="ok",
            label="adhere" if i % 3 else "oppose",
            probabilities={"adhere": i / 120, "oppose": 1 - i / 120, "unrelated": 0},
            evidence=(Evidence(text="is kind", start=r.response.index("is kind"), end=r.response.index("is kind") + 7),),
        )
        for i, r in enumerate(responses)
        for value in ("care", "fairness")
    ]
    return write_report(verdicts, tmp_path_factory.mktemp("list") / "r.html", responses=responses)


def test_verdicts_are_filtered_and_sorted(browser, listed_file):
    page = browser.new_page()
    page.goto(listed_file.as_uri())
    shown = page.locator(".rows .verdict")
    assert page.locator(".count").text_content() == "1–50 of 240 verdicts"
    page.get_by_label("Filter by verdicts").select_option(label="oppose (80)")
    page.get_by_label("Filter by models").select_option(label="m0 (120)")
    page.get_by_label("Filter by values").select_option(label="fairness (120)")
    assert page.locator(".count").text_content() == "20 verdicts"
    page.get_by_label("Search").fill("TEXT 66")
    assert shown.count() == 1
    page.get_by_label("Search").fill("no such words")
    assert page.locator(".count").text_content() == "No verdict fits."
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Sure").click()
    sure = shown.locator("td.sure").all_text_contents()
    assert sure[0] == ">99 %"
    numbers = [int(s.strip(">% ")) for s in sure]
    assert numbers == sorted(numbers, reverse=True)
    page.close()


def test_an_address_leads_to_its_verdict(browser, listed_file):
    page = browser.new_page()
    page.goto(listed_file.as_uri() + "#verdict=r101/fairness/m1")
    assert page.locator(".rows .detail blockquote").text_content() == "Text 101 is kind."
    assert page.locator(".rows .detail mark").text_content() == "is kind"
    link = page.locator("a[href^='#verdict=']").first
    link.click()
    assert page.locator(".rows .detail").count() == 1
    page.goto(listed_file.as_uri() + "#verdict=nobody/care/m1")
    page.close()


def test_ink_follows_the_colour_scheme(browser, page_file):
    seen = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(page_file.as_uri())
        seen.add(page.evaluate("getComputedStyle(document.querySelector('.forest b')).color"))
        page.close()
    assert len(seen) == 2


def test_keyboard_reaches_the_content_and_opens_a_table(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    summary = page.locator("figure summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("figure details[open] table").first.is_visible()
    page.close()


@pytest.fixture(scope="module")
def benchmark_file(tmp_path_factory):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: reports have tables only")
    folder = tmp_path_factory.mktemp("benchmark")
    page = run_page(run_folder(folder / "run"))
    texts = {card.title.partition(" · ")[0]: HOSTILE for s in page.sections for g in s.groups for card in g.cards}
    responses = {identity: Response(id=identity, scenario=text, response=text) for identity, text in texts.items()}
    return write_page(run_page(folder / "run", texts=responses, title="A benchmark"), folder / "r.html")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_benchmark_page_stays_whole_on_any_screen(browser, benchmark_file, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests, problems = [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("console", lambda m: problems.append(m.text))
    page.goto(benchmark_file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.title() == "A benchmark"
    assert (requests, problems) == ([benchmark_file.as_uri()], [])
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator("section").count() == 15
    drawings = page.locator("figure svg").all()
    assert len(drawings) + page.locator(".forest").count() == page.locator("figure").count() > 10
    first = page.locator("#summary table")
    assert width < 1280 or first.evaluate("e => e.scrollWidth <= e.parentElement.clientWidth")
    paper = page.evaluate("getComputedStyle(document.querySelector('figure')).backgroundColor")
    for drawing in drawings:
        assert drawing.bounding_box()["width"] > 100
        assert drawing.locator("text").first.evaluate("e => getComputedStyle(e).fill") != paper
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5')].map(h => +h.tagName[1])")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("which", ["listed_file", "benchmark_file", "many_file"])
def test_axe_finds_no_serious_violation(browser, request, which, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(request.getfixturevalue(which).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert serious(page) == []
    context.close()


@pytest.fixture(scope="module")
def many_file(tmp_path_factory):
    """Three models and ten values, people's labels of all of it."""
    labels, models = ("adhere", "oppose", "unrelated", "adhere"), ("first/model-with-a-name", "second", "third")
    responses = [Response(id=f"{m}-{i}", scenario=f"s{i // 2}", response="Yes.", metadata={"model": m}) for m in models for i in range(40)]
    verdicts = [
        Verdict(id=r.id, value=f"value_{v}", status="ok", label=labels[(i + v * (1 + i % 3)) % 4])
        for i, r in enumerate(responses)
        for v in range(10)
    ]
    rows = [{"id": v.id, "response": "Yes.", "value": v.value, "label": v.label, "model": v.id.rpartition("-")[0]} for v in verdicts]
    folder = tmp_path_factory.mktemp("many")
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(row | {"inclusion_probability": 1}) for row in rows))
    return write_report(verdicts, folder / "r.html", responses=responses, audit=folder / "labels.jsonl")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_finding_and_its_figure_stand_in_the_first_screen(browser, many_file, width, height):
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(many_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    names = page.locator(".forest .dot").all()
    assert len(names) == 30
    tops = [name.bounding_box() for name in names]
    assert min(box["height"] for box in tops) >= 16
    assert sum(box["y"] + box["height"] <= height for box in tops) >= (24 if width == 1280 else 12)
    assert page.locator(".lead").bounding_box()["y"] < tops[0]["y"]
    page.close()
