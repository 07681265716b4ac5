//! A conflated range leads from the state before the range to exactly the state after it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::{
    column::{ColumnKey, ColumnKind, standard_columns},
    conflate::conflate,
    edit::{AddColumn, Author, Change, ColumnRef, Commit, SetColumn},
    ids::{ClientId, EditId, Revision, RowId, UserId},
    limits::Limits,
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

fn row() -> impl Strategy<Value = RowId> {
    (1u128..6).prop_map(|number| RowId(Uuid::from_u128(number)))
}

fn change() -> impl Strategy<Value = Change> {
    let position = (1u8..255).prop_map(|byte| Position::from_hex(&format!("{byte:02x}")).unwrap());
    let text = prop_oneof![Just("1"), Just("2.50"), Just("words")];
    let column = prop_oneof![Just("price"), Just("note"), Just("extra")].prop_map(ColumnKey::from);
    let kind = prop_oneof![Just(ColumnKind::Text), Just(ColumnKind::Number { decimals: 2 })];
    prop_oneof![
        6 => (row(), column, text).prop_map(|(row, column, text)| Change::set(row, &column, text.into())),
        3 => (row(), position.clone()).prop_map(|(row, position)| {
            Change::insert(row, &position, BTreeMap::from([("price".into(), Literal::from("9"))]))
        }),
        2 => row().prop_map(|row| Change::remove(row, None)),
        1 => (row(), position).prop_map(|(row, position)| Change::move_to(row, &position)),
        1 => kind.clone().prop_map(|kind| {
            Change::AddColumn(AddColumn { key: "extra".into(), title: "Extra".into(), kind, after: None })
        }),
        1 => kind.prop_map(|kind| {
            Change::SetColumn(SetColumn { key: "extra".into(), title: None, kind: Some(kind), after: None })
        }),
        1 => Just(Change::RemoveColumn(ColumnRef { key: "extra".into() })),
        1 => Just(Change::RestoreColumn(ColumnRef { key: "extra".into() })),
    ]
}

/// Returns the commits of the edits that a server would accept, and the states before the first and after
/// each.
fn accepted_commits(edits: Vec<Vec<Change>>) -> (Vec<Commit>, Vec<Watchlist>) {
    let limits = Limits::default();
    let mut state = Watchlist::new("Test", standard_columns(), &limits).unwrap();
    let (mut commits, mut states): (Vec<Commit>, Vec<Watchlist>) = (Vec::new(), vec![state.clone()]);
    for changes in edits {
        let revision = Revision(commits.len() as u64 + 1);
        let at = Timestamp::from_millis(i64::try_from(revision.0).unwrap());
        let mode = Mode::Validate { limits: &limits, at, changed_since: &|_, _| false };
        if state.apply(&changes, &mode).is_ok() {
            let by = Author {
                user: UserId(Uuid::nil()),
                name: "ann".into(),
                client: ClientId(Uuid::nil()),
                edit: EditId(revision.0),
            };
            commits.push(Commit { revision, by, at, changes });
            states.push(state.clone());
        }
    }
    (commits, states)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_conflated_range_leads_to_the_state_after_it(
        edits in prop::collection::vec(prop::collection::vec(change(), 1..4), 1..30),
        from in 0usize..30,
        to in 0usize..30,
    ) {
        let (commits, states) = accepted_commits(edits);
        let (from, to) = (from.min(commits.len()), to.min(commits.len()));
        prop_assume!(from <= to);
        let kept = conflate(&commits[from..to]);
        let mut state = states[from].clone();
        for commit in &kept {
            prop_assert!(!commit.changes.is_empty());
            state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).unwrap();
        }
        prop_assert!(state.has_same_content(&states[to]), "{:#?}\nis not\n{:#?}", state, states[to]);
        // Rows that exist neither before the range nor after it are absent.
        let exists = |row| [&states[from], &states[to]].iter().any(|state| state.rows().get(row).is_some());
        let rows: Vec<RowId> = kept.iter().flat_map(|commit| &commit.changes).filter_map(Change::row).collect();
        prop_assert!(rows.iter().all(|row| exists(*row)), "{:#?}", kept);
        // No cell is set twice.
        let mut sets: Vec<_> = kept.iter().flat_map(|commit| &commit.changes).filter_map(|change| match change {
            Change::Set(set) => Some((set.row, set.column.clone())),
            _ => None,
        }).collect();
        let count = sets.len();
        sets.sort();
        sets.dedup();
        prop_assert_eq!(sets.len(), count);
    }
}
