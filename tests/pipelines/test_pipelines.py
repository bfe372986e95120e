"""The examples of orchestrators run, each in an environment of its own: `make pipelines`.

`PIPELINE` names the orchestrator: their dependencies do not agree with each other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "pipelines"
CONTACTS = ROOT / "examples" / "contacts.csv"


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.environ["PIPELINE"] != name, reason=f"needs {name}")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(match_rate=1.0) as sandbox:
        yield sandbox


def run(folder: Path, sandbox: Sandbox, *command: str, **more: str) -> str:
    """Runs a command twice, as an orchestrator does after a failure; it pays once."""
    environment = {
        **os.environ,
        "EXACTBUYER_API_KEY": sandbox.api_key,
        "EXACTBUYER_OFFLINE": "1",
        "EXACTBUYER_URL": sandbox.url,
        "PEOPLE": str(CONTACTS),
        "PEOPLE_STORE": str(folder / "people.db"),
        "ENRICHED": str(folder / "enriched.parquet"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **more,
    }
    said = ""
    paid = []
    for _ in range(2):
        done = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=400
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-3_000:]
        paid.append(sandbox.ledger.credits)
    assert paid[0] == paid[1] > 0
    assert max(sandbox.ledger.billed.values()) == 1
    assert sandbox.api_key not in said
    return said


def check(enriched: pd.DataFrame) -> None:
    people = pd.read_csv(CONTACTS)
    assert enriched["name"].fillna("").tolist() == people["name"].fillna("").tolist()
    statuses = set(enriched["eb_status"])
    assert "found" in statuses <= {"found", "not_found", "missing", "invalid"}


@only("dagster")
def test_dagster(tmp_path: Path, sandbox: Sandbox) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = ["dagster", "asset", "materialize", "--select", "*", "-f", str(EXAMPLES / "dagster_assets.py")]
    run(tmp_path, sandbox, *command, DAGSTER_HOME=str(home))
    check(pd.read_parquet(tmp_path / "enriched.parquet"))


@only("dbt")
def test_dbt(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "models").mkdir()
    shutil.copy(EXAMPLES / "dbt_model.py", tmp_path / "models" / "enriched_people.py")
    people = f"select * from read_csv('{CONTACTS.as_posix()}', all_varchar = true)"
    (tmp_path / "models" / "people.sql").write_text(people)
    project = {"name": "people", "version": "1.0", "profile": "people", "model-paths": ["models"]}
    target = {"type": "duckdb", "path": str(tmp_path / "people.duckdb"), "threads": 1}
    profiles = {"people": {"target": "dev", "outputs": {"dev": target}}}
    # JSON is YAML, too.
    (tmp_path / "dbt_project.yml").write_text(json.dumps(project))
    (tmp_path / "profiles.yml").write_text(json.dumps(profiles))
    run(tmp_path, sandbox, "dbt", "run", "--profiles-dir", ".", DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    import duckdb

    with duckdb.connect(str(tmp_path / "people.duckdb")) as database:
        check(database.sql("select * from enriched_people").df())


AIRFLOW = """
import sys
sys.path.insert(0, {examples!r})
from airflow_dag import enrich_people_dag
run = enrich_people_dag.test()
assert str(run.state) in ("success", "DagRunState.SUCCESS"), run.state
"""


@only("airflow")
def test_airflow(tmp_path: Path, sandbox: Sandbox) -> None:
    script = tmp_path / "script.py"
    script.write_text(AIRFLOW.format(examples=str(EXAMPLES)))
    home = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
    }
    migrate = ["airflow", "db", "migrate"]
    subprocess.run(
        [str(Path(sys.executable).parent / migrate[0]), *migrate[1:]],
        env={**os.environ, **home},
        check=True,
        capture_output=True,
        timeout=400,
    )
    run(tmp_path, sandbox, sys.executable, str(script), **home)
    check(pd.read_parquet(tmp_path / "enriched.parquet"))
