//! A bounded set in which the oldest gives way to a new one.

use std::collections::BTreeMap;

/// At most a number of values, oldest first.
pub(super) struct OldestFirst<T> {
    limit: usize,
    next: u64,
    open: BTreeMap<u64, T>,
}

impl<T> OldestFirst<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, next: 0, open: BTreeMap::new() }
    }

    /// Adds a value. Returns its number, and the oldest value if it had to give way.
    pub(super) fn add(&mut self, value: T) -> (u64, Option<T>) {
        let is_full = self.open.len() >= self.limit;
        let oldest = if is_full { self.open.pop_first() } else { None };
        let number = self.next;
        self.next += 1;
        self.open.insert(number, value);
        (number, oldest.map(|(_, value)| value))
    }

    /// Removes a value by its number, unless it has given way.
    pub(super) fn remove(&mut self, number: u64) {
        self.open.remove(&number);
    }
}
