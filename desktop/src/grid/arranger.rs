//! Keeps the order of the rows up to date. Large lists are sorted on a separate thread, from a copy-on-write
//! copy of the list, and the result replaces the order as a whole. The caller passes the time.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use shared::{
    ids::RowId,
    watchlist::{Version, Watchlist},
};

use super::order::{Locale, Order, OrderSpec};
use crate::store::recent::REACTION;

/// Minimum time between two rebuilds of a live order.
const LIVE_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of rows that are sorted on the calling thread.
const MAX_INLINE_ROWS: usize = 2_000;

/// The order that a frame needs.
pub struct Request<'a> {
    /// The sort keys and filters.
    pub spec: &'a OrderSpec,
    /// Whether changed values cause a rebuild; otherwise only [`Arranger::refresh`] does.
    pub is_live: bool,
    /// Whether a finished live order waits, because the pointer moves over the rows or the person types.
    pub is_held: bool,
    /// The row that the filters ignore.
    pub exempt: Option<RowId>,
    /// How filters parse and show values.
    pub locale: &'a Locale,
}

/// An order and the state of the list that it was built from.
#[derive(Default)]
pub struct Arranger {
    order: Arc<Order>,
    spec: OrderSpec,
    /// The version of the watchlist whose added and removed rows the order includes.
    synced: Version,
    /// The version of the watchlist that the order was built from.
    built_from: Version,
    /// When the last build started.
    started_at: Duration,
    /// The row that the filters ignored in the last build.
    exempt: Option<RowId>,
    /// The build that is running on another thread.
    build: Option<Build>,
    /// A finished order that waits until rows may move.
    ready: Option<(Order, OrderSpec, Version)>,
    /// The orders that live ones have replaced less than [`REACTION`] ago, oldest first, and the times of that.
    replaced: VecDeque<(Duration, Arc<Order>)>,
    /// Whether a refresh was requested.
    is_refresh_requested: bool,
    /// Number of orders that were applied.
    applied: u64,
    /// Whether the person has asked for the last of them.
    is_requested: bool,
}

struct Build {
    spec: OrderSpec,
    of: Version,
    done: mpsc::Receiver<Order>,
}

impl Arranger {
    /// Returns the current order.
    pub fn order(&self) -> Arc<Order> {
        self.order.clone()
    }

    /// Returns what defines the current order.
    pub fn spec(&self) -> &OrderSpec {
        &self.spec
    }

    /// Whether a finished order waits until rows may move.
    pub fn is_waiting(&self) -> bool {
        self.ready.is_some()
    }

    /// Returns a number that increases with every order that is applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Whether the person has asked for the last order that was applied.
    pub fn is_requested(&self) -> bool {
        self.is_requested
    }

    /// Rebuilds the order in the next update, even while live sorting is paused.
    pub fn refresh(&mut self) {
        self.is_refresh_requested = true;
    }

    /// Shows the rows again as the person has seen them, if a live order has just replaced that. The live order
    /// waits. Rows that were added or removed since are as they are now.
    pub fn take_back(&mut self, watchlist: &Watchlist, now: Duration) {
        self.forget_replaced(now);
        let Some((_, mut seen)) = self.replaced.pop_front() else { return };
        self.replaced.clear();
        Arc::make_mut(&mut seen).sync_rows(watchlist);
        let live = std::mem::replace(&mut self.order, seen);
        if self.ready.is_none() {
            self.ready = Some((Arc::unwrap_or_clone(live), self.spec.clone(), self.built_from));
        }
        self.applied += 1;
    }

    /// Forgets the replaced orders that a person has had time to forget.
    fn forget_replaced(&mut self, now: Duration) {
        while self.replaced.pop_front_if(|(at, _)| *at + REACTION <= now).is_some() {}
    }

    /// Updates the order if rows may move. `wake` is called when a build has finished. Returns the time until
    /// the next update is due.
    pub fn update(
        &mut self,
        watchlist: &Watchlist,
        request: &Request<'_>,
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) -> Option<Duration> {
        let version = watchlist.version();
        if request.spec.is_plain() {
            let applied = self.applied + u64::from(!self.spec.is_plain());
            *self = Self {
                synced: version,
                built_from: version,
                started_at: now,
                applied,
                is_requested: true,
                ..Self::default()
            };
            return None;
        }
        if let Some(build) = &self.build {
            match build.done.try_recv() {
                Ok(order) => {
                    let Build { spec, of, .. } = self.build.take().expect("a build was in progress");
                    self.ready = Some((order, spec, of));
                }
                Err(mpsc::TryRecvError::Disconnected) => self.build = None,
                Err(mpsc::TryRecvError::Empty) => {}
            }
        }
        self.forget_replaced(now);
        self.apply_ready(request, now);
        if self.synced.rows != version.rows {
            Arc::make_mut(&mut self.order).sync_rows(watchlist);
        }
        self.synced = version;
        let is_other = self.spec != *request.spec;
        let due_at = self.started_at + LIVE_INTERVAL;
        let is_due = request.is_live && self.is_behind(watchlist, request) && now >= due_at;
        if self.build.is_none() && (is_other || self.is_refresh_requested || is_due) {
            self.start_build(watchlist, request, now, wake);
            self.apply_ready(request, now);
        }
        // A running build wakes the window when it is done.
        let waits = request.is_live && self.build.is_none() && self.is_behind(watchlist, request);
        waits.then(|| (self.started_at + LIVE_INTERVAL).saturating_sub(now))
    }

