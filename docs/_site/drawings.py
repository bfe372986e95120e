"""Draws the plots of the performance page from its tables, and the architecture: `make drawings`.

The drawings are in the repository, and a test compares them with what this would draw now. Their colours are
those of the text around them: see `static/exactbuyer.css`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

DESIGN = Path(__file__).resolve().parents[1] / "design"
OURS = "exactbuyer"
WIDTH = 480
LETTER = 7.2
"""The width of a letter of a label, so that the longest label fits in most fonts."""

STYLE = (
    ".d{font:13px system-ui,sans-serif;color:#24292f}@media(prefers-color-scheme:dark){.d{color:#e6e6e6}}"
    ".d text{fill:currentColor}.d .b{font-weight:600}.d .s{font-size:11px;opacity:.75}"
    ".d .ours{fill:#2a7de1}.d .theirs{fill:#8b96a5}.d .soft{opacity:.45}"
    ".d .box{fill:#8b96a5;fill-opacity:.14;stroke:#8b96a5}"
    ".d .room{fill:none;stroke:#8b96a5;stroke-dasharray:4 3}"
)

VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]

Bar = tuple[str, "list[tuple[float, str]]", bool]
"""A label; its values, each with its text; and whether it is ours."""


def drawings() -> dict[Path, str]:
    """Every drawing, by its file."""
    page = (DESIGN / "performance.md").read_text(encoding="utf-8")
    clients = [row for row in table(page, "client") if row[1]]
    pythons = table(page, "", *VERSIONS)
    growth = table(page, "rows", "CPU µs a row: frame")
    return {
        DESIGN / "figures/clients.svg": bars(
            "CPU seconds for 100,000 rows; pale: reading twelve fields of each result afterwards",
            [
                _client(row, (float(row[1]), float(row[2]) - float(row[1])), f"{row[1]} + {_rest(row)}")
                for row in clients
            ],
        ),
        DESIGN / "figures/memory.svg": bars(
            "Peak memory for 100,000 rows, in MB", [_client(row, (float(row[3]),), row[3]) for row in clients]
        ),
        DESIGN / "figures/pythons.svg": bars(
            "CPU seconds for 100,000 rows, by version of Python; pale: with the collector off",
            _pythons(VERSIONS, pythons),
        ),
        DESIGN / "figures/growth.svg": bars(
            "Memory of enrich_table on top of the start, in MB; pale: from reader to reader",
            list(_growth(growth)),
        ),
        DESIGN / "figures/architecture.svg": architecture(),
    }


def table(page: str, *head: str) -> list[list[str]]:
    """The rows of the first table of a page whose head begins with these cells, without marks of Markdown."""
    lines = page.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|") and tuple(_cells(line)[: len(head)]) == head:
            return [_cells(row) for row in lines[number + 2 : lines.index("", number)]]
    message = f"the page has no table with the head {head}"
    raise ValueError(message)


def _cells(line: str) -> list[str]:
    return [re.sub(r"[`*]", "", cell).strip() for cell in line.strip().strip("|").split("|")]


def _rest(row: list[str]) -> str:
    return f"{float(row[2]) - float(row[1]):.2f}"


def _client(row: list[str], values: tuple[float, ...], text: str) -> Bar:
    texts = ["" for _ in values[:-1]] + [text]
    name = "… collector off" if row[0].startswith("the same") else row[0]
    return name, list(zip(values, texts, strict=True)), row[0] == OURS


def _pythons(versions: list[str], rows: list[list[str]]) -> list[Bar]:
    ours = next(row for row in rows if row[0] == "exactbuyer, CPU s")
    theirs = next(row for row in rows if row[0].startswith("aiohttp + orjson, CPU s"))
    drawn: list[Bar] = []
    for place, version in enumerate(versions, 1):
        on, off = (part.strip() for part in theirs[place].split("·"))
        drawn += [
            (f"{version}: exactbuyer", [(float(ours[place]), ours[place])], True),
            ("aiohttp + orjson", [(float(on), on)], False),
            ("… collector off", [(0.0, ""), (float(off), off)], False),
        ]
    return drawn


def _growth(rows: list[list[str]]) -> list[Bar]:
    drawn: list[Bar] = []
    for count, _, _, frame, reader in rows:
        if frame:
            drawn.append((f"{count} rows: frame", [(_number(frame), frame)], True))
        drawn.append(
            (f"{count} rows: reader" if not frame else "reader", [(0.0, ""), (_number(reader), reader)], True)
        )
    return drawn


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def bars(title: str, rows: list[Bar]) -> str:
    """Horizontal bars. The second value of a bar is pale, and begins where the first ends."""
    longest = max(sum(value for value, _ in values) for _, values, _ in rows)
    labels = 12 + LETTER * max(len(label) for label, _, _ in rows)
    scale = (WIDTH - labels - 84) / longest
    parts = [_text(0, 14, title, "s")]
    for number, (label, values, ours) in enumerate(rows):
        top, left = 26 + 24 * number, labels
        parts.append(_text(labels - 8, top + 14, label, "b" if ours else "", anchor="end"))
        for place, (value, text) in enumerate(values):
            kind = ("ours" if ours else "theirs") + (" soft" if place else "")
            if value:
                parts.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{value * scale:.1f}" height="18"/>'
                )
            left += value * scale
            if text:
                parts.append(_text(left + 6, top + 14, text, "b" if ours else ""))
    return _svg(26 + 24 * len(rows), parts, title)


# The rooms of the package, from top to bottom: each uses those below it.
LAYERS: list[tuple[str, list[list[tuple[str, str]]]]] = [
    (
        "python/exactbuyer",
        [
            [("cli/", "files, options, exit codes")],
            [("enricher.py, _enrich*.py", "the public calls")],
            [
                ("_calls/", "one call, and how it ends"),
                ("store/, sandbox/", "questions to a store; the sandbox"),
            ],
            [
                ("_frames/", "kinds of tables"),
                ("settings/", "checked settings"),
                ("report/", "what people read"),
            ],
        ],
    ),
    (
        "crates",
        [
            [("python/", "objects in and out (pyo3)")],
            [
                ("dispatch/", "carries out a run: tasks, timers"),
                ("http/", "the real network"),
                ("store/", "SQLite"),
            ],
            [
                ("arrow/", "Arrow columns"),
                ("sandbox/", "the local stand-in"),
                ("records/", "CSV, JSON Lines"),
            ],
            [
                (
                    "core/",
                    "identifiers, plans, decisions, budget, encoding. Pure: no clock, no network, no files",
                )
            ],
        ],
    ),
]


def architecture() -> str:
    """The rooms as boxes, one above the other."""
    parts: list[str] = []
    top, width = 0, 640
    for title, rows in LAYERS:
        height = 26 + 52 * len(rows)
        parts.append(f'<rect class="room" x="1" y="{top + 1}" width="{width - 2}" height="{height}" rx="6"/>')
        parts.append(_text(12, top + 18, title, "s"))
        for number, row in enumerate(rows):
            each = (width - 16 - 8 * len(row)) / len(row)
            for place, (name, what) in enumerate(row):
                left, upper = 12 + place * (each + 8), top + 26 + 52 * number
                parts.append(
                    f'<rect class="box" x="{left:.1f}" y="{upper}" width="{each:.1f}" height="44" rx="4"/>'
                )
                middle = left + each / 2
                parts.append(_text(middle, upper + 18, name, "b", anchor="middle"))
                parts.append(_text(middle, upper + 35, what, "s", anchor="middle"))
        top += height + 12
    return _svg(top, parts, "The rooms of the package: each box uses boxes below it", width)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(height: int, parts: list[str], title: str, width: int = WIDTH) -> str:
    # On a phone, a wide drawing scrolls by itself instead of becoming too small to read.
    size = f'viewBox="0 0 {width} {height + 4}" width="{width}" style="min-width:{width * 7 // 10}px"'
    head = f'<svg class="d" xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", *parts, "</svg>", ""]
    )


if __name__ == "__main__":
    for file, drawing in drawings().items():
        file.write_text(drawing, encoding="utf-8")
