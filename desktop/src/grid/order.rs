//! The rows that are shown and their order: sorting and filtering.

mod compare;
mod sort;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    ids::RowId,
    number::Separators,
    watchlist::{ColumnEntry, Frozen, Row, Watchlist},
};

pub use self::sort::SortKey;
use self::sort::SortKeys;
use super::filter::{Filter, Needle, ValueFormat, display_text};

/// The sort keys and filters that define an [`Order`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderSpec {
    /// Sort keys, most significant first. Without keys, rows are in list order.
    pub sort: Vec<SortKey>,
    /// Filters by column. A row is shown if it matches all of them.
    pub filters: Vec<(ColumnKey, Filter)>,
    /// Text that one of the shown columns has to contain.
    pub quick: Option<QuickFilter>,
}

/// A filter across columns.
#[derive(Clone, Debug, PartialEq)]
pub struct QuickFilter {
    /// The text.
    pub needle: Needle,
    /// The columns, as the window shows them.
    pub columns: Vec<Arc<ColumnEntry>>,
}

impl QuickFilter {
    /// Whether a row has the text in one of the columns.
    fn matches(&self, row: &Row, list: &Frozen, locale: &Locale) -> bool {
        self.columns.iter().any(|entry| {
            let kind = &entry.column.kind;
            let format = ValueFormat { kind, separators: locale.separators, zone: &locale.zone };
            self.needle.matches(&display_text(&list.value(row, entry), format))
        })
    }
}

impl OrderSpec {
    /// Whether all rows are shown in list order.
    pub fn is_plain(&self) -> bool {
        self.sort.is_empty() && self.filters.is_empty() && self.quick.is_none()
    }
}

/// How filters parse and show values.
#[derive(Clone, Debug)]
pub struct Locale {
    /// Decimal and thousands separators.
    pub separators: Separators,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
}

/// The shown rows, in display order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// `None` shows all rows in list order.
    arranged: Option<Arranged>,
    /// Whether the exempt row is shown although the filters hide it.
    has_exception: bool,
}

/// The rows in view as a person has seen them, and those beyond: none where the list began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenRows {
    pub(super) above: Option<RowId>,
    /// The rows in view, from the top.
    pub(super) rows: Vec<RowId>,
    pub(super) below: Option<RowId>,
}

#[derive(Clone, Debug, Default)]
struct Arranged {
    rows: Vec<RowId>,
    /// Each row's display index, by its handle; [`NOT_SHOWN`] for hidden rows and unused handles.
    indices: Vec<u32>,
    /// Rows that a filter hides.
    filtered_out: HashSet<RowId>,
}

const NOT_SHOWN: u32 = u32::MAX;

impl Order {
    /// Sorts and filters the rows of a list. Ties keep list order. The row `exempt` is shown even if no
    /// filter matches it.
    pub fn arrange(list: &Frozen, spec: &OrderSpec, locale: &Locale, exempt: Option<RowId>) -> Self {
        if spec.is_plain() {
            return Self::default();
        }
        let columns = &list.columns;
        let filters: Vec<(&ColumnEntry, &Filter)> = spec
            .filters
            .iter()
            .filter_map(|(key, filter)| Some((columns.visible_column(key).ok()?, filter)))
            .collect();
        let matches = |row: &Row| {
            spec.quick.as_ref().is_none_or(|quick| quick.matches(row, list, locale))
                && filters.iter().all(|(entry, filter)| {
                    let kind = &entry.column.kind;
                    let format = ValueFormat { kind, separators: locale.separators, zone: &locale.zone };
                    filter.matches(&row.value(entry, columns), format)
                })
        };
        let is_shown = |row: &Row| exempt == Some(row.id) || matches(row);
        let exempt_row = exempt.and_then(|exempt| list.rows().find(|row| row.id == exempt));
        let has_exception = exempt_row.is_some_and(|row| !matches(row));
        let sections = columns.sections();
        let is_section = |index: usize| list.row(index).section(sections).is_some();
        let is_exempt = |index: usize| exempt.is_some_and(|exempt| list.row(index).id == exempt);
        let (mut shown, filtered_out) = partition_rows(
            list.len(),
            filters.is_empty() && spec.quick.is_none(),
            is_section,
            is_exempt,
            |index| is_shown(list.row(index)),
        );
        let filtered_out = filtered_out.into_iter().map(|index| list.row(index).id).collect();
        let keys = SortKeys::new(list, &spec.sort);
        if sections.is_none() {
            keys.sort(&mut shown);
        } else {
            // Rows are sorted within their sections; the sections keep their order.
            for group in shown.chunk_by_mut(|_, next| !is_section(*next)) {
                let titles = usize::from(is_section(group[0]));
                keys.sort(&mut group[titles..]);
            }
        }
        let ids: Vec<RowId> = list.rows().map(|row| row.id).collect();
        let mut arranged = Arranged { filtered_out, ..Arranged::default() };
        arranged.set_rows(shown.iter().map(|index| (ids[*index], list.handle(*index))));
        Self { arranged: Some(arranged), has_exception }
    }

