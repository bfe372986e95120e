"""Each wall can fall: a small house is built, stands, and then has one thing wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "walls"))

import walls

HOUSE = {
    "pyproject.toml": '[project]\ndependencies = ["tqdm>=4"]\nlicense = "MIT"\n',
    "CONTRIBUTING.md": "`bytes` and `tqdm` are good.\n",
    "crates/core/Cargo.toml": '[package]\nname = "x"\n[dependencies]\nbytes = "1"\n[features]\nodd = []\n',
    "crates/core/src/lib.rs": "pub mod plan;\npub mod error;\n",
    "crates/core/src/error.rs": "pub struct Error;\n",
    "crates/core/src/identifier/mod.rs": "use crate::error::Error;\n",
    "crates/core/src/plan.rs": (
        "use crate::identifier::Identifier; // not crate::store\n"
        "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\n"
    ),
    "crates/core/src/config.rs": "use crate::service::limits::MAX_CHUNK;\n",
    "crates/core/src/service/mod.rs": "pub mod limits;\n",
    "crates/core/src/service/limits.rs": 'pub const BASE_URL: &str = "https://api.exactbuyer.com";\n',
    "crates/dispatch/src/lib.rs": "use tokio::time::Instant;\n",
    "python/exactbuyer/__init__.py": "",
    ".github/workflows/ci.yml": f"  - uses: ./own.yml\n  - uses: others/action@{'0a' * 20} # v1.2.3\n",
}

BREACHES = [
    ("rooms of the core", "crates/core/src/plan.rs", "use crate::store::Store;\n"),
    ("rooms of the core", "crates/core/src/plan.rs", "fn f() { crate::service::decode::decode(); }\n"),
    ("rooms of the core", "crates/core/src/plan/table.rs", "use crate::schedule::Step;\n"),
    ("rooms of the core", "crates/core/src/service/limits.rs", "use crate::config::Config;\n"),
    ("rooms of the core", "crates/core/src/plan.rs", "use crate::{store::Store};\n"),
    ("rooms of the core", "crates/core/src/plan.rs", "use super::store::Store;\n"),
    ("rooms of the core", "crates/core/src/plan/table.rs", "use super::super::schedule::Step;\n"),
    ("rooms of the core", "crates/core/src/cellar.rs", "pub struct Barrel;\n"),
    ("service literals", "crates/dispatch/src/lib.rs", 'const U: &str = "https://api.exactbuyer.com";\n'),
    ("service literals", "crates/core/src/pace.rs", "const W: Duration = Duration::from_secs(60);\n"),
    ("one platform module", "crates/dispatch/src/lib.rs", "#[cfg(all(unix, not(test)))]\n"),
    ("one platform module", "crates/dispatch/src/lib.rs", 'if cfg!(target_os = "linux") {}\n'),
    ("one platform module", "crates/dispatch/src/lib.rs", "use std::os::fd::AsRawFd;\n"),
    ("file length", "crates/core/src/plan.rs", "//\n" * (walls.MAX_LINES + 1)),
    ("telling names", "crates/core/src/service/utils.rs", "\n"),
    ("telling names", "python/exactbuyer/_helpers.py", "\n"),
    ("explained dependencies", "CONTRIBUTING.md", "`bytes` is good.\n"),
    ("explained dependencies", "CONTRIBUTING.md", "`tqdm` is good.\n"),
    ("pinned actions", ".github/workflows/ci.yml", "  - uses: others/action@v1\n"),
    ("pinned actions", ".github/workflows/ci.yml", "  - uses: others/action@release/v1 # v1.2.3\n"),
]


def build(root: Path) -> Path:
    for name, text in HOUSE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("guard", walls.GUARDS)
def test_a_sound_house_stands(tmp_path: Path, guard: str) -> None:
    finding = walls.GUARDS[guard](build(tmp_path))
    assert finding.breaches == []
    assert finding.holds


@pytest.mark.parametrize("guard", walls.GUARDS)
def test_a_guard_that_sees_nothing_does_not_hold(tmp_path: Path, guard: str) -> None:
    assert not walls.GUARDS[guard](tmp_path).holds


@pytest.mark.parametrize(("guard", "name", "text"), BREACHES)
def test_a_breach_is_found_where_it_is(tmp_path: Path, guard: str, name: str, text: str) -> None:
    path = build(tmp_path) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    finding = walls.GUARDS[guard](tmp_path)
    assert finding.breaches
    assert all(breach.startswith(name) for breach in finding.breaches), finding.breaches


def test_a_long_flat_folder_is_found(tmp_path: Path) -> None:
    build(tmp_path)
    for number in range(walls.MAX_FILES):
        (tmp_path / f"crates/core/src/room{number}.rs").touch()
    assert walls.folder_size(tmp_path).breaches[0].startswith("crates/core/src: ")


def test_files_of_tests_alone_are_not_looked_at(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "crates/core/src/plan").mkdir()
    (tmp_path / "crates/core/src/plan/tests.rs").write_text("use crate::store::Store;\n")
    finding = walls.rooms_of_the_core(tmp_path)
    assert finding.holds
    assert "crates/core/src/plan/tests.rs" not in finding.seen
