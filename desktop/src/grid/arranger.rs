//! Keeps an order up to date: made anew on a thread of its own, from a copy that shares the rows, and taken over whole.
//! Time is handed in.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use shared::{
    ids::RowId,
    watchlist::{Version, Watchlist},
};

use super::order::{Locale, Order, Wanted};

/// How often a live order is made anew.
const LIVE_INTERVAL: Duration = Duration::from_millis(250);
/// A list of so few rows is arranged at once.
const AT_ONCE: usize = 2_000;

/// What is asked of the order in a frame.
pub struct Request<'a> {
    /// By what it is sorted and filtered.
    pub wanted: &'a Wanted,
    /// Whether it follows values that change, or stays until it is asked for.
    pub is_live: bool,
    /// A row that must not move on screen.
    pub held: Option<RowId>,
    /// Shown whatever the filters say.
    pub kept: Option<RowId>,
    /// How values are read.
    pub locale: &'a Locale,
}

/// An order, and what it was made of.
#[derive(Default)]
pub struct Arranger {
    order: Arc<Order>,
    wanted: Wanted,
    /// What of the watchlist the order has followed, and was made of.
    followed: Version,
    made_of: Version,
    made_at: Duration,
    /// The row that was shown whatever the filters say.
    kept: Option<RowId>,
    making: Option<Making>,
    /// Made, and waiting until rows may change places.
    made: Option<(Order, Wanted, Version)>,
    /// Asked to be made anew, though held.
    is_stale: bool,
}

struct Making {
    wanted: Wanted,
    of: Version,
    done: mpsc::Receiver<Order>,
}

impl Arranger {
    /// The order as it is now.
    pub fn order(&self) -> Arc<Order> {
        self.order.clone()
    }

    /// Makes a held order anew.
    pub fn refresh(&mut self) {
        self.is_stale = true;
    }

    /// Brings the order up to date as far as it may be; `can_hold` tells whether the held row could stay where it is
    /// on screen from another place. `wake` is called when more can be done. Gives when to ask again.
    pub fn update(
        &mut self,
        watchlist: &Watchlist,
        request: &Request<'_>,
        can_hold: &dyn Fn(usize) -> bool,
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) -> Option<Duration> {
        let version = watchlist.version();
        if request.wanted.is_plain() {
            *self = Self { followed: version, made_of: version, made_at: now, ..Self::default() };
            return None;
        }
        if let Some(making) = &self.making {
            match making.done.try_recv() {
                Ok(order) => {
                    let Making { wanted, of, .. } = self.making.take().expect("it was just there");
                    self.made = Some((order, wanted, of));
                }
                Err(mpsc::TryRecvError::Disconnected) => self.making = None,
                Err(mpsc::TryRecvError::Empty) => {}
            }
        }
        self.take_over(watchlist, request, can_hold);
        if self.followed.rows != version.rows {
            Arc::make_mut(&mut self.order).follow(watchlist);
        }
        self.followed = version;
        let is_other = self.wanted != *request.wanted;
        let due_at = self.made_at + LIVE_INTERVAL;
        let is_due = request.is_live && self.is_behind(version, request) && now >= due_at;
        if self.making.is_none() && (is_other || self.is_stale || is_due) {
            self.make(watchlist, request, now, wake);
            self.take_over(watchlist, request, can_hold);
        }
        // One that is being made wakes the window by itself.
        let waits = request.is_live && self.making.is_none() && self.is_behind(version, request);
        waits.then(|| (self.made_at + LIVE_INTERVAL).saturating_sub(now))
    }

    /// Whether the last order is of something older. One that waits until rows may move is the last, too.
    fn is_behind(&self, version: Version, request: &Request<'_>) -> bool {
        let made_of = self.made.as_ref().map_or(self.made_of, |(_, _, of)| *of);
        made_of != version || self.kept != request.kept
    }

    /// An order that the person asked for is taken at once, one that follows values only where the held row can stay.
    fn take_over(&mut self, watchlist: &Watchlist, request: &Request<'_>, can_hold: &dyn Fn(usize) -> bool) {
        let Some((order, wanted, _)) = &self.made else { return };
        if *wanted != *request.wanted {
            self.made = None;
            return;
        }
        let is_asked = self.is_stale || self.wanted != *wanted;
        let place = request.held.map(|row| order.index_of(watchlist, row));
        if is_asked || place.is_none_or(|place| place.is_some_and(can_hold)) {
            let (order, wanted, of) = self.made.take().expect("it was just there");
            (self.order, self.wanted, self.made_of, self.followed) = (Arc::new(order), wanted, of, of);
            self.is_stale = false;
        }
    }

    fn make(
        &mut self,
        watchlist: &Watchlist,
        request: &Request<'_>,
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) {
        self.made_at = now;
        self.kept = request.kept;
        let (of, wanted, kept) = (watchlist.version(), request.wanted.clone(), request.kept);
        let (frozen, locale, by) = (watchlist.freeze(), request.locale.clone(), wanted.clone());
        let arrange = move || Order::arrange(&frozen, &by, &locale, kept);
        if watchlist.rows().len() <= AT_ONCE {
            self.made = Some((arrange(), wanted, of));
            return;
        }
        let (sender, done) = mpsc::sync_channel(1);
        let work = move || {
            // The window is gone where nobody takes it.
            drop(sender.send(arrange()));
            wake();
        };
        // Where the system gives no thread the order stays as it is, and the next frame asks again.
        if thread::Builder::new().name("afterglow-arrange".to_owned()).spawn(work).is_ok() {
            self.making = Some(Making { wanted, of, done });
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

    #[test]
    fn an_order_that_the_held_row_does_not_allow_waits_and_is_not_made_again_and_again() {
        let limits = Limits::default();
        let mut list = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, 3).unwrap();
        for (number, position) in (1..=3_u128).zip(&positions) {
            let cells = BTreeMap::from([("price".into(), Literal::from(number.to_string().as_str()))]);
            list.apply(&[Change::insert(row(number), position, cells)], &Mode::Pending { limits: &limits })
                .unwrap();
        }
        let sort = vec![SortKey { column: "price".into(), descending: false }];
        let wanted = Wanted { sort, filters: Vec::new() };
        let locale = Locale { separators: Separators::Point, zone: jiff::tz::TimeZone::UTC };
        let mut arranger = Arranger::default();
        let mut update = |list: &Watchlist, may_move: bool, millis: u64| {
            let request =
                Request { wanted: &wanted, is_live: true, held: Some(row(1)), kept: None, locale: &locale };
            let wait = arranger.update(list, &request, &|_| may_move, Duration::from_millis(millis), || {});
            let first = arranger.order().at(list, 0).unwrap().id;
            (first, wait)
        };
        assert_eq!(update(&list, true, 1_000), (row(1), None));
        let set = Change::set(row(1), &"price".into(), Literal::from("9"));
        list.apply(&[set], &Mode::Pending { limits: &limits }).unwrap();
        assert_eq!(update(&list, false, 1_100), (row(1), Some(Duration::from_millis(150))), "not yet due");
        assert_eq!(update(&list, false, 1_300).0, row(1), "it may not move");
        assert_eq!(update(&list, false, 1_700), (row(1), None), "nothing has changed since");
        assert_eq!(update(&list, true, 1_800), (row(2), None), "now it may");
    }
}
