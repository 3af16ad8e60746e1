"""What a program calls a figure, where nothing else tells whether it rises or falls as a model gets better."""

from __future__ import annotations

import ast
import re

from truestep.check.rules._source import tree_of
from truestep.check.site import Site

RISING = {
    "acc", "accuracy", "auc", "auroc", "auprc", "ndcg", "mrr", "recall", "precision", "dice", "iou", "miou", "psnr",
    "ssim", "bleu", "kappa", "mcc",
}  # fmt: skip
FALLING = {"loss", "losses", "err", "error", "errors", "mse", "mae", "rmse", "nll", "minus", "neg", "gap", "cost"}


def rises(words: str) -> bool:
    """Whether the words name a score that is best when largest, and nothing that is best when smallest."""
    parts = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", words).lower()))
    return bool(parts & RISING) and not parts & FALLING


def argument(site: Site, method: str) -> str:
    """The plain name that is handed to a method on a line; empty where anything is reckoned there."""
    tree = tree_of(site.file)
    for node in ast.walk(tree) if tree is not None else ():
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
        if called and isinstance(node, ast.Call) and node.lineno <= site.line <= (node.end_lineno or node.lineno):
            given = [*node.args, *(each.value for each in node.keywords)][:1]
            return ast.unparse(given[0]) if given and isinstance(given[0], ast.Name | ast.Attribute) else ""
    return ""
