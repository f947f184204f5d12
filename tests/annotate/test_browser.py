"""The page in a real headless Chromium: two annotators by keyboard, killed tab and server, hostile texts, axe-core."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from axe import serious
from live import Page, chromium, enter, free_port, numbers, replayed

from clave.annotate.exchange import read_judgements
from clave.io import read_labels

SYSTEM = """
id: test_values
name: Test values
version: "1"
values:
  - {id: care, name: Care, definition: Caring for others and sparing them harm.}
  - {id: fairness, name: Fairness, definition: Treating people alike.}
"""
HOSTILE = {
    "script": "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\"> <a href='javascript:1'>x</a>",
    "control": "bell \x07 escape \x1b[31m nul \x00 override \u202egnol\u202c isolate \u2067x\u2069 end.",
    "huge": "word " * 200_000,
    "one word": "x" * 50_000,
    "arabic": "مرحبا بالعالم. كيف حالك؟",
    "chinese": "你好，世界。今天天气很好！",
}


def shared_folder() -> Path:
    folder = Path(os.environ.get("CLAVE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not (folder / "replay" / "items.jsonl").is_file():
        pytest.skip("the real labelled data are not beside this checkout")
    return folder


def live(folder: Path, rows: list[dict[str, str]], *options: str, system: str = SYSTEM) -> Page:
    (folder / "system.yaml").write_text(system, encoding="utf-8")
    (folder / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = Page(folder, free_port(), *options)
    page.start()
    return page


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Page]:
    page = live(tmp_path, [{"id": f"r{i}", "scenario": f"Question {i}?", "response": f"Answer {i}. It goes on."} for i in range(20)])
    yield page
    page.kill()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Page]:
    page = live(tmp_path, [{"id": name, "scenario": text[:500], "response": text, "value": "care"} for name, text in HOSTILE.items()])
    yield page
    page.kill()


def count(tab: object) -> int:
    """How many labels the screen says are the annotator's own."""
    return numbers(tab.inner_text("#count"))[-1]  # type: ignore[attr-defined]


def press(tab: object, key: str, expect: int) -> None:
    tab.keyboard.press(key)  # type: ignore[attr-defined]
    counted(tab, expect)


def counted(tab: object, expect: int) -> None:
    """Wait until the screen counts so many own labels."""
    tab.wait_for_selector(f"#count:has-text('· {expect} ')")  # type: ignore[attr-defined]


def exported(tab: object, page: Page, folder: Path, what: str) -> Path:
    path = folder / f"{what}.jsonl"
    path.write_bytes(tab.request.get(f"{page.address}/export?what={what}").body())  # type: ignore[attr-defined]
    return path


