"""Every refusal a client can get has its page below /v1/errors."""

from __future__ import annotations

import ast

from riskapi.api.problems import PROBLEMS
from tests.architecture.sources import modules

#: Raised for the operator's commands alone, which print the sentence.
_COMMANDS_ONLY = {"empty-folder", "session-not-over"}
#: Reasons inside a judged file: rows of an import, with their own list.
_ROW_REASONS = "portfolios/feeds"


def test_every_code_of_a_refusal_is_described() -> None:
    unknown = {
        f"{path}:{keyword.value.lineno} {keyword.value.value}"
        for path, tree in modules("portfolios", "analytics").items()
        if not path.as_posix().startswith(_ROW_REASONS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "code"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
        and keyword.value.value not in PROBLEMS.keys() | _COMMANDS_ONLY
    }

    assert unknown == set()
