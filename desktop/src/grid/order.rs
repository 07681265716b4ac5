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
    watchlist::{ColumnEntry, Columns, Row, Watchlist},
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
    places: HashMap<RowId, u32>,
    /// Rows that a filter holds back.
    held_back: HashSet<RowId>,
}

impl Order {
    /// Sorts and filters rows that stand in the list's own order, which decides where the keys do not. `kept` is
    /// shown whatever the filters say.
    pub fn arrange(
        rows: &[Arc<Row>],
        columns: &Columns,
        wanted: &Wanted,
        locale: &Locale,
        kept: Option<RowId>,
    ) -> Self {
        if wanted.is_plain() {
            return Self::default();
        }
        let filters: Vec<(&ColumnEntry, &Filter)> = wanted
            .filters
            .iter()
            .filter_map(|(key, filter)| Some((columns.visible_column(key).ok()?, filter)))
            .collect();
        let is_shown = |row: &Row| {
            Some(row.id) == kept
                || filters.iter().all(|(entry, filter)| {
                    let kind = &entry.column.kind;
                    let reading = Reading { kind, separators: locale.separators, zone: &locale.zone };
                    filter.admits(&row.value(entry, columns), reading)
                })
        };
        let sections = section::column(columns);
        let is_section = |index: usize| section::is_section(sections, &rows[index]);
        let (shown, held_back) =
            admitted(rows.len(), filters.is_empty(), is_section, |index| is_shown(&rows[index]));
        let held_back = held_back.into_iter().map(|index| rows[index].id).collect();
        // Rows are sorted within their sections, which stay where they are.
        let mut sorted = Vec::with_capacity(shown.len());
        for group in shown.chunk_by(|_, next| !is_section(*next)) {
            let (title, members) = group.split_at(usize::from(is_section(group[0])));
            sorted.extend(title.iter().map(|index| rows[*index].id));
            sorted.extend(sort(members, rows, columns, &wanted.sort));
        }
        let mut arranged = Arranged { rows: sorted, places: HashMap::new(), held_back };
        arranged.index();
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
            Some(arranged) => arranged.places.get(&row).map(|index| *index as usize),
        }
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
            let is_known = arranged.places.contains_key(&row.id) || arranged.held_back.contains(&row.id);
            if is_known {
                before = Some(row.id).filter(|row| arranged.places.contains_key(row));
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
        arranged.rows = followed;
        arranged.index();
    }
}

impl Arranged {
    fn index(&mut self) {
        let count = u32::try_from(self.rows.len()).expect("the row limit is far below 2^32");
        self.places = self.rows.iter().copied().zip(0..count).collect();
    }
}

/// The rows that are shown, and those that are held back. A section is shown where any of its rows is.
fn admitted(
    rows: usize,
    is_all: bool,
    is_section: impl Fn(usize) -> bool,
    is_shown: impl Fn(usize) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    if is_all {
        return ((0..rows).collect(), Vec::new());
    }
    let (mut shown, mut held_back) = (Vec::new(), Vec::new());
    let mut title = None;
    for index in 0..rows {
        if is_section(index) {
            held_back.extend(title.replace(index));
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

fn sort(shown: &[usize], rows: &[Arc<Row>], columns: &Columns, keys: &[SortKey]) -> Vec<RowId> {
    let keys: Vec<(&ColumnEntry, bool)> = keys
        .iter()
        .filter_map(|key| Some((columns.visible_column(&key.column).ok()?, key.descending)))
        .collect();
    let Some((first, descending)) = keys.first() else {
        return shown.iter().map(|index| rows[*index].id).collect();
    };
    let mut sorted: Vec<(u64, usize)> = shown
        .iter()
        .map(|index| (coarse(&rows[*index].value(first, columns), *descending), *index))
        .collect();
    sorted.sort_unstable_by(|(coarse_a, a), (coarse_b, b)| {
        let fine = || {
            keys.iter().map(|(entry, descending)| {
                let (a, b) = (rows[*a].value(entry, columns), rows[*b].value(entry, columns));
                compare(&a, &b, *descending)
            })
        };
        let by_keys =
            || fine().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b));
        coarse_a.cmp(coarse_b).then_with(by_keys)
    });
    sorted.into_iter().map(|(_, index)| rows[index].id).collect()
}

fn compare(a: &Value, b: &Value, descending: bool) -> Ordering {
    let ordering = a.sort_order(b);
    if descending && !a.is_empty() && !b.is_empty() { ordering.reverse() } else { ordering }
}

/// A number that orders values as [`compare`] does, or says nothing where it is the same for both: most of a
/// million comparisons are of two of these.
fn coarse(value: &Value, descending: bool) -> u64 {
    let ordered = |signed: i64| signed.cast_unsigned() ^ (1 << 63);
    let coarse = match value {
        Value::Empty => return u64::MAX,
        Value::Number(number) => ordered(millionths(*number)),
        Value::Time(time) => ordered(time.as_millis()),
        Value::Flag(flag) => u64::from(*flag),
        Value::Text(text) => {
            let mut first = [0; 8];
            let mut bytes =
                text.chars().flat_map(char::to_lowercase).take(8).collect::<String>().into_bytes();
            bytes.truncate(8);
            first[..bytes.len()].copy_from_slice(&bytes);
            u64::from_be_bytes(first)
        }
    };
    if descending { !coarse } else { coarse }
}

/// Whole millionths, rounded down, held to what 64 bits take: in the order of the numbers themselves.
fn millionths(number: Decimal) -> i64 {
    let (mantissa, scale) = (number.mantissa(), number.scale());
    let whole = match scale.checked_sub(6) {
        Some(finer) => mantissa.div_euclid(10_i128.pow(finer)),
        None => mantissa.saturating_mul(10_i128.pow(6 - scale)),
    };
    i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::Change, limits::Limits, number::parse_exact, position::Position,
        value::Literal, watchlist::apply::Mode,
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
        let frozen = watchlist.freeze();
        Order::arrange(&frozen.rows, &frozen.columns, wanted, &locale, None)
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
        let values = numbers.map(|text| Value::Number(parse_exact(text).unwrap()));
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            for descending in [false, true] {
                let by_coarse = coarse(a, descending).cmp(&coarse(b, descending));
                let fine = compare(a, b, descending);
                assert!(by_coarse.is_eq() || by_coarse == fine, "{a:?} {b:?} {descending}");
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
        let frozen = list.freeze();
        let locale = Locale { separators: Separators::Point, zone: TimeZone::UTC };
        let order = Order::arrange(&frozen.rows, &frozen.columns, &wanted, &locale, Some(row(3)));
        assert_eq!(shown(&order, &list), [1, 3]);
    }
}
