"""The page of a ledger stands alone, keeps its style to itself, and shows every name as text."""

import html
import math
import re
from html.parser import HTMLParser

import pytest

from truestep.explain import html as rendering
from truestep.explain.figures import percent
from truestep.explain.sheets import bars_of, sheets
from truestep.store.atomic import StoreError
from unit.ledger_cases import HOSTILE, REAL, chosen, deep, everything, hostile

VOID = {"meta", "br", "img", "link", "input", "hr"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "section", "h2", "h3", "p", "dl", "dt", "dd", "div", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "span", "i", "b", "details", "summary", "ul", "li",
}  # fmt: skip
ATTRIBUTES = {"class", "style", "scope", "aria-hidden", "lang", "charset", "name", "content"}


class Reader(HTMLParser):
    """Tags, attributes and text of a page, which must close every tag that it opens."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts, self.closed = [], [], [], [], 0
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self):
        return " ".join("".join(text for _, text in self.texts).replace("\N{NO-BREAK SPACE}", " ").split())


def styles(page):
    return "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))


def selectors(style):
    """Every selector of a sheet, those inside of @media too."""
    flat = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", style)
    assert "@" not in flat
    heads = re.findall(r"([^{}]+)\{[^{}]*\}", flat)
    return [one.strip() for head in heads for one in re.split(r",(?![^(]*\))", head)]


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_a_page_has_no_script_and_takes_nothing_from_elsewhere(case, tmp_path):
    ledger = case()
    for page in (rendering.page(ledger), ledger.to_html(tmp_path / "step.html").read_text(encoding="utf-8")):
        found = Reader(page)
        assert set(found.tags) <= KNOWN
        assert {name for _, name, _ in found.attributes} <= ATTRIBUTES
        assert not re.search(r"url\(|@import|expression\(", styles(page))
        assert all(re.fullmatch(r"[\w\s:;.,()%#-]*", value) for _, name, value in found.attributes if name == "style")


def test_hostile_names_are_text_and_nothing_else(tmp_path):
    ledger = hostile()
    written = ledger.to_html(tmp_path / "step.html").read_text(encoding="utf-8")
    assert "<img" not in written
    assert "<script" not in written
    assert written.count("</style>") == written.count("<style>") == 2
    text = Reader(written).text
    for name in HOSTILE[:3]:
        assert name.replace(".", "") in text
        assert html.escape(name.replace(".", "")) in written.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_the_page_says_what_the_tables_say(case):
    ledger = case()
    found = Reader(rendering.page(ledger))
    assert " ".join(ledger.words.split()) in found.text
    for sheet in sheets(ledger):
        assert sheet.title in found.text
        if sheet.key != "causes":
            assert " ".join(sheet.words.split()) in found.text
        for row in sheet.rows:
            for cell in row:
                for told in [cell] if isinstance(cell, str) else [bar.text for bar in bars_of(cell)]:
                    assert " ".join(told.split()) in found.text


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_every_row_and_column_has_its_header_and_every_table_its_caption(case):
    ledger = case()
    found = Reader(rendering.page(ledger))
    scopes = [value for tag, name, value in found.attributes if name == "scope" and tag == "th"]
    assert len(scopes) == found.tags.count("th")
    assert found.tags.count("caption") == found.tags.count("table")
    assert scopes.count("row") == sum(len(sheet.rows) for sheet in sheets(ledger))
    assert found.tags.count("tr") == scopes.count("row") + found.tags.count("table")


def test_a_notebook_keeps_its_own_style():
    page = everything()._repr_html_()
    assert all(one.startswith((".truestep-ledger", ":is([data-jp")) for one in selectors(styles(page)))
    assert all(".truestep-ledger" in one for one in selectors(styles(page)))
    assert not {"html", "head", "body", "meta", "title"} & set(Reader(page).tags)
    assert " id=" not in page


def test_the_page_follows_a_dark_screen_and_prints_all_of_itself():
    style = styles(everything()._repr_html_())
    assert "@media screen and (prefers-color-scheme:dark)" in style
    assert "@media print" in style
    assert "details::details-content{content-visibility:visible" in style.replace("\n", "")


def test_in_a_notebook_it_follows_the_notebook_and_not_the_screen():
    style = styles(everything()._repr_html_())
    for host, look in (('"false"', rendering.NIGHT), ('"true"', rendering.DAY)):
        (rule,) = re.findall(rf"(:is\(\[data-jp-theme-light={host}[^{{]*){{([^}}]*)}}", style)
        assert rule[1] == look
        assert style.index(rule[0]) > style.index("prefers-color-scheme")  # the later one holds


def luminance(colour):
    parts = [int(part * (2 if len(colour) == 4 else 1), 16) / 255 for part in re.findall(
        "[0-9a-f]" if len(colour) == 4 else "[0-9a-f]{2}", colour)]  # fmt: skip
    bent = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * bent[0] + 0.7152 * bent[1] + 0.0722 * bent[2]


def test_text_has_the_contrast_that_wcag_asks_for_in_light_and_dark():
    looks = r"--ink:(#\w+);--quiet:(#\w+);.*?--paper:(#\w+);--plain:(#\w+)"
    schemes = set(re.findall(looks, rendering.STYLE, re.DOTALL))
    assert len(schemes) == 2
    for ink, quiet, paper, plain in schemes:
        for colour, least in ((ink, 7.0), (quiet, 4.5), (plain, 3.0)):
            lights = sorted((luminance(colour), luminance(paper)))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= least


def test_bars_are_drawn_on_both_sides_of_one_zero_and_told_in_figures():
    page = rendering.page(chosen({"a": 1.5, "b": 0.5, "c": -1.0}))
    bars = re.findall(r'<div class="bar" aria-hidden="true">(.*?)</div>', page)
    assert len(bars) == page.count('class="bar"')
    ends = [[tuple(map(float, pair)) for pair in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", bar)] for bar in bars]
    stacked = next(pairs for pairs in ends if len(pairs) == 3)
    assert stacked == [
        (pytest.approx(33.333, abs=1e-3), pytest.approx(50.0)),
        (pytest.approx(83.333, abs=1e-3), pytest.approx(16.667, abs=1e-3)),
        (pytest.approx(0.0), pytest.approx(33.333, abs=1e-3)),
    ]
    assert all(left >= 0 and left + size <= 100.01 for pairs in ends for left, size in pairs)
    for share in (1.5, 0.5, -1.0):
        assert percent(share) in Reader(page).text


def test_what_is_not_finite_has_figures_and_no_bar():
    found = Reader(rendering.page(chosen({"mse": math.nan}, change=math.nan)))
    assert "nan" in found.text
    assert not any("nan" in value or "inf" in value for _, name, value in found.attributes if name == "style")


def test_rows_beyond_the_first_are_folded_but_there():
    found = Reader(rendering.page(deep()))
    assert found.tags.count("details") == 3
    assert "and 40 more" in found.text
    assert "Parameters, largest change first: the next 40" in found.text
    assert all(f"{number}.weight" in found.text for number in range(25))


def test_how_to_read_shares_is_told_only_where_something_moved():
    assert rendering.SHARES in Reader(rendering.page(chosen({"mse": 1.0}))).text
    assert rendering.SHARES not in Reader(rendering.page(chosen({"mse": 0.0}, change=0.0))).text


def test_a_page_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "missing" / "step.html"
    with pytest.raises(StoreError, match=r"step\.html cannot be written: .*; make its folder first"):
        everything().to_html(path)


def test_the_same_ledger_gives_the_same_bytes(tmp_path):
    ledger = everything()
    first = ledger.to_html(tmp_path / "a.html").read_bytes()
    assert first == ledger.to_html(str(tmp_path / "b.html")).read_bytes()
    assert first.startswith(b'<!doctype html>\n<html lang="en">')
