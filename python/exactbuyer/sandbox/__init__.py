"""A local stand-in for the service, to try the client or test a pipeline at no cost.

`python -m exactbuyer.sandbox` (or `exactbuyer sandbox`) serves a sandbox to any client, in any language. The
package installs the pytest fixture `exactbuyer_sandbox`.
"""

from exactbuyer.field_types import FieldType

from .command import main
from .faults import FAULTS, Fault
from .ledger import Entry, Ledger, Request
from .server import Sandbox

__all__ = ["FAULTS", "Entry", "Fault", "FieldType", "Ledger", "Request", "Sandbox", "main"]
