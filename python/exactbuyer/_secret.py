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
        _check(text, "api_key", f"pass None to read {KEY_VARIABLE}, or a key")
        self.__text = text

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
    text = os.environ.get(KEY_VARIABLE, "").strip()
    if text:
        _check(text, KEY_VARIABLE, "set it to a key")
    if not text:
        raise ConfigError(
            f"no API key: set the environment variable {KEY_VARIABLE}, or pass api_key=…; "
            f"BulkEnricher.sandbox() needs none"
        )
    return Secret(text)


def _check(text: str, name: str, fix: str) -> None:
    """Refuses what no HTTP header can carry, where it is given: and not only at the first send."""
    if not text.strip():
        raise ConfigError(f"{name} is empty: {fix}")
    if text != text.strip():
        raise ConfigError(
            f"{name} begins or ends with white space, as a line read from a file does: strip it"
        )
    if not (text.isascii() and text.isprintable()):
        raise ConfigError(f"{name} holds a character that no HTTP header can carry: check where it came from")
