"""Each wall can fall: a small house is built, stands, and then has one thing wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "walls"))

import rules
import rust_source
import walls

HOUSE = {
    "Cargo.toml": '[package]\nname = "x"\n[dependencies]\nbytes = "1"\n[features]\nodd = []\n',
    "pyproject.toml": '[project]\ndependencies = ["tqdm>=4"]\nlicense = "MIT"\n',
    "CONTRIBUTING.md": "`bytes` and `tqdm` are good.\n",
    "src/lib.rs": "pub mod plan;\npub mod dispatch;\n",
    "src/error.rs": "pub struct Error;\n",
    "src/identifier/mod.rs": "use crate::error::Error;\n",
    "src/plan.rs": (
        "use crate::identifier::Identifier; // not crate::dispatch\n"
        'const S: &str = "crate::vendor tokio::spawn(x) \\" {";\n'
        "#[cfg(test)]\nmod tests {\n    use crate::dispatch::run;\n    use tokio::spawn;\n}\n"
    ),
    "src/dispatch/mod.rs": "use tokio::time::{self, Instant};\nuse crate::{plan, vendor::limits};\n",
    "src/vendor/limits.rs": 'pub const BASE_URL: &str = "https://api.exactbuyer.com";\n',
    "src/vendor/transport.rs": "use super::limits::BASE_URL;\nuse reqwest::Client;\n",
    "python/exactbuyer/__init__.py": "\n",
}

SOURCE_GUARDS = {name: guard for name, guard in walls.GUARDS.items() if name != "core without Python"}

BREACHES = [
    ("import direction", "src/plan.rs", "use crate::dispatch::run;\n"),
    ("import direction", "src/plan.rs", "fn f() { crate::vendor::decode::decode(); }\n"),
    ("import direction", "src/identifier/email.rs", "use super::super::plan;\n"),
    (
        "import direction",
        "src/identifier/email.rs",
        "use crate::{error::Error, results::{Status, Receipt}};\n",
    ),
    ("import direction", "src/vendor/decode.rs", "use crate::store::Store;\n"),
    ("import direction", "src/store/mod.rs", "use crate::vendor::decode::Record;\n"),
    ("import direction", "src/cellar.rs", "pub struct Barrel;\n"),
    ("confined names", "src/plan.rs", "use tokio::sync::mpsc;\n"),
    ("confined names", "src/pace.rs", "use std::time::{Duration, Instant};\nfn f() { Instant::now(); }\n"),
    ("confined names", "src/pace.rs", "use std::time;\nfn f() { time::SystemTime::now(); }\n"),
    ("confined names", "src/dispatch/mod.rs", "fn f() { ::pyo3::Python::attach(|_| ()); }\n"),
    ("confined names", "src/dispatch/mod.rs", "use std::{collections::HashMap, fs::File};\n"),
    ("confined names", "src/vendor/wire.rs", "use reqwest::Client;\n"),
    ("confined names", "src/vendor/transport.rs", "use tokio::time;\nfn f() { time::sleep(x); }\n"),
    ("confined names", "src/budget.rs", "fn f() { fastrand::u64(..); }\n"),
    ("vendor literals", "src/dispatch/mod.rs", 'const U: &str = "https://api.exactbuyer.com";\n'),
    ("vendor literals", "src/pace.rs", "const W: Duration = Duration::from_secs(60);\n"),
    ("file length", "src/plan.rs", "//\n" * (rules.MAX_LINES + 1)),
    ("telling names", "src/vendor/utils.rs", "\n"),
    ("telling names", "python/exactbuyer/_helpers.py", "\n"),
    ("explained dependencies", "CONTRIBUTING.md", "`bytes` is good.\n"),
    ("explained dependencies", "CONTRIBUTING.md", "`tqdm` is good.\n"),
]


def build(root: Path) -> Path:
    for name, text in HOUSE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("guard", SOURCE_GUARDS)
def test_a_sound_house_stands(tmp_path: Path, guard: str) -> None:
    finding = SOURCE_GUARDS[guard](build(tmp_path))
    assert finding.breaches == []
    assert finding.holds


@pytest.mark.parametrize("guard", SOURCE_GUARDS)
def test_a_guard_that_sees_nothing_does_not_hold(tmp_path: Path, guard: str) -> None:
    assert not SOURCE_GUARDS[guard](tmp_path).holds


@pytest.mark.parametrize(("guard", "name", "text"), BREACHES)
def test_a_breach_is_found_where_it_is(tmp_path: Path, guard: str, name: str, text: str) -> None:
    path = build(tmp_path) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    finding = SOURCE_GUARDS[guard](tmp_path)
    assert finding.breaches
    assert all(breach.startswith(name) for breach in finding.breaches), finding.breaches


def test_the_bare_core_has_no_python_in_its_tree() -> None:
    assert walls.judge_tree("exactbuyer v0.1.0 (/somewhere)\ntokio v1.54.0\n").holds
    assert not walls.judge_tree("exactbuyer v0.1.0\npyo3-ffi v0.30.1\n").holds
    assert not walls.judge_tree("").holds


def test_a_tree_that_cannot_be_read_does_not_hold(tmp_path: Path) -> None:
    assert not walls.core_without_python(tmp_path).holds


def test_modules_of_tests_alone_are_no_part_of_the_house(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "src/dispatch/mod.rs").write_text("#[cfg(test)]\nmod tests;\n")
    (tmp_path / "src/dispatch/tests.rs").write_text("use crate::sandbox::Sandbox;\n")
    finding = walls.import_direction(tmp_path)
    assert finding.holds
    assert "src/dispatch/tests.rs" not in finding.seen


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("use a::b;", ["a::b"]),
        ("use a::{b, c::{d, e as f}, g};", ["a::b", "a::c::d", "a::c::e", "a::g"]),
        ("use crate::a::{self, b};", ["crate::a::self", "crate::a::b"]),
        ("use super::c::d;", ["crate::room::c::d"]),
        ("use a::*;", ["a"]),
        ("let x = y::<u8>::z(); /* a::b */ // c::d", []),
        ('let s = r#"a::b"#; let c = \'"\'; x::y("z::z")', ["x::y"]),
        ("fn f<'a>(x: &'a str) { a::b('\\'') }", ["a::b"]),
    ],
)
def test_paths_are_read_as_rust_means_them(code: str, paths: list[str]) -> None:
    named = rust_source.named_paths(rust_source.blank(code), ("room", "here"))
    assert [str(path) for path in named] == paths
