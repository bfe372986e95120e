"""What may stand where: the table of the house that the walls hold up.

Data only. A room is named by its module path; the longest name that fits a file is the one that counts.
"""

from __future__ import annotations

# No import runs upward. `vendor::limits` and `vendor::transport` are named apart where a room may know the
# vendor's numbers without knowing the vendor.
MAY_USE: dict[str, frozenset[str]] = {
    "error": frozenset(),
    "secret": frozenset({"error"}),
    "identifier": frozenset({"error"}),
    "outcome": frozenset(),
    "results": frozenset({"error", "identifier"}),
    "config": frozenset({"error", "identifier", "results", "secret", "vendor::limits"}),
    "pace": frozenset({"error", "identifier", "results", "config", "vendor::limits"}),
    "concurrency": frozenset({"error", "config", "vendor::limits"}),
    "budget": frozenset({"error", "identifier", "results", "config", "vendor::limits"}),
    "plan": frozenset({"error", "identifier", "outcome", "results", "config", "vendor::limits"}),
    # It judges replies and failures, so it may name the words in which the transport tells them.
    "policy": frozenset(
        {"error", "identifier", "results", "config", "budget", "pace", "vendor::limits", "vendor::transport"}
    ),
    "vendor": frozenset({"error", "identifier", "outcome", "results", "config", "secret"}),
    "store": frozenset(
        {"error", "identifier", "outcome", "results", "config", "secret", "budget", "vendor::limits"}
    ),
    # It decides what a run sends, and knows neither how nor where answers are kept.
    "schedule": frozenset(
        {
            "error",
            "identifier",
            "outcome",
            "results",
            "config",
            "plan",
            "policy",
            "pace",
            "budget",
            "concurrency",
            "vendor::align",
            "vendor::limits",
        }
    ),
    # Identifiers out of columns become rows of a plan; contacts are read as the decoder reads strings.
    "columns": frozenset(
        {"error", "identifier", "results", "config", "plan", "vendor::decode", "vendor::limits"}
    ),
    # Bytes in, bytes out: it knows neither rows of a run nor what is looked up.
    "records": frozenset(),
    "dispatch": frozenset(
        {
            "error",
            "identifier",
            "outcome",
            "results",
            "config",
            "secret",
            "plan",
            "policy",
            "schedule",
            "vendor",
            "store",
        }
    ),
    # The vendor's stand-in speaks the vendor's protocol; it must not know the client that it judges.
    "sandbox": frozenset({"identifier", "vendor::limits"}),
    "python": frozenset(
        {
            "error",
            "identifier",
            "outcome",
            "results",
            "config",
            "secret",
            "plan",
            "policy",
            "pace",
            "budget",
            "concurrency",
            "vendor",
            "store",
            "columns",
            "records",
            "dispatch",
            "sandbox",
        }
    ),
}

# Which rooms may name a crate or a part of the standard library, and why nobody else.
CONFINED: dict[str, tuple[tuple[str, ...], frozenset[str], str]] = {
    "pyo3": (
        ("pyo3", "pyo3_async_runtimes"),
        frozenset({"python"}),
        "the core builds and tests with no Python in the tree",
    ),
    "reqwest": (
        ("reqwest", "rustls"),
        frozenset({"vendor::transport", "vendor::http"}),
        "the network is one method wide",
    ),
    "hyper": (
        ("hyper", "hyper_util", "http_body", "http_body_util"),
        frozenset({"vendor::transport", "vendor::http", "sandbox"}),
        "HTTP is spoken by the transport and by the sandbox",
    ),
    "tokio": (
        ("tokio",),
        frozenset({"dispatch", "vendor::transport", "vendor::http", "store", "sandbox", "python"}),
        "pure rooms have no runtime",
    ),
    "files": (
        ("std::fs", "tokio::fs"),
        # The transport reads one file: the caller's `ca_bundle`.
        frozenset({"store", "vendor::http"}),
        "only the store opens files",
    ),
    "sqlite": (
        ("rusqlite", "zstd", "nix"),
        frozenset({"store"}),
        "what a file looks like is the store's affair",
    ),
    "wall clock": (
        ("std::time::SystemTime",),
        frozenset({"dispatch", "vendor::transport", "vendor::http", "store", "sandbox", "python"}),
        "in pure rooms time is an argument",
    ),
    # tokio's can be paused, so that a whole run is simulated in no time; the standard library's cannot.
    "monotonic clock": (
        ("std::time::Instant::now", "std::thread::sleep"),
        frozenset({"vendor::http", "sandbox", "python"}),
        "the engine's clock is tokio's; take the moment as an argument",
    ),
    "chance": (
        ("rand", "fastrand", "getrandom"),
        frozenset({"dispatch", "sandbox", "python"}),
        "in pure rooms chance is an argument",
    ),
    "tasks": (
        ("tokio::spawn", "tokio::select", "tokio::time::sleep", "tokio::task", "std::thread::spawn"),
        frozenset({"dispatch", "store", "sandbox", "python"}),
        "dispatch is the only place that spawns, sleeps and selects",
    ),
}

# What the vendor alone decides stands once, in `vendor/limits.rs`, with its page and date.
# Whole literals: a message may show what an address looks like.
VENDOR_LITERALS = (
    '"https://api.exactbuyer.com"',
    '"/v1/bulk-enrich"',
    '"x-api-key"',
    '"X-API-Key"',
    "from_secs(60)",
)
VENDOR_LITERALS_LIVE_IN = "vendor/limits.rs"

# Names that say nothing about what is inside.
VAGUE = frozenset({"common", "helper", "helpers", "misc", "type", "types", "util", "utils"})

MAX_LINES = 400
COUNTED = (
    "src/**/*.rs",
    "python/**/*.py",
    "tests/**/*.rs",
    "tests/**/*.py",
    "benchmarks/**/*.*",
    "examples/*.py",
)

# Imported where they are used: a script that never makes a frame must not pay a second for pandas.
NEVER_AT_IMPORT = frozenset({"numpy", "pandas", "polars", "pyarrow", "IPython", "ipywidgets"})
