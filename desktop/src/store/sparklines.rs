//! The last values of the cells that windows draw as sparklines: from the history, then as they change. They
//! are kept for the next start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::RowId,
    replica::Effect,
    value::{Literal, Value},
};

/// Maximum number of values per cell.
pub const MAX_VALUES: usize = 60;

/// The recorded values of one watchlist.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SparklineValues {
    columns: BTreeMap<ColumnKey, HashMap<RowId, Vec<f32>>>,
}

impl SparklineValues {
    /// Sets the recorded columns and drops the values of others.
    pub fn set_columns(&mut self, columns: &BTreeSet<ColumnKey>) {
        self.columns.retain(|column, _| columns.contains(column));
        for column in columns {
            self.columns.entry(column.clone()).or_default();
        }
    }

    /// Adds values that an earlier run has recorded, for cells that have none.
    pub(super) fn restore(&mut self, earlier: Self) {
        for (column, mut rows) in earlier.columns {
            let recorded = self.columns.entry(column).or_default();
            rows.extend(std::mem::take(recorded));
            *recorded = rows;
        }
    }

    /// Adds the values of a recorded column from its history, whose commits are ordered newest first. A cell
    /// keeps the values that it has if the history has fewer.
    pub(super) fn fill(&mut self, column: &ColumnKey, commits: &[Commit]) {
        let Some(recorded) = self.columns.get_mut(column) else { return };
        let mut filled: HashMap<RowId, Vec<f32>> = HashMap::new();
        for change in commits.iter().rev().flat_map(|commit| &commit.changes) {
            let (row, before, after) = match change {
                Change::Set(set) if set.column == *column => (set.row, set.was.as_ref(), Some(&set.value)),
                Change::Insert(insert) => (insert.row, None, insert.cells.get(column)),
                Change::Remove(remove) => {
                    filled.remove(&remove.row);
                    continue;
                }
                _ => continue,
            };
            let values = filled.entry(row).or_default();
            let before = before.filter(|_| values.is_empty());
            for value in before.into_iter().chain(after).filter_map(number_of) {
                push(values, value);
            }
        }
        filled.retain(|row, values| recorded.get(row).is_none_or(|known| known.len() <= values.len()));
        recorded.extend(filled);
    }

    /// Returns whether no column is recorded.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Records the effects of a commit.
    pub fn record(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Cell { row, column, before, after } => {
                    let Some(rows) = self.columns.get_mut(column) else { continue };
                    let values = rows.entry(*row).or_default();
                    // It differs from the last recorded value if changes were missed, as after a snapshot.
                    let before = plotted(before)
                        .filter(|before| !values.last().is_some_and(|last| same(*last, *before)));
                    for value in before.into_iter().chain(plotted(after)) {
                        push(values, value);
                    }
                }
                Effect::Removed { row, .. } => {
                    self.columns.values_mut().for_each(|rows| drop(rows.remove(row)));
                }
                Effect::Inserted { .. } | Effect::Moved { .. } | Effect::Structure => {}
            }
        }
    }

    /// Returns a cell's values, oldest first.
    pub fn get(&self, row: RowId, column: &ColumnKey) -> Option<&[f32]> {
        self.columns.get(column)?.get(&row).map(Vec::as_slice)
    }
}

/// Adds a value, and drops the oldest one past the maximum.
fn push(values: &mut Vec<f32>, value: f32) {
    if values.len() == MAX_VALUES {
        values.remove(0);
    }
    values.push(value);
}

/// Returns the number that a value of the wire is, if it is one.
fn number_of(literal: &Literal) -> Option<f32> {
    match literal {
        Literal::Text(text) => text.parse().ok().filter(|number: &f32| number.is_finite()),
        Literal::Empty | Literal::Flag(_) | Literal::Foreign(_) => None,
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits()
}

/// Converts a number for drawing; an `f32` is more precise than any screen.
fn plotted(value: &Value) -> Option<f32> {
    value.as_number()?.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use shared::number::parse_exact;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_last_sixty_values_of_recorded_columns_are_kept() {
        let row = RowId(Uuid::from_u128(1));
        let number = |number: usize| Value::Number(parse_exact(&number.to_string()).unwrap());
        let set = |column: &str, from: usize| Effect::Cell {
            row,
            column: column.into(),
            before: number(from),
            after: number(from + 1),
        };
        let mut sparklines = SparklineValues::default();
        sparklines.set_columns(&BTreeSet::from(["price".into()]));
        for from in 0..100 {
            sparklines.record(&[set("price", from), set("target", from)]);
        }
        let values = sparklines.get(row, &"price".into()).unwrap();
        assert_eq!(
            (values.len(), values[0].to_bits(), values[59].to_bits()),
            (MAX_VALUES, 41_f32.to_bits(), 100_f32.to_bits())
        );
        assert_eq!(sparklines.get(row, &"target".into()), None);
        sparklines.record(&[Effect::Removed { row, index: 0, name: None }]);
        assert_eq!(sparklines.get(row, &"price".into()), None);
        sparklines.set_columns(&BTreeSet::new());
        assert!(sparklines.is_empty());
    }
}
