"""What the pages of the board do by themselves: curves break off at gaps, values are read, a part is drawn larger."""

import subprocess

import pytest

from unit.script_cases import NODE, STATIC, run


def test_a_curve_breaks_off_at_a_gap_which_has_a_cross_and_a_lone_number_is_a_dot():
    line, dots, crosses = run("""
      const chart = drawn(), d = kind => chart.svg.all(kind).map(each => each.attributes.d).join();
      return [d('line'), d('dots'), d('cross')];""")
    assert (line.count("M"), line.count("L")) == (1, 1)
    assert dots.count("M") == 2  # steps 4 and 6
    assert crosses.count("l6 6") == 2


def test_the_cursor_keys_read_values_and_the_chart_is_told_in_words():
    said, told = run("""
      const chart = drawn(), said = [];
      for (const name of ['End', 'ArrowLeft', 'Home', 'ArrowRight', 'Escape']) {
        key(chart, name);
        said.push(chart.said.textContent);
      }
      return [said, chart.svg.attributes['aria-label']];""")
    assert said == [
        "step 6: training 1",
        "step 5: training not a number",
        "step 1: training 4",
        "step 2: training 3",
        "",
    ]
    assert told.startswith("loss by step. training: 4 at first, 1 at step 6, least 1, most 4. ")


def test_a_log_scale_is_taken_over_two_decades_leaves_out_what_it_cannot_hold_and_is_switched():
    found = run("""
      const chart = drawn(), seen = [chart.log];
      const take = (x, y, anew) => { chart.take('training', 'train', {x, y}, anew); chart.draw(); };
      take([1, 2, 3], [1000, 10, 1], true);
      seen.push(chart.log, chart.box.checked);
      take([4], [-1], false);
      seen.push(chart.log);
      chart.box.checked = true;
      chart.box.heard.change();
      seen.push(chart.log, count(chart.svg.all('line')[0].attributes.d, /[ML]/));
      take([1, 2], [-1, 0], true);
      seen.push(chart.log, chart.box.disabled);
      take([1], [null], true);
      seen.push(chart.figure.empty, chart.said.textContent);
      return seen;""")
    assert found == [
        False,
        True,
        True,
        False,
        True,
        3,
        False,
        True,
        True,
        "Nothing that was recorded here is a number.",
    ]


def test_the_best_has_a_star_where_it_is_drawn_and_is_told_in_words():
    found = run("""
      const chart = drawn(), stars = () => chart.svg.all('star').length, seen = [stars()];
      chart.best = 4;
      for (const part of [null, [1, 4], [4, 6], [1, 3], [5, 6]]) { chart.choose(part); seen.push(stars()); }
      return [seen, chart.svg.attributes['aria-label'].includes(' The best is step 4. ')];""")
    assert found == [[0, 1, 1, 1, 0, 0], True]


def test_what_is_new_goes_behind_and_what_is_anew_takes_the_place():
    assert run("""
      const chart = drawn(), line = chart.lines.get('training');
      chart.take('training', 'train', {x: [7], y: [0.5], trend: {x: [4], y: [2]}}, false);
      const grown = [line.x.length, line.trend.y, chart.points];
      chart.take('training', 'train', {x: [1], y: [9]}, true);
      return [grown, chart.points];""") == [[7, [2], 7], 1]


def test_a_part_is_dragged_out_gets_points_of_its_own_and_is_left_again():
    found = run("""
      const asked = [], fine = {label: 'training', x: [21, 21.5, 41, 60, 62], y: [3, 30, 3, 3, 2]};
      const chart = drawn(async (...part) => { asked.push(part.map(Math.round)); return [fine]; });
      const x = Array.from({length: 101}, (_, n) => n + 1);
      chart.take('training', 'train', {x, y: x}, true);
      chart.draw();
      const drag = (type, clientX) =>
        chart.svg.heard[type]({type, clientX, pointerType: 'mouse', preventDefault() {}});
      drag('pointerdown', 58 + 530 / 5);
      drag('pointermove', 200);
      drag('pointerup', 58 + 530 * 3 / 5);
      await pause();
      const told = chart.svg.attributes['aria-label'];
      const part = [chart.part.map(Math.round), chart.whole.hidden, told.includes('most 30')];
      key(chart, 'Escape');
      const left = [chart.part, chart.whole.hidden];
      key(chart, 'Home', '+');
      await pause();
      const near = chart.part;
      key(chart, '+', '-', '-');
      drag('pointerdown', 300);
      drag('pointerup', 302); // a click is no part
      return [asked, part, left, near, chart.part];""")
    asked, part, left, near, after = found
    assert asked == [[21, 61], [1, 51], [1, 26], [1, 51]]
    assert part == [[21, 61], False, True]
    assert left == [None, True]
    assert near == [1, 51]
    assert after is None


def test_numbers_and_axes_are_in_round_figures():
    assert run("return [nearest([1, 2, 9], 5), nearest([1, 2, 9], 6), nearest([1, 2, 9], -5), nearest([1], 7)]") == [
        1,
        2,
        0,
        0,
    ]
    assert run("return [ticks(0, 1, 5), ticks(-3, 12, 5), ticks(0.11, 0.13, 3)]") == [
        [0, 0.2, 0.4, 0.6, 0.8, 1],
        [0, 5, 10],
        [0.11, 0.12, 0.13],
    ]
    assert run("return [1234567, 0.00012345, 0.123456, null, 0].map(words)") == [
        "1,234,567",
        "1.234e-4",
        "0.12346",
        "not a number",
        "0",
    ]
    assert run("return [1e-5, 2.5e7, 0.1 + 0.2, 2e7, 2.55e7].map(round)") == ["1e-5", "2.5e7", "0.3", "2e7", "2.55e7"]


@pytest.mark.parametrize("page", ["list", "run", "compare", "live", "chart", "charts", "drawing"])
def test_every_script_can_be_read(page):
    subprocess.run(
        [str(NODE), "--check", "--input-type=module"], input=(STATIC / f"{page}.js").read_text(), text=True, check=True
    )
