"""The manual of the rules says what their docstrings say."""

from pathlib import Path

from docs.rule_pages import pages

PAGE = Path(__file__).parents[2] / "docs" / "check-rules.md"


def test_the_manual_is_that_of_the_rules():
    assert PAGE.read_text(encoding="utf-8") == pages(), "python tests/docs/rule_pages.py > docs/check-rules.md"
