"""Bulk contact enrichment with the ExactBuyer API: one result for each row, each identifier paid for once.

    >>> from exactbuyer import BulkEnricher
    >>> enricher = BulkEnricher.sandbox()  # invented people, no key, no cost
    >>> results = enricher.enrich(["ana@acme.example", "linkedin.com/in/ana", None])
    >>> [row["status"] for row in results][2]
    'missing'
    >>> enricher.close()

For the real service, set the environment variable `EXACTBUYER_API_KEY` and use `BulkEnricher()`.
"""

from ._calls.async_streams import AsyncStream
from ._calls.options import OnError
from ._calls.streams import Stream
from ._core import __version__
from ._frames.request import DEFAULT_COLUMNS, By, ColumnPath, Columns, Split
from .enricher import BulkEnricher
from .exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ColumnWarning,
    ConfigError,
    ExactBuyerError,
    IncompleteWarning,
    InsufficientCreditsError,
    Interrupted,
    InvalidIdentifierError,
    RateLimitError,
    ServerError,
    StoreError,
    StoreWarning,
    TransportError,
    UnknownOutcomeError,
)
from .field_types import FieldType, RequiredField
from .report.columns import ColumnCount
from .report.plan import Plan, Suspect
from .report.preview import Preview
from .report.progress import LimitedBy, Progress, ProgressOption
from .report.receipt import Note, Receipt
from .report.results import Contact, FoundResult, OtherResult, Problem, Result, Status
from .results import Results
from .settings import Body, Budget, Copies, Duration, OnUnknown, Per, Settings
from .store import Resolution, Resolved

__all__ = [
    "DEFAULT_COLUMNS",
    "ApiError",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "Body",
    "Budget",
    "BudgetExceededError",
    "BulkEnricher",
    "By",
    "ColumnCount",
    "ColumnPath",
    "ColumnWarning",
    "Columns",
    "ConfigError",
    "Contact",
    "Copies",
    "Duration",
    "ExactBuyerError",
    "FieldType",
    "FoundResult",
    "IncompleteWarning",
    "InsufficientCreditsError",
    "Interrupted",
    "InvalidIdentifierError",
    "LimitedBy",
    "Note",
    "OnError",
    "OnUnknown",
    "OtherResult",
    "Per",
    "Plan",
    "Preview",
    "Problem",
    "Progress",
    "ProgressOption",
    "RateLimitError",
    "Receipt",
    "RequiredField",
    "Resolution",
    "Resolved",
    "Result",
    "Results",
    "ServerError",
    "Settings",
    "Split",
    "Status",
    "StoreError",
    "StoreWarning",
    "Stream",
    "Suspect",
    "TransportError",
    "UnknownOutcomeError",
    "__version__",
]


# Tracebacks and `help()` name what people import. Classes of data keep their modules, where the types of
# their fields are looked up.
for _name in __all__:
    _exported = globals()[_name]
    if getattr(_exported, "__module__", "").startswith(f"{__name__}.") and issubclass(
        _exported, (BaseException, BulkEnricher, Results, Stream, AsyncStream)
    ):
        _exported.__module__ = __name__


def __dir__() -> list[str]:
    return __all__
