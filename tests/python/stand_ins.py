"""Imitates what the recipes need, as far as they use it: the schedulers are large, and two are only services.

A recipe runs with the real library where that is installed (`make recipes`).
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pandas as pd


def _module(name: str, **names: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(names)
    return module


def _decorator(*given: Any, **_: Any) -> Any:
    """`@task` as well as `@task(retries=3)`."""
    return given[0] if given and callable(given[0]) else lambda function: function


class _ClientError(Exception):
    def __init__(self) -> None:
        super().__init__("404")
        self.response = {"Error": {"Code": "404"}}


class _S3:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        if (bucket, key) not in self.kept:
            raise _ClientError
        Path(path).write_bytes(self.kept[bucket, key])

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.kept[bucket, key] = Path(path).read_bytes()


class _Resource:
    def __init__(self, **settings: Any) -> None:
        vars(self).update(settings)


STAND_INS: dict[str, dict[str, ModuleType]] = {
    "airflow": {
        "airflow": _module("airflow"),
        "airflow.sdk.exceptions": _module(
            "airflow.sdk.exceptions", AirflowFailException=type("Fail", (Exception,), {})
        ),
        "airflow.sdk": _module("airflow.sdk", dag=_decorator, task=_decorator),
        "pendulum": _module("pendulum", datetime=lambda *_, **__: None),
    },
    "S3": {
        "boto3": _module("boto3", client=lambda _: _S3()),
        "botocore": _module("botocore"),
        "botocore.exceptions": _module("botocore.exceptions", ClientError=_ClientError),
    },
    "Colab": {
        "google": _module("google"),
        "google.colab": _module(
            "google.colab", drive=MagicMock(), userdata=SimpleNamespace(get=lambda _: "any-key")
        ),
    },
    "dagster": {
        "dagster": _module(
            "dagster",
            AssetExecutionContext=object,
            ConfigurableResource=_Resource,
            Definitions=SimpleNamespace,
            asset=_decorator,
        )
    },
    "prefect": {"prefect": _module("prefect", flow=_decorator, task=_decorator)},
}
"""What a block's comment says it needs, and the modules in its place."""

_PEOPLE = pd.DataFrame({"linkedin": [None, "linkedin.com/in/bo"], "email": ["ana@acme.example", None]})

GIVEN_NAMES: dict[str, dict[str, Any]] = {
    "Databricks": {
        "dbutils": SimpleNamespace(secrets=SimpleNamespace(get=lambda *_: "any-key")),
        "spark": SimpleNamespace(
            table=lambda _: SimpleNamespace(toPandas=lambda: _PEOPLE), createDataFrame=MagicMock()
        ),
    }
}
"""Names that a platform gives to a notebook."""
