//! The last values of the cells that windows draw as sparklines, from when a window asked for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{column::ColumnKey, ids::RowId, replica::Effect, value::Value};

/// Values of a cell that are kept.
pub const KEPT: usize = 60;

/// The values of one watchlist's cells.
#[derive(Debug, Default)]
pub struct Trails {
    columns: BTreeMap<ColumnKey, HashMap<RowId, Vec<f32>>>,
}

impl Trails {
    /// Keeps the values of these columns from here on, and forgets those of others.
    pub fn want(&mut self, columns: &BTreeSet<ColumnKey>) {
        self.columns.retain(|column, _| columns.contains(column));
        for column in columns {
            self.columns.entry(column.clone()).or_default();
        }
    }

    /// Whether there is nothing to keep.
    pub fn is_idle(&self) -> bool {
        self.columns.is_empty()
    }

    /// A commit came.
    pub fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Cell { row, column, before, after } => {
                    let Some(rows) = self.columns.get_mut(column) else { continue };
                    let values = rows.entry(*row).or_default();
                    // After a time without changes, as after a snapshot, it may be another than the last.
                    let before = plotted(before)
                        .filter(|before| !values.last().is_some_and(|last| same(*last, *before)));
                    for value in before.into_iter().chain(plotted(after)) {
                        if values.len() == KEPT {
                            values.remove(0);
                        }
                        values.push(value);
                    }
                }
                Effect::Removed { row, .. } => {
                    self.columns.values_mut().for_each(|rows| drop(rows.remove(row)));
                }
                Effect::Inserted { .. } | Effect::Moved { .. } | Effect::Shape => {}
            }
        }
    }

    /// A cell's values, oldest first.
    pub fn get(&self, row: RowId, column: &ColumnKey) -> Option<&[f32]> {
        self.columns.get(column)?.get(&row).map(Vec::as_slice)
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits()
}

/// A number as it is drawn: to a part in ten million, which is finer than any screen.
fn plotted(value: &Value) -> Option<f32> {
    value.as_number()?.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use shared::number::parse_exact;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_last_sixty_values_of_wanted_columns_are_kept() {
        let row = RowId(Uuid::from_u128(1));
        let number = |number: usize| Value::Number(parse_exact(&number.to_string()).unwrap());
        let set = |column: &str, from: usize| Effect::Cell {
            row,
            column: column.into(),
            before: number(from),
            after: number(from + 1),
        };
        let mut trails = Trails::default();
        trails.want(&BTreeSet::from(["price".into()]));
        for from in 0..100 {
            trails.note(&[set("price", from), set("target", from)]);
        }
        let values = trails.get(row, &"price".into()).unwrap();
        assert_eq!(
            (values.len(), values[0].to_bits(), values[59].to_bits()),
            (KEPT, 41_f32.to_bits(), 100_f32.to_bits())
        );
        assert_eq!(trails.get(row, &"target".into()), None);
        trails.note(&[Effect::Removed { row, index: 0 }]);
        assert_eq!(trails.get(row, &"price".into()), None);
        trails.want(&BTreeSet::new());
        assert!(trails.is_idle());
    }
}
