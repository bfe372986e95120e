//! Every number of the vendor's, once, with its page and the day it was read.

use std::time::Duration;

/// Most records of one call (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
pub const MAX_CHUNK: usize = 1_000;

/// Requests allowed per [`WINDOW`] (`master/rate-limiting`, read 2026-11-23).
pub const REQUESTS_PER_MINUTE: u32 = 200;

/// The window of the limit (`master/rate-limiting`, read 2026-11-23). Whether it is fixed or
/// sliding is not documented: never more than the limit in *any* 60 s satisfies both.
pub const WINDOW: Duration = Duration::from_mins(1);

/// How much longer than [`WINDOW`] is counted. Requests count where they arrive, not where they leave:
/// one that was long under way and one that was not can come closer together than they were sent. This
/// costs under 2 % of the rate and forgives a second of such jitter.
pub const MARGIN: Duration = Duration::from_secs(1);

/// Where the service lives (`master/openapi-specification`, read 2026-11-23).
pub const BASE_URL: &str = "https://api.exactbuyer.com";

/// The one call (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
pub const PATH: &str = "/v1/bulk-enrich";

/// The header that carries the key (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
pub const KEY_HEADER: &str = "x-api-key";

/// What `required_fields` may name (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
pub const REQUIRED_FIELDS: [&str; 5] = ["email", "work_email", "personal_email", "phone", "social_profile"];

/// A decoded body larger than this is not the vendor's: 1,000 records of 64 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// JSON nested deeper than this is not the vendor's (a contact has five levels).
pub const MAX_DEPTH: usize = 200;

/// An integer of more digits is not the vendor's; Python's own default for reading one is the same
/// (`sys.int_info.default_max_str_digits`).
pub const MAX_DIGITS: usize = 4_300;