    /// Whether another exempt row changes which rows are shown.
    pub fn depends_on_exempt(&self, watchlist: &Watchlist, other: Option<RowId>) -> bool {
        self.has_exception || other.is_some_and(|row| self.index_of(watchlist, row).is_none())
    }

    /// Returns the number of shown rows.
    pub fn len(&self, watchlist: &Watchlist) -> usize {
        self.arranged.as_ref().map_or_else(|| watchlist.rows().len(), |arranged| arranged.rows.len())
    }

    /// Returns the row at a display index.
    pub fn at<'a>(&self, watchlist: &'a Watchlist, index: usize) -> Option<&'a Arc<Row>> {
        match &self.arranged {
            None => watchlist.rows().at(index),
            Some(arranged) => watchlist.rows().get(*arranged.rows.get(index)?),
        }
    }

    /// Returns a row's display index, if the row is shown.
    pub fn index_of(&self, watchlist: &Watchlist, row: RowId) -> Option<usize> {
        match &self.arranged {
            None => watchlist.rows().index_of(row),
            Some(arranged) => arranged.display_index(watchlist.rows().handle(row)?, row),
        }
    }

    /// Whether a row with this handle is shown.
    pub(super) fn contains(&self, handle: u32, row: RowId) -> bool {
        self.arranged.as_ref().is_none_or(|arranged| arranged.display_index(handle, row).is_some())
    }

    /// Returns this order as a person has seen it: the rows in view in the sequence in which they were shown, where
    /// the first of them is now, between those that were beyond the view. Rows that have come among them are
    /// missing, but for `kept`.
    pub(super) fn as_seen(&self, watchlist: &Watchlist, seen: &SeenRows, kept: Option<RowId>) -> Self {
        let index_of = |row: RowId| self.index_of(watchlist, row);
        let known: Vec<RowId> = seen.rows.iter().copied().filter(|row| index_of(*row).is_some()).collect();
        let Some(first) = known.iter().copied().filter_map(index_of).min() else { return self.clone() };
        let len = self.len(watchlist);
        let start = match seen.above {
            Some(above) => index_of(above).filter(|above| *above < first).map_or(first, |above| above + 1),
            None => 0,
        };
        let end = match seen.below {
            Some(below) => index_of(below).filter(|below| *below > first).unwrap_or(first + known.len()),
            None => len,
        };
        let among: HashSet<RowId> = known.iter().copied().collect();
        let others = |from: usize, to: usize| {
            let rows = (from..to).filter_map(|index| self.at(watchlist, index)).map(|row| row.id);
            rows.filter(|row| !among.contains(row))
        };
        let kept = kept.filter(|kept| others(start, end).any(|row| row == *kept));
        let rows = others(0, start).chain(known.iter().copied()).chain(kept).chain(others(end, len));
        let mut arranged = self.arranged.clone().unwrap_or_default();
        let handles = watchlist.rows();
        arranged.set_rows(rows.filter_map(|row| Some((row, handles.handle(row)?))));
        Self { arranged: Some(arranged), has_exception: self.has_exception }
    }

    /// Applies added and removed rows without sorting again: removed rows disappear, and a new row comes
    /// after the row that it follows in list order, or at the end.
    pub fn sync_rows(&mut self, watchlist: &Watchlist) {
        let Some(arranged) = &mut self.arranged else { return };
        let rows = watchlist.rows();
        arranged.filtered_out.retain(|row| rows.get(*row).is_some());
        let mut added: HashMap<Option<RowId>, Vec<RowId>> = HashMap::new();
        let mut before = None;
        for row in rows.iter() {
            let handle = rows.handle(row.id).expect("a row of the list has a handle");
            let is_shown = arranged.display_index(handle, row.id).is_some();
            if is_shown || arranged.filtered_out.contains(&row.id) {
                before = Some(row.id).filter(|_| is_shown);
            } else {
                added.entry(before).or_default().push(row.id);
            }
        }
        let mut updated = Vec::with_capacity(rows.len());
        for row in std::mem::take(&mut arranged.rows) {
            if rows.get(row).is_some() {
                updated.push(row);
            }
            updated.extend(added.remove(&Some(row)).unwrap_or_default());
        }
        updated.extend(added.remove(&None).unwrap_or_default());
        arranged.set_rows(updated.into_iter().filter_map(|row| Some((row, rows.handle(row)?))));
    }
}

