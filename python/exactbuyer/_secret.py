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
        self.__text = text

    def check(self, name: str, fix: str) -> None:
        """Refuses what no HTTP header can carry, where it is given: and not only at the first send.

        Nothing but this object holds the key meanwhile: a traceback that prints locals must not show it.
        """
        if not isinstance(self.__text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"api_key is a string, or None to read {KEY_VARIABLE} when it is first needed")
        if not self.__text.strip():
            raise ConfigError(f"{name} is empty: {fix}")
        if self.__text != self.__text.strip():
            raise ConfigError(
                f"{name} begins or ends with white space, as a line read from a file does: strip it"
            )
        if not (self.__text.isascii() and self.__text.isprintable()):
            raise ConfigError(
                f"{name} holds a character that no HTTP header can carry: check where it came from"
            )

    def expose(self) -> str:
        """The key itself, for the core and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is never pickled")


def has_key(given: Secret | None) -> bool:
    """Whether there is one, given or in the environment."""
    return given is not None or bool(os.environ.get(KEY_VARIABLE, "").strip())


def key_to_send(given: Secret | None) -> Secret:
    """The key given, else the environment's.

    Raises:
        ConfigError: There is none.
    """
    if given is not None:
        return given
    if not has_key(None):
        raise ConfigError(
            f"no API key: set the environment variable {KEY_VARIABLE}, or pass api_key=…; "
            f"BulkEnricher.sandbox() needs none"
        )
    key = Secret(os.environ.get(KEY_VARIABLE, "").strip())
    key.check(KEY_VARIABLE, "set it to a key")
    return key
