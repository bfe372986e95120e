"""What the README shows, runs. A block behind `<!-- needs a key -->` is compiled only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(
    r"^(?P<mark><!-- needs a key -->\n)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
BLOCKS = list(BLOCK.finditer(README.read_text(encoding="utf-8")))


def test_the_readme_has_blocks() -> None:
    assert len(BLOCKS) >= 4
    assert README.read_text(encoding="utf-8").count("```python") == len(BLOCKS)


# One block shows a row that stays open, and the warning is part of that.
@pytest.mark.filterwarnings("ignore::exactbuyer.IncompleteWarning")
def test_blocks_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    results: list[Any] = []
    for block in BLOCKS:
        line = README.read_text(encoding="utf-8").count("\n", 0, block.start("code"))
        # As many empty lines before it: a traceback then names the README's own line.
        code = compile("\n" * line + block["code"], str(README), "exec")
        if not block["mark"]:
            exec(code, names)
            results.append(names.get("results"))
    # What the comments of the first and the last block say.
    assert results[0][0]["enriched_contact"]["full_name"] == "Ana Almeida"
    assert results[-1][0]["status"] == "unknown"