impl Arranged {
    /// Replaces the shown rows; each comes with its handle.
    fn set_rows(&mut self, rows: impl Iterator<Item = (RowId, u32)>) {
        self.rows.clear();
        self.indices.clear();
        for (place, (row, handle)) in (0..NOT_SHOWN).zip(rows) {
            let index = handle as usize;
            if self.indices.len() <= index {
                self.indices.resize(index + 1, NOT_SHOWN);
            }
            self.indices[index] = place;
            self.rows.push(row);
        }
    }

    fn display_index(&self, handle: u32, row: RowId) -> Option<usize> {
        let place = *self.indices.get(handle as usize)? as usize;
        // Handles are reused: this one may have belonged to another row when the order was built.
        (self.rows.get(place) == Some(&row)).then_some(place)
    }
}

/// Splits the rows into shown and filtered-out ones, by list index. A section is shown if any of its rows is,
/// or if it is itself exempt from the filters.
fn partition_rows(
    rows: usize,
    is_all: bool,
    is_section: impl Fn(usize) -> bool,
    is_exempt: impl Fn(usize) -> bool,
    is_shown: impl Fn(usize) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    if is_all {
        return ((0..rows).collect(), Vec::new());
    }
    let (mut shown, mut filtered_out) = (Vec::new(), Vec::new());
    let mut title = None;
    for index in 0..rows {
        if is_section(index) {
            filtered_out.extend(title.take());
            if is_exempt(index) {
                shown.push(index);
            } else {
                title = Some(index);
            }
        } else if is_shown(index) {
            shown.extend(title.take());
            shown.push(index);
        } else {
            filtered_out.push(index);
        }
    }
    filtered_out.extend(title);
    (shown, filtered_out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::Change, limits::Limits, position::Position, value::Literal,
        watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    /// Returns a list of rows 1, 2, 3 …, each with a symbol and a price.
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

    fn arrange(watchlist: &Watchlist, spec: &OrderSpec) -> Order {
        let locale = Locale { separators: Separators::ENGLISH, zone: TimeZone::UTC };
        Order::arrange(&watchlist.freeze(), spec, &locale, None)
    }

    fn shown(order: &Order, watchlist: &Watchlist) -> Vec<u128> {
        (0..order.len(watchlist)).map(|index| order.at(watchlist, index).unwrap().id.0.as_u128()).collect()
    }

    #[test]
    fn numbers_sort_numerically_empty_cells_last_and_ties_keep_list_order() {
        let list = watchlist(&[("B", "9"), ("A", "10.0"), ("", ""), ("C", "-3"), ("D", "10")]);
        let sorted = |sort: &[SortKey]| {
            let spec = OrderSpec { sort: sort.to_vec(), ..OrderSpec::default() };
            shown(&arrange(&list, &spec), &list)
        };
        assert_eq!(sorted(&[by("price", false)]), [4, 1, 2, 5, 3]);
        assert_eq!(sorted(&[by("price", true)]), [2, 5, 1, 4, 3]);
        assert_eq!(sorted(&[by("price", true), by("symbol", true)]), [5, 2, 1, 4, 3]);
        assert_eq!(sorted(&[by("symbol", false)]), [2, 1, 4, 5, 3]);
        assert_eq!(sorted(&[]), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn added_and_removed_rows_are_applied_without_sorting_again() {
        let mut list = watchlist(&[("A", "3"), ("B", "2"), ("C", "1")]);
        let limits = Limits::default();
        let spec = OrderSpec { sort: vec![by("price", false)], ..OrderSpec::default() };
        let mut order = arrange(&list, &spec);
        assert_eq!(shown(&order, &list), [3, 2, 1]);
        let between = (&list.rows().at(0).unwrap().position, &list.rows().at(1).unwrap().position);
        let place = Position::between(Some(between.0), Some(between.1), 1).unwrap().remove(0);
        let changes = [Change::insert(row(9), &place, BTreeMap::new()), Change::remove(row(2), None)];
        list.apply(&changes, &Mode::Pending { limits: &limits }).unwrap();
        order.sync_rows(&list);
        assert_eq!(
            shown(&order, &list),
            [3, 1, 9],
            "the new row comes after the one that it follows in the list"
        );
        assert_eq!(order.index_of(&list, row(9)), Some(2));
        assert_eq!(order.index_of(&list, row(2)), None);
    }

    #[test]
    fn a_row_that_reuses_a_handle_is_not_mistaken_for_the_removed_row() {
        let mut list = watchlist(&[("A", "3"), ("B", "2"), ("C", "1")]);
        let limits = Limits::default();
        let spec = OrderSpec { sort: vec![by("price", false)], ..OrderSpec::default() };
        let mut order = arrange(&list, &spec);
        let handle = list.rows().handle(row(2));
        let place =
            Position::between(list.rows().iter().last().map(|row| &row.position), None, 1).unwrap().remove(0);
        let changes = [Change::remove(row(2), None), Change::insert(row(9), &place, BTreeMap::new())];
        list.apply(&changes, &Mode::Pending { limits: &limits }).unwrap();
        assert_eq!(list.rows().handle(row(9)), handle, "the handle is reused");
        assert_eq!(order.index_of(&list, row(9)), None);
        order.sync_rows(&list);
        assert_eq!(shown(&order, &list), [3, 9, 1]);
    }

    #[test]
    fn a_filter_hides_rows_except_the_exempt_one() {
        let list = watchlist(&[("A", "30"), ("B", "20"), ("C", "")]);
        let filter = Filter::Between(
            super::super::filter::Bound::Exclusive(25.into()),
            super::super::filter::Bound::Unbounded,
        );
        let spec = OrderSpec { filters: vec![("price".into(), filter)], ..OrderSpec::default() };
        let mut order = arrange(&list, &spec);
        assert_eq!(shown(&order, &list), [1]);
        order.sync_rows(&list);
        assert_eq!(shown(&order, &list), [1], "a filtered-out row is not a new one");
        let locale = Locale { separators: Separators::ENGLISH, zone: TimeZone::UTC };
        let order = Order::arrange(&list.freeze(), &spec, &locale, Some(row(3)));
        assert_eq!(shown(&order, &list), [1, 3]);
    }
}
