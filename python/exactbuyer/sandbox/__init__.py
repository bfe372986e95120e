"""A stand-in for the vendor on this machine: to try the client, or test a pipeline, for nothing.

`python -m exactbuyer.sandbox` (or `exactbuyer sandbox`) serves one to any client, in any language. pytest has
the fixture `exactbuyer_sandbox` as soon as the package is installed.
"""

from exactbuyer.rows import FieldType

from .command import main
from .faults import FAULTS, Fault
from .ledger import Entry, Ledger, Request
from .server import Sandbox

__all__ = ["FAULTS", "Entry", "Fault", "FieldType", "Ledger", "Request", "Sandbox", "main"]
