import json
import random

import pytest

from clave.records import Verdict
from clave.report import listing
from clave.report.forms.html import to_html
from clave.report.forms.json import to_json
from clave.report.listing import Listed
from clave.report.page import Page


def made(n):
    return [Verdict(id=f"r{i}", value="care", status="ok", label="adhere") for i in range(n)]


def listed(verdicts):
    kept = Listed()
    for verdict in verdicts:
        kept.add(verdict, "a")
    return kept.section({"care": "Care"})


def test_a_limit_is_said_and_no_order_of_the_rows_changes_what_is_kept(monkeypatch):
    monkeypatch.setattr(listing, "MOST", 10)
    verdicts = made(50)
    section = listed(verdicts)
    assert section.text.startswith("A random 10 of 50 verdicts")
    assert len(section.listing.rows) == 10
    mixed = listed(random.Random(1).sample(verdicts, 50))
    assert {text[0] for text in mixed.listing.texts} == {text[0] for text in section.listing.texts}


def test_all_are_there_below_the_limit_in_the_order_of_the_rows():
    section = listed(made(20))
    assert (section.title, [text[0] for text in section.listing.texts]) == ("All verdicts", [f"r{i}" for i in range(20)])


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<!--<script>", "\u2028]]>&amp;\ud800"])
def test_no_text_leaves_the_data(text):
    section = listed([Verdict(id=text, value=text, status="failed", reason=text)])
    page = to_html(Page("t", sections=(section,)))
    data = page.split('id="verdict-data">')[1].split("</script>")[0]
    assert not set(data) & set("<>&")
    assert json.loads(data)["rows"][0][2] == "failed"
    assert "listing" not in to_json(Page("t", sections=(section,)))
