//! A limit on credits that holds exactly. Pure.
//!
//! The worst case of a chunk is reserved before the chunk is sent. After the reply, the reservation
//! is replaced by what was charged. A credit in doubt counts as spent.
//!
//! ```
//! use exactbuyer_core::budget::Budget;
//!
//! let mut budget = Budget::new(Some(1_000));
//! assert!(budget.reserve(800)); // 800 lookups may cost 800 credits
//! assert!(!budget.reserve(300));
//! budget.settle(800, 640, 0);
//! assert_eq!(budget.room(), 360);
//! ```

/// Credits counted against a limit.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// `None` for no limit.
    ceiling: Option<u64>,
    /// Credits known to be charged.
    spent: u64,
    /// Credits that may have been charged in addition. They never become available again here.
    in_doubt: u64,
    /// The worst cases of the requests in flight.
    reserved: u64,
}

impl Budget {
    /// A budget with this limit. Without one, every reservation succeeds.
    #[must_use]
    pub fn new(ceiling: Option<u64>) -> Self {
        Self { ceiling, ..Self::default() }
    }

    /// Credits that can still be reserved.
    #[must_use]
    pub fn room(&self) -> u64 {
        let taken = self.spent.saturating_add(self.in_doubt).saturating_add(self.reserved);
        self.ceiling.map_or(u64::MAX, |ceiling| ceiling.saturating_sub(taken))
    }

    /// Credits reserved for requests in flight.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The limit, if there is one.
    #[must_use]
    pub const fn ceiling(&self) -> Option<u64> {
        self.ceiling
    }

    /// Reserves the worst case of a chunk. Returns false, and reserves nothing, if it does not fit.
    #[must_use]
    pub fn reserve(&mut self, credits: u64) -> bool {
        let fits = credits <= self.room();
        if fits {
            self.reserved += credits;
        }
        fits
    }

    /// Replaces the reservation of a chunk by its known cost and its cost in doubt.
    pub fn settle(&mut self, reserved: u64, spent: u64, in_doubt: u64) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.spent = self.spent.saturating_add(spent);
        self.in_doubt = self.in_doubt.saturating_add(in_doubt);
    }
}

/// The rate of hits so far. It tells whether a small chunk is worth a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct HitRate {
    /// Lookups with a clear answer: a hit or a miss.
    answered: u64,
    hits: u64,
}

impl HitRate {
    /// The weight of the first guess, as a number of lookups.
    const PRIOR_WEIGHT: f64 = 20.0;
    /// The guess before the first answer.
    const PRIOR: f64 = 0.7;

    /// Adds the result of a chunk: how many lookups were answered, and how many of those were hits.
    pub fn note(&mut self, answered: u64, hits: u64) {
        self.answered += answered;
        self.hits += hits;
    }

    /// Whether a chunk of `lookups` contains a hit with a probability of at least one quarter. Below that, the next
    /// hit would take more than four requests on average, and each waits for the answer to the one before.
    ///
    /// ```
    /// use exactbuyer_core::budget::HitRate;
    ///
    /// let mut rate = HitRate::default(); // the first guess is 70 %
    /// assert!(rate.may_buy(1));
    /// rate.note(1_000, 10);
    /// assert!(!rate.may_buy(1));
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of lookups, far below 2^52
    pub fn may_buy(&self, lookups: u64) -> bool {
        let hits = self.hits as f64 + Self::PRIOR * Self::PRIOR_WEIGHT;
        let answered = self.answered as f64 + Self::PRIOR_WEIGHT;
        let none = (1.0 - hits / answered).powf(lookups as f64);
        lookups > 0 && none <= 0.75
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_last_credit_is_worth_a_request_where_most_are_found() {
        let mut rate = HitRate::default();
        assert!(rate.may_buy(1));
        rate.note(1_000, 10);
        assert!(!rate.may_buy(12));
        assert!(rate.may_buy(13));
        assert!(!rate.may_buy(0));
    }

    proptest! {
        /// If no chunk costs more than its worst case, the sum of spent, in doubt and reserved
        /// never exceeds the limit.
        #[test]
        fn the_ceiling_holds(
            ceiling in 0_u64..5_000,
            chunks in prop::collection::vec((1_u64..1_000, 0.0_f64..1.0, 0.0_f64..1.0, any::<bool>()), 0..60),
        ) {
            let mut budget = Budget::new(Some(ceiling));
            let mut open: Vec<(u64, u64, u64)> = Vec::new();
            for (size, charged, doubt, settle_one) in chunks {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
                if budget.reserve(size) {
                    let spent = (size as f64 * charged) as u64;
                    open.push((size, spent, ((size - spent) as f64 * doubt) as u64));
                }
                prop_assert!(budget.spent + budget.in_doubt + budget.reserved <= ceiling);
                if settle_one && let Some((reserved, spent, in_doubt)) = open.pop() {
                    budget.settle(reserved, spent, in_doubt);
                }
                prop_assert!(budget.spent + budget.in_doubt + budget.reserved <= ceiling);
            }
            for (reserved, spent, in_doubt) in open {
                budget.settle(reserved, spent, in_doubt);
            }
            prop_assert_eq!(budget.reserved, 0);
            prop_assert!(budget.spent + budget.in_doubt <= ceiling);
        }
    }
}
