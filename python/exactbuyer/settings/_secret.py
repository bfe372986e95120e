"""The API key and a proxy's login, from where they are given to where the core takes them.

Both are kept in types that can be neither printed nor pickled: services that collect errors record the local
variables of every frame of a traceback.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NoReturn

from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import Message, Term, wrong

from ._checks import is_torn

if TYPE_CHECKING:
    from typing_extensions import Self

KEY_VARIABLE = "EXACTBUYER_API_KEY"

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")

# Up to the last `@`: the core also accepts blanks before the scheme and more than two slashes after it.
_LOGIN = re.compile(r"^\s*(?P<scheme>[a-z][a-z0-9+.-]*:/{2,})?.*@", re.IGNORECASE | re.DOTALL)


class Hidden:
    """A text that may be secret: `repr`, `str` and `pickle` do not show it."""

    __slots__ = ("_text",)

    def __init__(self, text: object) -> None:
        self._text = text

    def expose(self) -> object:
        """The text itself, for the core and nothing else."""
        return self._text

    @classmethod
    def of(cls, given: object) -> Self | None:
        """Hides what was given; `None` stays `None`."""
        return given if given is None or isinstance(given, cls) else cls(given)

    def is_text(self) -> bool:
        """Whether it is a string at all."""
        return isinstance(self._text, str)

    def __repr__(self) -> str:
        return "***"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key or a proxy's password is never pickled")


class Secret(Hidden):
    """A key given in Python."""

    __slots__ = ()

    def check(self, name: str, fix: str) -> None:
        """Refuses a key that no HTTP header can carry: when it is given, not only at the first request.

        The key is never put into a local variable here: a traceback that prints locals would show it.
        """
        if not self.is_text():
            raise wrong("api_key", f"must be a string, or None to read {KEY_VARIABLE} when needed")
        if not str(self._text).strip():
            raise wrong(name, f"is empty: {fix}")
        if str(self._text) != str(self._text).strip():
            raise wrong(name, "begins or ends with white space, as a line read from a file does: strip it")
        if not (str(self._text).isascii() and str(self._text).isprintable()):
            raise wrong(name, "holds a character that no HTTP header can carry: check where it came from")


class ProxyUrl(Hidden):
    """A proxy's URL, which may hold a user name and a password."""

    __slots__ = ()

    def check(self) -> None:
        """Refuses what is not text, or holds half a character. The core checks the URL itself."""
        if not self.is_text():
            raise wrong(
                "proxy", "must be a URL such as 'http://proxy.example:3128', or None to use HTTPS_PROXY"
            )
        if is_torn(str(self._text)):
            raise wrong("proxy", "holds half a character or a NUL: write it anew")

    def has_login(self) -> bool:
        """Whether it may hold a user name or a password."""
        return "@" in str(self._text)

    def without_login(self) -> str:
        """The URL without user name and password."""
        return _LOGIN.sub(lambda match: match["scheme"] or "", str(self._text)).rstrip("/")


def has_key(given: Secret | None) -> bool:
    """Whether there is one, given or in the environment."""
    return given is not None or bool(os.environ.get(KEY_VARIABLE, "").strip())


def key_to_send(given: Secret | None, *, is_copy: bool = False) -> Secret:
    """The key given, else the environment's. `is_copy`: it is for an enricher that was unpickled.

    Raises:
        ConfigError: There is none.
    """
    if given is not None:
        return given
    if not has_key(None) and is_copy:
        raise ConfigError(
            f"no API key: a pickle never contains the key. Set {KEY_VARIABLE} in the process that uses the "
            f"copy (any text, if it uses a sandbox), or create an enricher there"
        )
    if not has_key(None):
        raise ConfigError(
            Message(
                f"no API key: set the environment variable {KEY_VARIABLE}, or pass ",
                Term("api_key"),
                "; BulkEnricher.sandbox() needs none",
            )
        )
    key = Secret(os.environ.get(KEY_VARIABLE, "").strip())
    key.check(KEY_VARIABLE, "set it to a key")
    return key


def proxy_in_environment(without_login: str) -> ProxyUrl | None:
    """The environment's URL of this proxy, if it has a login."""
    for name in PROXY_VARIABLES:
        proxy = ProxyUrl(os.environ.get(name, "").strip())
        if proxy.has_login() and proxy.without_login() == without_login:
            return proxy
    return None
