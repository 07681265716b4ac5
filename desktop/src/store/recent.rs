//! Recent changes by others, which are on the screen, but which the person has had no time to read.

use std::{collections::VecDeque, time::Duration};

use shared::{
    column::ColumnKey,
    ids::{RowId, WindowId},
    replica::Effect,
    value::Value,
};

/// Time that a person needs to notice a change and act on it.
pub const REACTION: Duration = Duration::from_millis(300);

/// The latest changes of one watchlist by others. Callers pass the time in.
#[derive(Debug, Default)]
pub struct Recent {
    /// The cells that were changed, with their values before, the latest last.
    cells: VecDeque<ChangedCell>,
    moves: u64,
}

#[derive(Debug)]
struct ChangedCell {
    at: Duration,
    row: RowId,
    column: ColumnKey,
    before: Value,
}

impl Recent {
    /// Records a commit at `now`, on any monotonic clock; `origin` is the window of this process that made
    /// it.
    pub fn record(&mut self, effects: &[Effect], origin: Option<WindowId>, now: Duration) {
        while self.cells.pop_front_if(|cell| now.saturating_sub(cell.at) >= REACTION).is_some() {}
        for effect in effects {
            match (effect, origin) {
                (Effect::Cell { row, column, before, after }, None) if before != after => {
                    let (row, column, before) = (*row, column.clone(), before.clone());
                    self.cells.push_back(ChangedCell { at: now, row, column, before });
                }
                // A person knows the values that they set.
                (Effect::Cell { row, column, .. }, Some(_)) => {
                    self.cells.retain(|cell| (cell.row, &cell.column) != (*row, column));
                }
                (Effect::Cell { .. }, None) => {}
                // Rows or columns.
                (_, None) => self.moves += 1,
                (_, Some(_)) => {}
            }
        }
    }

    /// Returns the value of a cell that a person has read, if others have changed it since.
    pub fn value_before(&self, row: RowId, column: &ColumnKey, now: Duration) -> Option<&Value> {
        let is_unread = |cell: &&ChangedCell| {
            now.saturating_sub(cell.at) < REACTION && (cell.row, &cell.column) == (row, column)
        };
        self.cells.iter().find(is_unread).map(|cell| &cell.before)
    }

    /// Returns a number that grows when others insert, remove or move rows or columns.
    pub fn moves(&self) -> u64 {
        self.moves
    }
}

#[cfg(test)]
mod tests {
    use shared::number::parse_exact;
    use uuid::Uuid;

    use super::*;

    const ROW: RowId = RowId(Uuid::from_u128(1));

    fn number(text: &str) -> Value {
        Value::Number(parse_exact(text).unwrap())
    }

    fn price(before: &str, after: &str) -> Effect {
        Effect::Cell { row: ROW, column: "price".into(), before: number(before), after: number(after) }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(10_000 + millis)
    }

    #[test]
    fn a_value_is_known_until_a_person_has_read_the_next_ones() {
        let mut recent = Recent::default();
        recent.record(&[price("1", "2")], None, at(0));
        recent.record(&[price("2", "3")], None, at(200));
        let before = |recent: &Recent, millis| {
            recent.value_before(ROW, &"price".into(), at(millis)).map(|value| value.to_literal().to_string())
        };
        let text = |text: &str| Some(number(text).to_literal().to_string());
        assert_eq!(
            [0, 299, 300, 499, 500].map(|millis| before(&recent, millis)),
            [text("1"), text("1"), text("2"), text("2"), None]
        );
        assert_eq!(recent.value_before(ROW, &"note".into(), at(0)), None);
        recent.record(&[price("3", "4")], None, at(600));
        assert_eq!(recent.cells.len(), 1, "what has been read is forgotten");
        recent.record(&[price("4", "5")], Some(WindowId(1)), at(601));
        assert_eq!(before(&recent, 602), None, "it was set here");
    }

    #[test]
    fn moves_of_others_are_counted() {
        let mut recent = Recent::default();
        let moves = [
            Effect::Inserted { row: ROW },
            Effect::Moved { row: ROW },
            Effect::Removed { row: ROW, index: 0, name: None },
            price("1", "2"),
        ];
        recent.record(&moves, Some(WindowId(1)), at(0));
        assert_eq!(recent.moves(), 0);
        recent.record(&moves, None, at(0));
        assert_eq!(recent.moves(), 3);
    }
}
