//! Which rows are shown, in which order.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    ids::RowId,
    number::Separators,
    value::Value,
    watchlist::{ColumnEntry, Frozen, Row, Watchlist},
};

use super::{
    filter::{Filter, Reading},
    section,
};

/// One column that rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SortKey {
    /// Which.
    pub column: ColumnKey,
    /// Largest first; empty cells are last all the same.
    pub descending: bool,
}

/// What is asked of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// By what rows are sorted, the first counting most; none is the list's own order.
    pub sort: Vec<SortKey>,
    /// Which rows are shown: those that every filter admits.
    pub filters: Vec<(ColumnKey, Filter)>,
}

impl Wanted {
    /// Whether the list is shown whole in its own order.
    pub fn is_plain(&self) -> bool {
        self.sort.is_empty() && self.filters.is_empty()
    }
}

/// How values are read and shown, which filters need.
#[derive(Clone, Debug)]
pub struct Locale {
    /// How numbers are typed.
    pub separators: Separators,
    /// Where times are shown.
    pub zone: TimeZone,
}

/// The rows that are shown, in their order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// `None` shows the list whole in its own order.
    arranged: Option<Arranged>,
}

#[derive(Clone, Debug, Default)]
struct Arranged {
    rows: Vec<RowId>,
    /// Where each row stands, by its handle; [`NOWHERE`] for others.
    places: Vec<u32>,
    /// Rows that a filter holds back.
    held_back: HashSet<RowId>,
}

const NOWHERE: u32 = u32::MAX;

impl Order {
    /// Sorts and filters rows that stand in the list's own order, which decides where the keys do not. `kept` is
    /// shown whatever the filters say.
    pub fn arrange(list: &Frozen, wanted: &Wanted, locale: &Locale, kept: Option<RowId>) -> Self {
        if wanted.is_plain() {
            return Self::default();
        }
        let columns = &list.columns;
        let filters: Vec<(&ColumnEntry, &Filter)> = wanted
            .filters
            .iter()
            .filter_map(|(key, filter)| Some((columns.visible_column(key).ok()?, filter)))
            .collect();
        let is_shown = |row: &Row| {
            kept == Some(row.id)
                || filters.iter().all(|(entry, filter)| {
                    let kind = &entry.column.kind;
                    let reading = Reading { kind, separators: locale.separators, zone: &locale.zone };
                    filter.admits(&row.value(entry, columns), reading)
                })
        };
        let sections = section::column(columns);
        let is_section = |index: usize| section::is_section(sections, list.row(index));
        let is_kept = |index: usize| kept.is_some_and(|kept| list.row(index).id == kept);
        let (mut shown, held_back) =
            admitted(list.len(), filters.is_empty(), is_section, is_kept, |index| is_shown(list.row(index)));
        let held_back = held_back.into_iter().map(|index| list.row(index).id).collect();
        let keys = Keys::new(list, &wanted.sort);
        if sections.is_none() {
            keys.sort(&mut shown);
        } else {
            // Rows are sorted within their sections, which stay where they are.
            for group in shown.chunk_by_mut(|_, next| !is_section(*next)) {
                let titles = usize::from(is_section(group[0]));
                keys.sort(&mut group[titles..]);
            }
        }
        let ids: Vec<RowId> = list.rows().map(|row| row.id).collect();
        let mut arranged = Arranged { held_back, ..Arranged::default() };
        arranged.stand(shown.iter().map(|index| (ids[*index], list.handle(*index))));
        Self { arranged: Some(arranged) }
    }

    /// How many rows are shown.
    pub fn len(&self, watchlist: &Watchlist) -> usize {
        self.arranged.as_ref().map_or_else(|| watchlist.rows().len(), |arranged| arranged.rows.len())
    }

