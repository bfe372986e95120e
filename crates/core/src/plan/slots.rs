//! Numbered values in blocks. The memory of a block is freed as soon as it has no values.
//!
//! One long vector would need the memory for all lookups of a call until the end of the call.

/// The number of values in a block.
const BLOCK: usize = 1_024;

#[derive(Debug)]
/// Values by number.
pub(super) struct Slots<T> {
    /// The block of a number is the number divided by [`BLOCK`].
    blocks: Vec<Block<T>>,
    /// The first number that has not been used yet.
    next: u32,
    /// Numbers that are free again.
    ///
    /// The last one that became free is used first.
    vacant: Vec<u32>,
}

#[derive(Debug)]
/// The values of [`BLOCK`] successive numbers.
struct Block<T> {
    /// Empty if the block has no values.
    slots: Vec<Option<T>>,
    /// How many of the slots have a value.
    taken: usize,
}

// Not derived, because that would require `T: Default`.
impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), next: 0, vacant: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// `None` if the number is free.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (block, place) = split(number);
        self.blocks.get(block)?.slots.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (block, place) = split(number);
        self.blocks.get_mut(block)?.slots.get_mut(place)?.as_mut()
    }

    /// Stores a value and returns its number.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let number = self.vacant.pop().unwrap_or_else(|| {
            let number = self.next;
            // Four thousand million lookups do not fit into memory. Saturating makes this function
            // total.
            self.next = self.next.saturating_add(1);
            number
        });
        let (block, place) = split(number);
        if block == self.blocks.len() {
            self.blocks.push(Block { slots: Vec::new(), taken: 0 });
        }
        if let Some(block) = self.blocks.get_mut(block) {
            if block.slots.is_empty() {
                block.slots.resize_with(BLOCK, || None);
            }
            if let Some(slot) = block.slots.get_mut(place) {
                *slot = Some(value);
                block.taken += 1;
            }
        }
        number
    }

    /// Removes a value. Its number is free again.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let (block, place) = split(number);
        let block = self.blocks.get_mut(block)?;
        let value = block.slots.get_mut(place)?.take()?;
        block.taken -= 1;
        if block.taken == 0 {
            block.slots = Vec::new();
        }
        self.vacant.push(number);
        Some(value)
    }

    /// The numbers of the values for which `holds` is true.
    ///
    /// One pass over all numbers that were ever used: not for a loop.
    pub(super) fn numbers_where(&self, holds: impl Fn(&T) -> bool) -> Vec<u32> {
        (0..self.next).filter(|number| self.get(*number).is_some_and(&holds)).collect()
    }
}

/// The block of a number, and its position in the block.
const fn split(number: u32) -> (usize, usize) {
    (number as usize / BLOCK, number as usize % BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_again_and_blocks_let_go() {
        let mut slots = Slots::default();
        let numbers: Vec<u32> = (0..3_000).map(|value| slots.insert(value)).collect();
        assert!(numbers.iter().all(|number| slots.get(*number) == Some(number)));
        for number in 0..1_024 {
            assert_eq!(slots.remove(number), Some(number));
            assert_eq!(slots.get(number), None);
            assert_eq!(slots.remove(number), None);
        }
        assert_eq!(slots.blocks.first().map(|block| block.slots.len()), Some(0));
        assert_eq!(slots.numbers_where(|value| *value < 1_030), [1_024, 1_025, 1_026, 1_027, 1_028, 1_029]);
        let again: std::collections::BTreeSet<u32> = (0..1_024).map(|_| slots.insert(7)).collect();
        assert_eq!(again, (0..1_024).collect());
        assert_eq!(slots.insert(7), 3_000);
        assert_eq!(slots.get(9_999), None);
    }
}
