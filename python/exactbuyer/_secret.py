"""The API key, from where it is given to where the core takes it. Cannot print or pickle itself."""

from __future__ import annotations

import os
from typing import NoReturn

from .exceptions import ConfigError

KEY_VARIABLE = "EXACTBUYER_API_KEY"


class Secret:
    """A key given in Python. Neither `repr` nor `str` nor `pickle` shows it."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"api_key is a string, or None to read {KEY_VARIABLE} when it is first needed")
        self.__text = text

    def expose(self) -> str:
        """The key itself, for the core and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is never pickled")


def key_to_send(given: Secret | None) -> Secret:
    """The key given, else the environment's.

    Raises:
        ConfigError: There is none.
    """
    if given is not None:
        return given
    text = os.environ.get(KEY_VARIABLE, "").strip()
    if not text:
        raise ConfigError(
            f"no API key: set the environment variable {KEY_VARIABLE}, or pass api_key=…; "
            f"BulkEnricher.sandbox() needs none"
        )
    return Secret(text)
