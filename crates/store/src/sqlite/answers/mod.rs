//! What the engine asks of the store: how a lookup stands, a claim before it is sent, its settlement afterwards.
//!
//! Owns the rules that decide which stored answers may be used, and the two transactions of each request. Knows nothing
//! of retries, rows and replies.

mod claim;
mod engine;
mod lookups;
mod plan;
mod settle;