    /// The row at a place, from 0.
    pub fn at<'a>(&self, watchlist: &'a Watchlist, index: usize) -> Option<&'a Arc<Row>> {
        match &self.arranged {
            None => watchlist.rows().at(index),
            Some(arranged) => watchlist.rows().get(*arranged.rows.get(index)?),
        }
    }

    /// A row's place, from 0, where it is shown.
    pub fn index_of(&self, watchlist: &Watchlist, row: RowId) -> Option<usize> {
        match &self.arranged {
            None => watchlist.rows().index_of(row),
            Some(arranged) => arranged.place_of(watchlist.rows().handle(row)?, row),
        }
    }

    /// Whether a row with this handle is shown.
    pub(super) fn shows(&self, handle: u32, row: RowId) -> bool {
        self.arranged.as_ref().is_none_or(|arranged| arranged.place_of(handle, row).is_some())
    }

    /// Takes up what came and went since: rows that are gone leave, and a new one stands behind the row that it
    /// follows in the list's own order, or at the end, until the order is made anew.
    pub fn follow(&mut self, watchlist: &Watchlist) {
        let Some(arranged) = &mut self.arranged else { return };
        let rows = watchlist.rows();
        arranged.held_back.retain(|row| rows.get(*row).is_some());
        let mut came: HashMap<Option<RowId>, Vec<RowId>> = HashMap::new();
        let mut before = None;
        for row in rows.iter() {
            let handle = rows.handle(row.id).expect("it is one of them");
            let is_shown = arranged.place_of(handle, row.id).is_some();
            if is_shown || arranged.held_back.contains(&row.id) {
                before = Some(row.id).filter(|_| is_shown);
            } else {
                came.entry(before).or_default().push(row.id);
            }
        }
        let mut followed = Vec::with_capacity(rows.len());
        for row in std::mem::take(&mut arranged.rows) {
            if rows.get(row).is_some() {
                followed.push(row);
            }
            followed.extend(came.remove(&Some(row)).unwrap_or_default());
        }
        followed.extend(came.remove(&None).unwrap_or_default());
        arranged.stand(followed.into_iter().filter_map(|row| Some((row, rows.handle(row)?))));
    }
}

impl Arranged {
    /// Rows stand in this order; each comes with its handle.
    fn stand(&mut self, rows: impl Iterator<Item = (RowId, u32)>) {
        self.rows.clear();
        self.places.clear();
        for (place, (row, handle)) in (0..NOWHERE).zip(rows) {
            let index = handle as usize;
            if self.places.len() <= index {
                self.places.resize(index + 1, NOWHERE);
            }
            self.places[index] = place;
            self.rows.push(row);
        }
    }

    fn place_of(&self, handle: u32, row: RowId) -> Option<usize> {
        let place = *self.places.get(handle as usize)? as usize;
        // A handle may have been another row's when the order was made.
        (self.rows.get(place) == Some(&row)).then_some(place)
    }
}

/// The rows that are shown, and those that are held back. A section is shown where any of its rows is, and where it is
/// kept itself.
fn admitted(
    rows: usize,
    is_all: bool,
    is_section: impl Fn(usize) -> bool,
    is_kept: impl Fn(usize) -> bool,
    is_shown: impl Fn(usize) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    if is_all {
        return ((0..rows).collect(), Vec::new());
    }
    let (mut shown, mut held_back) = (Vec::new(), Vec::new());
    let mut title = None;
    for index in 0..rows {
        if is_section(index) {
            held_back.extend(title.take());
            if is_kept(index) {
                shown.push(index);
            } else {
                title = Some(index);
            }
        } else if is_shown(index) {
            shown.extend(title.take());
            shown.push(index);
        } else {
            held_back.push(index);
        }
    }
    held_back.extend(title);
    (shown, held_back)
}

/// What rows are sorted by.
struct Keys<'a> {
    list: &'a Frozen,
    keys: Vec<(&'a ColumnEntry, bool)>,
}

