//! What the engine asks of the store: how a lookup stands, a claim before it is sent, its settlement afterwards.
//!
//! Owns the rules that decide which stored answers may be used, and the two transactions of each request. Knows nothing
//! of retries, rows and replies.
//!
//! | file | what it has |
//! |---|---|
//! | `lookups` | the rules: which of the stored answers a run may use |
//! | `claim` | the first transaction of a request, before it is sent |
//! | `settle` | the second transaction, when its outcome is known |
//! | `engine` | the trait `Store`: gives claims and settlements to the threads |
//! | `plan` | the same rules for a plan, which sends nothing |

mod claim;
mod engine;
mod lookups;
mod plan;
mod settle;
#[cfg(test)]
mod settle_tests;
