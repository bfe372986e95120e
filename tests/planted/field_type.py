"""Shows that a new field type cannot be forgotten anywhere: `python tests/planted/field_type.py`.

Adds `Domain` to the list of field types in a copy of the tree, and changes nothing else. Then each place that
must know the new type has to be reported: by the compiler, because a `match` lacks it, or by a test that
fails. Places that follow from the list must work at once. Needs cargo and the Python of the checks, and some
ten minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from plant import COPIED, ROOT, Tree

LIST = "crates/core/src/identifier/mod.rs"
LAST = '        SocialProfile = "social_profile",\n'
NEW = '        /// The domain of a company.\n        Domain = "domain",\n'

# What the list itself needs for the new type. It is filled in, so that the places that follow from it work.
IN_THE_LIST = ("3", '"a domain"')

NAMED_BY_THE_COMPILER = {
    LIST: "its number in stored files, its noun in messages, and the reader",
    "crates/sandbox/src/field_types.rs": "the sandbox",
    "crates/store/src/sqlite/recognise/mod.rs": "finding and purging people",
}
NAMED_BY_A_TEST = {
    "the_corpus_holds": "inference, and the examples of the contract",
    "service::align::tests::a_spelling_of_the_vendors_own_is_recognised": "the alignment, by the reader",
    "identifier::tests::the_documentation_has_every_field_type": "the documentation",
    "field_types::tests::spellings_of_one_identifier_meet": "the sandbox's spellings",
    "test_the_literals_are_the_lists_of_the_core": "the Literal of Python",
}
FOLLOWS = {
    "identifier::tests::names_and_numbers_lead_back": "its names",
    "service::wire::tests::round_trip": "the encoding of requests",
    "sqlite::tables::block::tests::every_field_type_comes_out_as_it_went_in": "the encoding of the store",
    "query::tests::every_field_type_is_read": "the requests that the sandbox reads",
    "test_messages_name_every_field_type[domain]": "the messages about rows",
}

RUST_TESTS = ("-p", "exactbuyer_core", "-p", "exactbuyer_store", "-p", "exactbuyer_sandbox")
FILTERS = ("align", "block", "field_type", "identifier::tests", "query", "wire")


class Planted(Tree):
    """A copy of the tree with the new field type."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, (*COPIED, "docs", "python"))
        self.environment = os.environ | {
            "CARGO_TARGET_DIR": str(self.target),
            "CARGO_TERM_COLOR": "never",
            "EXACTBUYER_OFFLINE": "1",
            "PYTHONPATH": str(self.path / "python"),
            "PYO3_BUILD_EXTENSION_MODULE": "1",
        }
        path = self.path / LIST
        sound = path.read_text(encoding="utf-8")
        assert sound.count(LAST) == 1, "see LAST"
        path.write_text(sound.replace(LAST, LAST + NEW), encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the copy."""
        return subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False
        )

    def compile(self) -> set[str]:
        """Adds missing arms until it compiles. Returns the files whose `match` lacked the new field type."""
        named: set[str] = set()
        while missing := self._missing():
            for path, arms in missing.items():
                named.add(path)
                raw = (self.path / path).read_bytes()
                fill = iter(IN_THE_LIST) if path == LIST else iter(())
                filled = {
                    start: text.replace("todo!()", next(fill, "todo!()"))
                    for start, text in sorted(arms.items())
                }
                for start, text in sorted(filled.items(), reverse=True):
                    raw = raw[:start] + text.encode() + raw[start:]
                (self.path / path).write_bytes(raw)
        return named

    def _missing(self) -> dict[str, dict[int, str]]:
        """The arms that the compiler proposes: for each file, the texts to insert, by their position."""
        checked = self.run(
            "cargo", "check", "--locked", "--workspace", "--all-targets", "--message-format=json"
        )
        arms: dict[str, dict[int, str]] = {}
        for line in checked.stdout.splitlines():
            message: dict[str, Any] = json.loads(line).get("message") or {}
            if message.get("level") != "error" or message.get("code") is None:
                continue
            if message["code"]["code"] != "E0004":
                sys.exit(f"it does not compile:\n{message['rendered']}")
            spans = [span for child in message["children"] for span in child["spans"]]
            for span in spans:
                # The compiler names the type by a path that may not be in scope.
                if text := re.sub(r"(?:\w+::)+(?=FieldType::)", "", span["suggested_replacement"] or ""):
                    arms.setdefault(span["file_name"], {})[span["byte_start"]] = text
        if checked.returncode != 0 and not arms:
            sys.exit(f"it does not compile:\n{checked.stderr}")
        return arms

    def test(self) -> dict[str, bool]:
        """Runs the tests. Returns for each test whether it passed."""
        tested = self.run(
            "cargo", "test", "--locked", "--no-fail-fast", "--lib", *RUST_TESTS, "--", *FILTERS
        ).stdout
        tested += self.run(
            "cargo", "test", "--locked", "-p", "exactbuyer_tests", "--test", "identifiers", "corpus"
        ).stdout
        passed = {
            name: result == "ok"
            for name, result in re.findall(r"^test (\S+) .*?\.\.\. (ok|FAILED)$", tested, re.MULTILINE)
        }
        built = self.run("cargo", "build", "--locked", "-p", "exactbuyer_python")
        if built.returncode != 0:
            sys.exit(f"the extension does not compile:\n{built.stderr}")
        library = next(self.target.glob("debug/libexactbuyer_python.*[!d]"))
        (self.path / "python" / "exactbuyer" / "_core.abi3.so").write_bytes(library.read_bytes())
        python = self.run(
            *(
                sys.executable,
                "-m",
                "pytest",
                "-rA",
                "-q",
                "-p",
                "no:cacheprovider",
                "tests/python/test_listed.py",
            )
        )
        return passed | {
            name: result == "PASSED"
            for result, name in re.findall(r"^(PASSED|FAILED) \S+::(\S+)", python.stdout, re.MULTILINE)
        }


def main() -> int:
    """Adds the field type; 0 if every place was reported or followed from the list."""
    planted = Planted(
        Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "planted_field_type"
    )
    compiler = planted.compile()
    passed = planted.test()
    print("| place | reported by |\n|---|---|")
    wrong = []
    for path, place in NAMED_BY_THE_COMPILER.items():
        print(f"| {place} | the compiler: {path} |")
        if path not in compiler:
            wrong.append(f"{place}: the compiler does not report {path}")
    for places, expected in ((NAMED_BY_A_TEST, False), (FOLLOWS, True)):
        for test, place in places.items():
            print(f"| {place} | {'nothing: it follows, see' if expected else 'the test'} {test} |")
            if passed.get(test) is not expected:
                wrong.append(f"{place}: {test} {'passed' if passed.get(test) else 'failed or did not run'}")
    wrong += [
        f"the compiler reports {path}, which is not listed here"
        for path in sorted(compiler - NAMED_BY_THE_COMPILER.keys())
    ]
    print(f"\n{len(compiler)} files reported, {len(passed)} tests, {len(wrong)} places not as listed")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
