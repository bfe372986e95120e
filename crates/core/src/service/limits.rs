//! Every number that the service decides, once, with the page of its documentation and the day on
//! which that page was read.

use std::time::Duration;

/// The most records in one request (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
pub const MAX_CHUNK: usize = 1_000;

/// The most requests in one [`WINDOW`] (`master/rate-limiting`, read 2026-11-23).
pub const REQUESTS_PER_MINUTE: u32 = 200;

/// The window of the rate limit (`master/rate-limiting`, read 2026-11-23).
///
/// The documentation does not say whether the window is fixed or sliding. We keep the limit in
/// *any* 60 s, which satisfies both.
pub const WINDOW: Duration = Duration::from_mins(1);

/// How much longer than [`WINDOW`] a request is counted.
///
/// The service counts requests when they arrive, not when they leave. If one request travels slowly
/// and the next one fast, they arrive closer together than they were sent. This margin allows a
/// second of such jitter, and costs less than 2 % of the rate. It does not cover longer delays, such as
/// a slow connect, because a request counts from the moment at which it may be sent. Some requests may
/// then get a 429, which is free.
pub const MARGIN: Duration = Duration::from_secs(1);

/// The default base URL (`master/openapi-specification`, read 2026-11-23).
pub const BASE_URL: &str = "https://api.exactbuyer.com";

/// The path of the only call that we use (`contact-enrichment/bulk-enrichment-api`, read
/// 2026-11-23).
pub const PATH: &str = "/v1/bulk-enrich";

/// The header that contains the API key (`contact-enrichment/bulk-enrichment-api`, read
/// 2026-11-23).
pub const KEY_HEADER: &str = "x-api-key";

/// The fields that `required_fields` may name (`contact-enrichment/bulk-enrichment-api`, read
/// 2026-11-23).
pub const REQUIRED_FIELDS: [&str; 5] = ["email", "work_email", "personal_email", "phone", "social_profile"];

/// The most bytes of a body after decompression: 1,000 records of 64 KiB. Our own limit. A
/// larger body is not a reply of the service.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// The deepest nesting of JSON that is accepted. Our own limit: a contact has five levels.
pub const MAX_DEPTH: usize = 200;

/// The most digits of an integer that are accepted. Our own limit: Python by default refuses to
/// read a longer one (`sys.int_info.default_max_str_digits`).
pub const MAX_DIGITS: usize = 4_300;
