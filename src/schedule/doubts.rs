//! Lookups that may have been charged and whose answers are not known.

/// Unknown replies in a row after which a run stops: a gateway that charges and then fails must not use up the
/// whole list.
const MOST_UNKNOWN_IN_A_ROW: u32 = 3;

#[derive(Debug)]
pub(super) struct Doubts {
    most: usize,
    /// Lookups that became unknown, each time they did.
    unknown: usize,
    /// Unknown replies since the last answer.
    in_a_row: u32,
}

impl Doubts {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, unknown: 0, in_a_row: 0 }
    }

    pub(super) const fn unknown(&self) -> usize {
        self.unknown
    }

    /// How many more lookups may be sent while so many are in flight.
    pub(super) const fn room(&self, in_flight: usize) -> usize {
        self.most.saturating_sub(in_flight + self.unknown)
    }

    pub(super) const fn lost(&mut self, lookups: usize) {
        self.unknown += lookups;
    }

    /// A reply answered something.
    pub(super) const fn answered(&mut self) {
        self.in_a_row = 0;
    }

    /// A request was charged or may have been, and answered nothing. Returns whether too many did so in a row.
    pub(super) const fn unanswered(&mut self) -> bool {
        self.in_a_row += 1;
        self.in_a_row >= MOST_UNKNOWN_IN_A_ROW
    }
}