impl<'a> Keys<'a> {
    fn new(list: &'a Frozen, sort: &[SortKey]) -> Self {
        let entry = |key: &SortKey| list.columns.visible_column(&key.column).ok();
        let keys = sort.iter().filter_map(|key| Some((entry(key)?, key.descending))).collect();
        Self { list, keys }
    }

    /// Sorts rows, by their places in the list's own order.
    fn sort(&self, rows: &mut [usize]) {
        let Some((first, descending)) = self.keys.first() else { return };
        // One number for each row: its coarse key, its place in the list, and whether the coarse key says all. A
        // million of these are sorted in the time in which their values are looked up once.
        let pack = |index: usize| {
            let (coarse, is_exact) = coarse(&self.value(index, first), *descending);
            u128::from(coarse) << 64 | (index as u128) << 1 | u128::from(!is_exact)
        };
        let mut packed: Vec<u128> = rows.iter().map(|index| pack(*index)).collect();
        packed.sort_unstable();
        for (row, packed) in rows.iter_mut().zip(&packed) {
            *row = usize::try_from((packed & u128::from(u64::MAX)) >> 1).expect("it was one");
        }
        let mut start = 0;
        for run in packed.chunk_by(|a, b| a >> 64 == b >> 64) {
            let end = start + run.len();
            if run.len() > 1 && (self.keys.len() > 1 || run.iter().any(|packed| packed & 1 == 1)) {
                self.refine(&mut rows[start..end]);
            }
            start = end;
        }
    }

    /// Sorts rows whose coarse keys are the same.
    fn refine(&self, rows: &mut [usize]) {
        let values = |index: usize| -> Vec<SortValue> {
            self.keys.iter().map(|(entry, _)| SortValue::of(self.value(index, entry))).collect()
        };
        let mut decorated: Vec<(Vec<SortValue>, usize)> =
            rows.iter().map(|index| (values(*index), *index)).collect();
        decorated.sort_unstable_by(|(a, index_a), (b, index_b)| {
            let by_keys =
                a.iter().zip(b).zip(&self.keys).map(|((a, b), (_, descending))| a.compare(b, *descending));
            by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| index_a.cmp(index_b))
        });
        for (row, (_, index)) in rows.iter_mut().zip(decorated) {
            *row = index;
        }
    }

    fn value(&self, index: usize, entry: &ColumnEntry) -> Value {
        self.list.row(index).value(entry, &self.list.columns)
    }
}

/// A value that is compared many times: texts are folded once.
struct SortValue {
    value: Value,
    folded: Option<String>,
}

impl SortValue {
    fn of(value: Value) -> Self {
        let folded = if let Value::Text(text) = &value { Some(text.to_lowercase()) } else { None };
        Self { value, folded }
    }

    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let (a, b) = (&self.value, &other.value);
        let ordering = match (&self.folded, &other.folded) {
            (Some(folded_a), Some(folded_b)) if folded_a != folded_b => folded_a.cmp(folded_b),
            _ => a.sort_order(b),
        };
        if descending && !a.is_empty() && !b.is_empty() { ordering.reverse() } else { ordering }
    }
}

/// A number that orders values as [`SortValue::compare`] does, and whether values that have the same one are the same.
fn coarse(value: &Value, descending: bool) -> (u64, bool) {
    let ordered = |signed: i64| signed.cast_unsigned() ^ (1 << 63);
    let (coarse, is_exact) = match value {
        Value::Empty => return (u64::MAX, true),
        Value::Number(number) => {
            let (millionths, is_exact) = millionths(*number);
            (ordered(millionths), is_exact)
        }
        Value::Time(time) => (ordered(time.as_millis()), true),
        Value::Flag(flag) => (u64::from(*flag), true),
        Value::Text(text) => {
            let mut first = [0; 8];
            let mut bytes =
                text.chars().flat_map(char::to_lowercase).take(8).collect::<String>().into_bytes();
            bytes.truncate(8);
            first[..bytes.len()].copy_from_slice(&bytes);
            (u64::from_be_bytes(first), false)
        }
    };
    let coarse = if descending { !coarse } else { coarse };
    // The last one is that of empty cells.
    (coarse.min(u64::MAX - 1), is_exact && coarse != u64::MAX)
}

