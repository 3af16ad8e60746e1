"""The book of lessons: one HTML page in both languages that needs nothing else, no script, no font and no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import truestep as ts
from truestep.store.atomic import write_text

if TYPE_CHECKING:
    from truestep.lessons import Lesson, Measured, Told

TITLE = {"en": "Thirty questions about training, answered by measuring", "zh": "三十个训练问题，用测量来回答"}
LEAD = {
    "en": "Every number below was measured by a short program when this page was made; the programs are in truestep.",
    "zh": "下面的每个数字都是生成本页时由一小段程序测出来的；这些程序就在 truestep 里。",
}
NEXT = {"en": "Try next", "zh": "接着试试"}
CODES = {"en": "en", "zh": "zh-Hans"}
OWN = {"en": "English", "zh": "中文"}

# The language is one of two radio buttons before everything else: what comes after them obeys, without a script.
STYLE = """
:root{--ink:#1b1b1b;--quiet:#595959;--line:#d0d0d0;--paper:#fff;--code:#f4f4f4;--link:#0060a0;color-scheme:light dark}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--quiet:#b0b0b0;--line:#484848;--paper:#181a1f;
 --code:#24272e;--link:#7cc4f2}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:54rem;padding:1rem;color:var(--ink);background:var(--paper);
 font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
#en:checked~* [lang^=zh],#zh:checked~* [lang=en]{display:none}
.tongue{position:absolute;opacity:0}
header{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--line);padding:.4rem 0;z-index:1;
 display:flex;gap:.5rem;justify-content:flex-end}
label{cursor:pointer;padding:.1rem .7rem;border:1px solid var(--line);border-radius:.4rem}
#en:checked~header [for=en],#zh:checked~header [for=zh]{background:var(--ink);color:var(--paper)}
#en:focus-visible~header [for=en],#zh:focus-visible~header [for=zh]{outline:3px solid var(--link);outline-offset:2px}
h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.25rem;margin:2.2rem 0 .4rem;color:var(--quiet)}
h3{font-size:1.2rem;line-height:1.3;margin:0 0 .5rem}
section{border-top:1px solid var(--line);padding:1.4rem 0;scroll-margin-top:3.2rem}
a{color:var(--link)}nav{padding-bottom:1.6rem}nav ol{margin:.2rem 0;padding-left:2.2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.8rem 0;font-size:.94em}
th,td{text-align:right;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:500;vertical-align:bottom}.left{text-align:left}
figure{margin:1rem 0}img{max-width:100%;height:auto;background:#fff;border-radius:.3rem;padding:.4rem;display:block}
figcaption{color:var(--quiet);font-size:.94em;margin-top:.4rem}
code,pre{font:.88em/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--code);border-radius:.3rem}
code{padding:.05em .25em}pre{padding:.7rem;overflow-x:auto}
summary{cursor:pointer;color:var(--quiet)}
@media print{header{display:none}section{break-inside:avoid}}
""".strip()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A lesson that has run, and the files of its figure."""

    lesson: Lesson
    measured: Measured
    figures: Sequence[Path]


def write_book(path: Path, chapters: Sequence[Chapter], language: str) -> Path:
    """Write the page, opened in `language`, and return its path.

    Raises:
        StoreError: where the file cannot be written.
    """
    write_text(path, "\n".join(_page(chapters, language)))
    return path


def _page(chapters: Sequence[Chapter], language: str) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(TITLE[language])}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    for each in CODES:
        checked = " checked" if each == language else ""
        yield f'<input class="tongue" type="radio" name="tongue" id="{each}" aria-label="{OWN[each]}"{checked}>'
    labels = "".join(f'<label for="{each}">{OWN[each]}</label>' for each in CODES)
    yield f"<header>{labels}</header>\n<main>"
    yield _both("h1", TITLE) + _both("p", LEAD)
    by_name = {chapter.lesson.name: chapter for chapter in chapters}
    themes = [(theme, [by_name[name] for name in names if name in by_name]) for theme, names in ts.lessons.THEMES]
    yield "<nav>" + "\n".join(_contents(theme, found) for theme, found in themes) + "</nav>"
    yield from (_section(chapter) for _, found in themes for chapter in found)
    yield "</main>\n</body>\n</html>\n"


def _contents(theme: dict[str, str], chapters: Sequence[Chapter]) -> str:
    items = "".join(
        f'<li value="{lesson.number}"><a href="#{lesson.name}">'
        + _both("span", {each: lesson.question(each) for each in CODES})
        + "</a></li>"
        for lesson in (chapter.lesson for chapter in chapters)
    )
    return f"{_both('h2', theme)}<ol>{items}</ol>"


def _section(chapter: Chapter) -> str:
    lesson = chapter.lesson
    told = {each: lesson.told(chapter.measured, each) for each in CODES}
    said = "".join(
        f'<div lang="{CODES[each]}"><h3>{lesson.number}. {_text(one.question)}</h3><p>{_text(one.answer)}</p>'
        f"{_table(one)}</div>"
        for each, one in told.items()
    )
    caption = _both("span", {each: one.caption for each, one in told.items()})
    code = f"<details><summary>{_both('span', NEXT)}</summary><pre><code>{escape(lesson.code)}</code></pre></details>"
    return f'<section id="{lesson.name}">{said}{_figure(chapter, caption)}{code}</section>'


def _figure(chapter: Chapter, caption: str) -> str:
    drawn = [path for path in chapter.figures if path.suffix == ".svg"]
    if not drawn:
        return ""
    # As an image of its own: the names inside one figure cannot meet those of another.
    data = base64.b64encode(drawn[0].read_bytes()).decode("ascii")
    alt = escape(f"Figure: {chapter.lesson.question()}")
    return (
        f'<figure><img alt="{alt}" src="data:image/svg+xml;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _table(told: Told) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        sides = (' class="left"' if column in told.left else "" for column in range(len(cells)))
        return (
            "<tr>"
            + "".join(f"<{tag}{side}>{_text(cell)}</{tag}>" for side, cell in zip(sides, cells, strict=True))
            + "</tr>"
        )

    body = "\n".join(line("td", row) for row in told.rows)
    return f'<div class="wide"><table><thead>{line("th", told.heads)}</thead><tbody>\n{body}\n</tbody></table></div>'


def _both(tag: str, words: dict[str, str]) -> str:
    return "".join(f'<{tag} lang="{CODES[each]}">{_text(words[each])}</{tag}>' for each in CODES)


def _text(words: str) -> str:
    """Words as HTML, with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
