//! Random edits of a watchlist, made so that clients often change the same cells and rows.

use std::collections::BTreeMap;

use fastrand::Rng;
use shared::{edit::Change, ids::RowId, position::Position, value::Literal, watchlist::Watchlist};
use uuid::Uuid;

/// Returns the changes of a random edit.
pub(super) fn random_changes(rng: &mut Rng, state: &Watchlist) -> Vec<Change> {
    let rows: Vec<RowId> = state.rows().iter().map(|row| row.id).collect();
    let any_row = |rng: &mut Rng| rows[rng.usize(..rows.len())];
    let number = rng.u32(..100);
    match rng.u32(..10) {
        _ if rows.is_empty() => vec![insert(rng)],
        0..2 => vec![insert(rng)],
        2 => vec![Change::remove(any_row(rng), None)],
        3 => {
            let position = Position::from_hex(&format!("{:02x}80", rng.u8(1..255))).unwrap();
            vec![Change::move_to(any_row(rng), &position)]
        }
        4 => {
            let (first, second) = (any_row(rng), any_row(rng));
            let set = |row, value: u32| {
                Change::set(row, &"target".into(), Literal::from(value.to_string().as_str()))
            };
            vec![set(first, number), set(second, number + 1)]
        }
        _ => {
            let row = any_row(rng);
            let was = state.cell(row, &"price".into()).to_literal();
            let value = Literal::from(number.to_string().as_str());
            if rng.bool() {
                vec![Change::set_guarded(row, &"price".into(), value, was)]
            } else {
                vec![Change::set(row, &"price".into(), value)]
            }
        }
    }
}

fn insert(rng: &mut Rng) -> Change {
    // Ids from a small set, so that rows are inserted twice, and again after their removal.
    let row = RowId(Uuid::from_u128(1_000 + u128::from(rng.u32(..12))));
    let position = Position::from_hex(&format!("{:02x}", rng.u8(1..255))).unwrap();
    let cells = BTreeMap::from([("symbol".into(), Literal::from("S"))]);
    Change::insert(row, &position, cells)
}