    /// Whether the latest order, applied or waiting, was built from an older state.
    fn is_behind(&self, watchlist: &Watchlist, request: &Request<'_>) -> bool {
        let waiting = self.ready.as_ref().map(|(order, _, of)| (order, *of));
        let (order, built_from) = waiting.unwrap_or((&self.order, self.built_from));
        built_from != watchlist.version()
            || self.exempt != request.exempt && order.depends_on_exempt(watchlist, request.exempt)
    }

    /// Applies the finished order: immediately if the user requested it, otherwise only if it is not held.
    fn apply_ready(&mut self, request: &Request<'_>, now: Duration) {
        let Some((_, spec, _)) = &self.ready else { return };
        if *spec != *request.spec {
            self.ready = None;
            return;
        }
        let is_requested = self.is_refresh_requested || self.spec != *spec;
        if is_requested || !request.is_held {
            let (order, spec, of) = self.ready.take().expect("an order is ready");
            match is_requested {
                true => self.replaced.clear(),
                false => self.replaced.push_back((now, self.order.clone())),
            }
            (self.order, self.spec, self.built_from, self.synced) = (Arc::new(order), spec, of, of);
            (self.is_refresh_requested, self.is_requested) = (false, is_requested);
            self.applied += 1;
        }
    }

    fn start_build(
        &mut self,
        watchlist: &Watchlist,
        request: &Request<'_>,
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) {
        self.started_at = now;
        self.exempt = request.exempt;
        let (of, spec, exempt) = (watchlist.version(), request.spec.clone(), request.exempt);
        let (frozen, locale, by) = (watchlist.freeze(), request.locale.clone(), spec.clone());
        let arrange = move || Order::arrange(&frozen, &by, &locale, exempt);
        if watchlist.rows().len() <= MAX_INLINE_ROWS {
            self.ready = Some((arrange(), spec, of));
            return;
        }
        let (sender, done) = mpsc::sync_channel(1);
        let work = move || {
            // Sending fails only if the window was closed.
            drop(sender.send(arrange()));
            wake();
        };
        // If no thread can be started, the order stays as it is and the next frame retries.
        if thread::Builder::new().name("afterglow-arrange".to_owned()).spawn(work).is_ok() {
            self.build = Some(Build { spec, of, done });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::Change, limits::Limits, number::Separators, position::Position,
        value::Literal, watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;
    use crate::grid::order::SortKey;

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    /// Returns three rows with prices from 1 to 3, and what sorts them by price.
    fn list_by_price() -> (Watchlist, OrderSpec, Locale) {
        let limits = Limits::default();
        let mut list = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, 3).unwrap();
        for (number, position) in (1..=3_u128).zip(&positions) {
            let cells = BTreeMap::from([("price".into(), Literal::from(number.to_string().as_str()))]);
            list.apply(&[Change::insert(row(number), position, cells)], &Mode::Pending { limits: &limits })
                .unwrap();
        }
        let sort = vec![SortKey { column: "price".into(), descending: false }];
        let locale = Locale { separators: Separators::ENGLISH, zone: jiff::tz::TimeZone::UTC };
        (list, OrderSpec { sort, ..OrderSpec::default() }, locale)
    }

    #[test]
    fn a_held_order_waits_and_is_not_rebuilt_repeatedly() {
        let (mut list, spec, locale) = list_by_price();
        let mut arranger = Arranger::default();
        let mut update = |list: &Watchlist, may_move: bool, millis: u64| {
            let request =
                Request { spec: &spec, is_live: true, is_held: !may_move, exempt: None, locale: &locale };
            let wait = arranger.update(list, &request, Duration::from_millis(millis), || {});
            let first = arranger.order().at(list, 0).unwrap().id;
            (first, wait)
        };
        assert_eq!(update(&list, true, 1_000), (row(1), None));
        let set = Change::set(row(1), &"price".into(), Literal::from("9"));
        list.apply(&[set], &Mode::Pending { limits: &Limits::default() }).unwrap();
        assert_eq!(update(&list, false, 1_100), (row(1), Some(Duration::from_millis(150))), "not due yet");
        assert_eq!(update(&list, false, 1_300).0, row(1), "the rows may not move");
        assert_eq!(update(&list, false, 1_700), (row(1), None), "nothing has changed since the last build");
        assert_eq!(update(&list, true, 1_800), (row(2), None), "they may move now");
    }

    #[test]
    fn a_live_order_is_taken_back_as_long_as_a_person_has_not_read_it() {
        for (taken_back_after, expected) in [(299, [1, 2, 3]), (300, [2, 3, 1])] {
            let (mut list, spec, locale) = list_by_price();
            let mut arranger = Arranger::default();
            let update = |arranger: &mut Arranger, list: &Watchlist, is_held: bool, millis: u64| {
                let request = Request { spec: &spec, is_live: true, is_held, exempt: None, locale: &locale };
                arranger.update(list, &request, Duration::from_millis(millis), || {});
                let order = arranger.order();
                [0, 1, 2].map(|index| order.at(list, index).unwrap().id.0.as_u128())
            };
            update(&mut arranger, &list, false, 1_000);
            let set = Change::set(row(1), &"price".into(), Literal::from("9"));
            list.apply(&[set], &Mode::Pending { limits: &Limits::default() }).unwrap();
            assert_eq!(update(&mut arranger, &list, false, 2_000), [2, 3, 1]);
            arranger.take_back(&list, Duration::from_millis(2_000 + taken_back_after));
            assert_eq!(update(&mut arranger, &list, true, 2_500), expected);
            assert_eq!(update(&mut arranger, &list, false, 3_000), [2, 3, 1], "it only waits");
        }
    }
}