def test_two_annotators_lose_and_double_nothing_when_a_tab_and_the_server_are_killed(tmp_path: Path) -> None:
    """Forty real items, two annotators who label every one of them by keyboard; then the export calibrates an evaluator."""
    shared = shared_folder()
    value = "care"
    rows = [json.loads(line) for line in (shared / "replay" / "items.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [r for r in rows if r["value"] == value and r["split"] == "calibration"][:40]
    known = json.loads((shared / "replay" / "values.json").read_text(encoding="utf-8"))[value]
    definition = json.dumps(known["definition"])
    system = (
        f'id: real\nname: Real\nversion: "1"\nvalues:\n  - {{id: {value}, name: {json.dumps(known["name"])}, definition: {definition}}}\n'
    )
    truth = {r["response"]: {"adhere": "1", "oppose": "2", "unrelated": "3"}[r["label"]] for r in rows}
    items = [{k: r[k] for k in ("id", "scenario", "response")} for r in rows]
    with replayed(shared) as address, chromium() as browser:
        page = live(tmp_path, items, "--overlap", "1", "--model", "vllm/replay", "--base-url", address, system=system)
        try:
            ana, ben = enter(browser, page, "ana"), enter(browser, page, "ben")
            done = Counter[str]()

            def step(tab: object, who: str) -> None:
                text = tab.evaluate("document.getElementById('response').textContent")  # type: ignore[attr-defined]
                done[who] += 1
                press(tab, truth.get(text, "3"), done[who])

            for _ in range(12):
                step(ana, "ana")
                step(ben, "ben")
            context = ana.context
            text = ana.inner_text("#response")
            ana.close()  # in the middle of an item
            ana = context.new_page()
            ana.goto(f"{page.address}/label")
            ana.wait_for_selector("#item:not([hidden])")
            assert ana.inner_text("#response") == text
            for _ in range(5):
                step(ana, "ana")
                step(ben, "ben")
            page.kill()
            ana.keyboard.press("1")  # nobody answers: it must wait in the outbox
            ben.keyboard.press("2")
            ana.wait_for_selector("#alert:not([hidden])")
            ben.wait_for_selector("#alert:not([hidden])")
            ben.close()
            page.start()
            for who in ("ana", "ben"):
                done[who] += 1
            counted(ana, done["ana"])
            assert exported(ana, page, tmp_path, "judgements").read_bytes().count(b"\n") == 18 + 17
            ben = enter(browser, page, "ben")  # another profile: what the closed tab held stays in its own
            done["ben"] -= 1
            while not ana.is_hidden("#item"):
                step(ana, "ana")
            while not ben.is_hidden("#item"):
                step(ben, "ben")
            said = read_judgements(exported(ben, page, tmp_path, "judgements"))
            settled = list(read_labels(exported(ben, page, tmp_path, "labels"), values=[value]))
            calibrates_from_the_page(ben, page)
            calibrates_from_the_command_line(tmp_path, address)
        finally:
            page.kill()
    assert Counter(j.annotator for j in said) == {"ana": 40, "ben": 40}
    assert len({(j.annotator, j.id) for j in said}) == 80
    assert all(j.seconds is not None and j.seconds >= 0 for j in said)
    assert len(settled) >= 38


def calibrates_from_the_page(tab: object, page: Page) -> None:
    """The button shows its price first, and afterwards the guideline that the model wrote."""
    tab.goto(f"{page.address}/guidelines")  # type: ignore[attr-defined]
    assert re.search(r"4\d calls(, \d+ answers in the cache)?, about [\d,]+ tokens, price not known", tab.inner_text("main"))  # type: ignore[attr-defined]
    tab.check("input[name=accepted]")  # type: ignore[attr-defined]
    tab.click("form[action='/calibrate'] button")  # type: ignore[attr-defined]
    for _ in range(1000):
        tab.goto(f"{page.address}/guidelines")  # type: ignore[attr-defined]
        said = tab.inner_text("main")  # type: ignore[attr-defined]
        if "is running" not in said:
            break
    assert "Calibration has ended. evaluator: " in said
    assert "What the model wrote from your labels" in said
    assert (page.folder / "evaluator" / "config.json").is_file()


def calibrates_from_the_command_line(folder: Path, address: str) -> None:
    """`clave calibrate` reads the export as it is, and what it makes can be loaded."""
    from typer.testing import CliRunner

    from clave.cli.main import app
    from clave.evaluator import Clave
    from clave.records import Response

    place = ["--system", str(folder / "system.yaml"), "-o", str(folder / "by-command")]
    model = ["--model", "vllm/replay", "--base-url", address, "--cache", str(folder / "answers.db")]
    result = CliRunner().invoke(app, ["calibrate", str(folder / "labels.jsonl"), *place, *model])
    assert result.exit_code == 0, result.output
    clave = Clave.load(folder / "by-command", base_url=address, cache=folder / "answers.db")
    assert len(clave.fitted.samples) >= 38
    labelled = clave.fitted.samples[0].labelled
    asked = Response(id=labelled.id, scenario=labelled.scenario, response=labelled.response, value=labelled.value)
    assert [v.status for v in clave.evaluate([asked])] == ["ok"]


def test_what_a_closed_tab_could_not_send_is_sent_by_the_next(plain: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, plain, "ana")
        press(tab, "1", 1)
        shown = tab.inner_text("#response")
        context = tab.context
        plain.kill()
        tab.keyboard.press("2")
        tab.wait_for_selector("#alert:not([hidden])")
        tab.close()
        plain.start()
        tab = context.new_page()
        tab.goto(f"{plain.address}/label")
        counted(tab, 2)
        assert tab.inner_text("#response") != shown
        said = read_judgements(exported(tab, plain, plain.folder, "judgements"))
        assert [j.label for j in said] == ["adhere", "oppose"]


def test_keyboard_alone_labels_notes_marks_and_undoes(plain: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, plain, "ana")
        text = tab.inner_text("#response")
        for key in ("j", "j", "e", "n"):
            tab.keyboard.press(key)
        tab.keyboard.type("123 u because")
        tab.keyboard.press("Escape")
        press(tab, "ArrowLeft", 1)
        tab.keyboard.press("u")
        counted(tab, 0)
        assert tab.inner_text("#response") == text
        assert tab.input_value("#note") == "123 u because"
        assert tab.inner_text("#evidence bdi") == "It goes on."
        press(tab, "ArrowRight", 1)
        (said,) = read_judgements(exported(tab, plain, plain.folder, "judgements"))
        assert (said.label, said.note) == ("adhere", "123 u because")
        assert said.evidence[0].text == said.response[said.evidence[0].start : said.evidence[0].end] == "It goes on."
        tab.uncheck("#keys", force=True) if tab.is_visible("#keys") else tab.evaluate("document.getElementById('keys').click()")
        tab.keyboard.press("2")
        assert count(tab) == 1


def test_a_note_under_way_survives_a_closed_tab(plain: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, plain, "ana")
        tab.keyboard.press("n")
        tab.keyboard.type("half a thou")
        context = tab.context
        tab.close()
        tab = context.new_page()
        tab.goto(f"{plain.address}/label")
        assert tab.input_value("#note") == "half a thou"


def test_selected_text_becomes_evidence_with_exact_offsets(hostile: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, hostile, "ana")
        for n in range(len(HOSTILE)):
            tab.wait_for_selector("#item:not([hidden])")
            tab.evaluate("""() => { const box = document.getElementById('response'); const r = document.createRange();
                r.setStart(box.firstChild.firstChild, 2); r.setEnd(box.lastChild.firstChild, box.childNodes.length > 1 ? 1 : 5);
                getSelection().removeAllRanges(); getSelection().addRange(r); }""")
            tab.keyboard.press("e")
            press(tab, "3", n + 1)
        for said in read_judgements(exported(tab, hostile, hostile.folder, "judgements")):
            (mark,) = said.evidence
            assert mark.text == said.response[mark.start : mark.end]
            assert mark.start == 2
            if said.id == "control":
                assert said.response[mark.start : mark.end].startswith("ll \x07 escape \x1b[31m nul \x00")


def test_hostile_texts_neither_run_nor_break_the_screen(hostile: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, hostile, "ana", viewport={"width": 390, "height": 844})
        problems: list[str] = []
        tab.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        tab.on("dialog", lambda d: problems.append("dialog"))
        seen = set()
        for n in range(len(HOSTILE)):
            tab.wait_for_selector("#item:not([hidden])")
            shown = tab.inner_text("#response")
            seen.add(next(name for name, text in HOSTILE.items() if shown[:4] == text[:4]))
            assert tab.title().startswith("Label")
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
            assert tab.evaluate("document.getElementById('response').getBoundingClientRect().height") < 500
            assert tab.is_visible("[data-label=adhere]")
            if shown.startswith("bell"):
                assert "␇" in shown
                assert "␀" in shown
                assert "U+202E" in shown
                assert "\u202e" not in shown
            press(tab, "3", n + 1)
        assert seen == set(HOSTILE)
        for path in ("agreement", "progress", "guidelines", "exchange", "settle"):
            tab.goto(f"{hostile.address}/{path}")
            assert "ran" not in tab.title()
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert problems == []


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Page]:
    rows = [{"id": f"r{i}", "response": f"Answer {i}.", "model": "secret-model"} for i in range(3)]
    (tmp_path / "verdicts.jsonl").write_text(
        "".join(json.dumps({"id": f"r{i}", "value": "care", "status": "ok", "label": "oppose"}) + "\n" for i in range(3))
    )
    page = live(tmp_path, rows, "--overlap", "1", "--check", "verdicts.jsonl")
    yield page
    page.kill()


def test_two_label_all_items_then_settle_by_key_on_one_screen(few: Page) -> None:
    """From the entry page, which says what there is to do, to the export, without leaving the keyboard but for links."""
    with chromium() as browser:
        tab = browser.new_page()
        tab.goto(few.address)
        assert "3 responses" in tab.inner_text("main")
        assert "6 items to label" in tab.inner_text("main")
        assert "about 2 minutes" in tab.inner_text("main")
        for who, key in (("ana", "1"), ("ben", "2")):
            tab = enter(browser, few, who)
            for n in range(6):
                assert tab.is_hidden("#guideline-box[open]")
                assert "secret-model" not in tab.content()
                about_care = tab.inner_text("#name") == "Care"
                press(tab, key, n + 1)
                if about_care:
                    tab.wait_for_selector("#check:not([hidden])")
                    assert ("reads it the same way" in tab.inner_text("#check")) == (key == "2")
            tab.wait_for_selector("#done:not([hidden])")
        assert len(read_judgements(exported(tab, few, few.folder, "judgements"))) == 12
        tab.click("text=Settle disagreements")
        tab.wait_for_selector(".dispute.here")  # the keys are heard from here on
        for n, key in enumerate("123", 1):
            tab.keyboard.press(key)
            tab.wait_for_selector(f"#left:has-text('{6 - n} to settle')")
        tab.keyboard.press("u")
        tab.wait_for_selector("#left:has-text('4 to settle')")
        assert [tab.inner_text(f".dispute:nth-child({n}) .decided").split(": ")[-1] for n in (1, 2)] == ["Adheres", "Opposes"]
        assert "Answer" in tab.inner_text(".dispute.here .text.long")
        tab.click("text=Export the labels")
        tab.wait_for_selector("#import")
        assert [r.label for r in read_labels(exported(tab, few, few.folder, "labels"))] == ["adhere", "oppose"]


def test_the_response_is_large_and_centred_and_the_navigation_whole(plain: Page) -> None:
    with chromium() as browser:
        tab = enter(browser, plain, "ana", viewport={"width": 1280, "height": 800})
        box = tab.evaluate("(({left, right}) => [left, 1280 - right])(document.getElementById('response').getBoundingClientRect())")
        assert abs(box[0] - box[1]) <= 1
        assert 18 <= tab.evaluate("parseFloat(getComputedStyle(document.getElementById('response')).fontSize)") <= 20
        for language in ("en", "zh"):
            narrow = enter(browser, plain, f"narrow {language}", viewport={"width": 390, "height": 844}, locale=language)
            for link in narrow.query_selector_all("header a, header button"):
                place = link.bounding_box()
                assert link.evaluate("e => e.classList.contains('skip')") or 0 <= place["x"] <= place["x"] + place["width"] <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_serious_violation(plain: Page, scheme: str, width: int) -> None:
    with chromium() as browser:
        tab = enter(browser, plain, "ana", color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
        ben = enter(browser, plain, "ben")
        for n in range(1, 4):
            press(tab, "1", n)
            press(ben, "2", n)
        found = []
        for path in ("label", "progress", "agreement", "guidelines", "exchange", "settle", ""):
            if path == "":
                tab.context.clear_cookies()
            tab.goto(f"{plain.address}/{path}")
            found += [(path, *violation) for violation in serious(tab)]
        assert found == []
