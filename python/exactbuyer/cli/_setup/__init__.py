"""Commands about the installation, not about a run: `doctor`, `completion` and `man`."""

from .completion import completion
from .doctor import doctor
from .man import man

__all__ = ["completion", "doctor", "man"]