/// Whole millionths, rounded down, held to what 64 bits take: in the order of the numbers themselves. And whether that
/// is the number itself.
fn millionths(number: Decimal) -> (i64, bool) {
    let (mantissa, scale) = (number.mantissa(), number.scale());
    let (whole, is_whole) = match scale.checked_sub(6) {
        Some(finer) => {
            let unit = 10_i128.pow(finer);
            (mantissa.div_euclid(unit), mantissa.rem_euclid(unit) == 0)
        }
        None => (mantissa.saturating_mul(10_i128.pow(6 - scale)), true),
    };
    match i64::try_from(whole) {
        Ok(whole) => (whole, is_whole),
        Err(_) => (if whole < 0 { i64::MIN } else { i64::MAX }, false),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::Change, limits::Limits, number::parse_exact, position::Position,
        time::Timestamp, value::Literal, watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    /// Rows 1, 2, 3 … with a symbol and a price each.
    fn watchlist(rows: &[(&str, &str)]) -> Watchlist {
        let limits = Limits::default();
        let mut watchlist = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, rows.len()).unwrap();
        for (((symbol, price), position), number) in rows.iter().zip(&positions).zip(1..) {
            let cells = [("symbol", symbol), ("price", price)]
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(key, text)| (key.into(), Literal::from(*text)));
            let insert = Change::insert(row(number), position, cells.collect());
            watchlist.apply(&[insert], &Mode::Pending { limits: &limits }).unwrap();
        }
        watchlist
    }

    fn by(column: &str, descending: bool) -> SortKey {
        SortKey { column: column.into(), descending }
    }

    fn arrange(watchlist: &Watchlist, wanted: &Wanted) -> Order {
        let locale = Locale { separators: Separators::Point, zone: TimeZone::UTC };
        Order::arrange(&watchlist.freeze(), wanted, &locale, None)
    }

    fn shown(order: &Order, watchlist: &Watchlist) -> Vec<u128> {
        (0..order.len(watchlist)).map(|index| order.at(watchlist, index).unwrap().id.0.as_u128()).collect()
    }

    #[test]
    fn numbers_sort_as_numbers_empties_last_and_ties_keep_the_lists_order() {
        let list = watchlist(&[("B", "9"), ("A", "10.0"), ("", ""), ("C", "-3"), ("D", "10")]);
        let sorted = |sort: &[SortKey]| {
            let wanted = Wanted { sort: sort.to_vec(), filters: Vec::new() };
            shown(&arrange(&list, &wanted), &list)
        };
        assert_eq!(sorted(&[by("price", false)]), [4, 1, 2, 5, 3]);
        assert_eq!(sorted(&[by("price", true)]), [2, 5, 1, 4, 3]);
        assert_eq!(sorted(&[by("price", true), by("symbol", true)]), [5, 2, 1, 4, 3]);
        assert_eq!(sorted(&[by("symbol", false)]), [2, 1, 4, 5, 3]);
        assert_eq!(sorted(&[]), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_coarse_order_never_contradicts_the_fine_one() {
        let numbers = [
            "-99999999999999999999",
            "-1.0000001",
            "-1",
            "-0.5",
            "0",
            "0.0000001",
            "0.0000002",
            "71.8",
            "71.80",
            "9999999999999.999999",
            "99999999999999999999999999",
        ];
        let mut values: Vec<Value> =
            numbers.iter().map(|text| Value::Number(parse_exact(text).unwrap())).collect();
        values.extend([Value::Empty, Value::Flag(false), Value::Flag(true)]);
        values.extend(["", "a", "A", "alphabet soup", "alphabet Soap"].map(|text| Value::Text(text.into())));
        values.extend([i64::MIN, -1, 0, i64::MAX].map(|at| Value::Time(Timestamp::from_millis(at))));
        // A column holds values of one kind, and empty ones.
        let kind = |value: &Value| std::mem::discriminant(value);
        let compared = |a: &Value, b: &Value| kind(a) == kind(b) || a.is_empty() || b.is_empty();
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            if !compared(a, b) {
                continue;
            }
            for descending in [false, true] {
                let ((coarse_a, exact_a), (coarse_b, exact_b)) =
                    (coarse(a, descending), coarse(b, descending));
                let fine = SortValue::of(a.clone()).compare(&SortValue::of(b.clone()), descending);
                let says_all = exact_a && exact_b;
                let by_coarse = coarse_a.cmp(&coarse_b);
                assert!(by_coarse == fine || by_coarse.is_eq() && !says_all, "{a:?} {b:?} {descending}");
            }
        }
    }

    #[test]
    fn rows_that_come_and_go_are_followed_until_the_order_is_made_anew() {
        let mut list = watchlist(&[("A", "3"), ("B", "2"), ("C", "1")]);
        let limits = Limits::default();
        let wanted = Wanted { sort: vec![by("price", false)], filters: Vec::new() };
        let mut order = arrange(&list, &wanted);
        assert_eq!(shown(&order, &list), [3, 2, 1]);
        let between = (&list.rows().at(0).unwrap().position, &list.rows().at(1).unwrap().position);
        let place = Position::between(Some(between.0), Some(between.1), 1).unwrap().remove(0);
        let changes = [Change::insert(row(9), &place, BTreeMap::new()), Change::remove(row(2), None)];
        list.apply(&changes, &Mode::Pending { limits: &limits }).unwrap();
        order.follow(&list);
        assert_eq!(shown(&order, &list), [3, 1, 9], "the new row stands behind the one that it follows");
        assert_eq!(order.index_of(&list, row(9)), Some(2));
        assert_eq!(order.index_of(&list, row(2)), None);
    }

    #[test]
    fn a_row_that_has_the_handle_of_one_that_is_gone_is_not_taken_for_it() {
        let mut list = watchlist(&[("A", "3"), ("B", "2"), ("C", "1")]);
        let limits = Limits::default();
        let wanted = Wanted { sort: vec![by("price", false)], filters: Vec::new() };
        let mut order = arrange(&list, &wanted);
        let handle = list.rows().handle(row(2));
        let place =
            Position::between(list.rows().iter().last().map(|row| &row.position), None, 1).unwrap().remove(0);
        let changes = [Change::remove(row(2), None), Change::insert(row(9), &place, BTreeMap::new())];
        list.apply(&changes, &Mode::Pending { limits: &limits }).unwrap();
        assert_eq!(list.rows().handle(row(9)), handle, "it is given again");
        assert_eq!(order.index_of(&list, row(9)), None);
        order.follow(&list);
        assert_eq!(shown(&order, &list), [3, 9, 1]);
    }

    #[test]
    fn a_filter_holds_rows_back_but_the_one_that_is_kept() {
        let list = watchlist(&[("A", "30"), ("B", "20"), ("C", "")]);
        let filter = Filter::Between(
            super::super::filter::Bound::Without(25.into()),
            super::super::filter::Bound::Open,
        );
        let wanted = Wanted { sort: Vec::new(), filters: vec![("price".into(), filter)] };
        let mut order = arrange(&list, &wanted);
        assert_eq!(shown(&order, &list), [1]);
        order.follow(&list);
        assert_eq!(shown(&order, &list), [1], "what is held back is not new");
        let locale = Locale { separators: Separators::Point, zone: TimeZone::UTC };
        let order = Order::arrange(&list.freeze(), &wanted, &locale, Some(row(3)));
        assert_eq!(shown(&order, &list), [1, 3]);
    }
}
