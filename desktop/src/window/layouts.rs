//! The changes of a window's layout, so that they can be undone: columns, sorting and filters.

use std::{collections::VecDeque, time::Duration};

use shared::ids::WatchlistId;

use crate::{grid::config::GridConfig, store::Direction};

/// Maximum number of changes that are remembered.
const MAX_STEPS: usize = 200;
/// Time within which further characters of a filter belong to the same change.
const TYPING: Duration = Duration::from_secs(2);

/// The changes of a window's layout.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    steps: VecDeque<Step>,
    /// Number of the last change.
    last: u64,
    /// The watchlist and its layout in the last frame.
    shown: Option<(WatchlistId, GridConfig)>,
}

#[derive(Debug)]
struct Step {
    number: u64,
    watchlist: WatchlistId,
    before: GridConfig,
    after: GridConfig,
    at: Duration,
}

impl Layouts {
    /// Compares the layout with that of the last frame. Returns the number of a new change. `last_act` is the change
    /// that the person has made last, if they have edited nothing since.
    pub(super) fn record(
        &mut self,
        (watchlist, config): (WatchlistId, &GridConfig),
        last_act: Option<u64>,
        now: Duration,
    ) -> Option<u64> {
        let shown = self.shown.replace((watchlist, config.clone()));
        let before = shown.filter(|(list, before)| *list == watchlist && before != config)?.1;
        if let Some(step) = self.steps.back_mut()
            && last_act == Some(step.number)
            && step.watchlist == watchlist
            && now < step.at + TYPING
            && differ_in_filters(&step.after, config)
            && differ_in_filters(&step.before, config)
        {
            (step.after, step.at) = (config.clone(), now);
            return None;
        }
        self.last += 1;
        if self.steps.len() == MAX_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { number: self.last, watchlist, before, after: config.clone(), at: now });
        Some(self.last)
    }

    /// Returns the watchlist of a change.
    pub(super) fn list_of(&self, number: u64) -> Option<WatchlistId> {
        self.steps.iter().find(|step| step.number == number).map(|step| step.watchlist)
    }

    /// Returns the layout before or after a change, and takes it for the one that is shown.
    pub(super) fn repeat(&mut self, number: u64, direction: Direction) -> Option<(WatchlistId, GridConfig)> {
        let step = self.steps.iter().find(|step| step.number == number)?;
        let config = match direction {
            Direction::Undo => &step.before,
            Direction::Redo => &step.after,
        };
        let shown = (step.watchlist, config.clone());
        self.shown = Some(shown.clone());
        Some(shown)
    }
}

/// Whether two layouts differ in the filters only.
fn differ_in_filters(one: &GridConfig, other: &GridConfig) -> bool {
    let with_filters =
        GridConfig { filters: other.filters.clone(), has_filters: other.has_filters, ..one.clone() };
    with_filters == *other
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_characters_of_a_filter_are_one_change_and_other_changes_are_not() {
        let list = WatchlistId(Uuid::nil());
        let mut layouts = Layouts::default();
        let mut config = GridConfig::default();
        let at = Duration::from_secs;
        assert_eq!(layouts.record((list, &config), None, at(0)), None, "the first layout is no change");
        config.has_filters = true;
        assert_eq!(layouts.record((list, &config), None, at(1)), Some(1));
        for text in ["a", "ab"] {
            config.filters.insert("symbol".into(), text.to_owned());
            assert_eq!(layouts.record((list, &config), Some(1), at(2)), None, "{text}");
        }
        config.hidden.insert("price".into());
        assert_eq!(layouts.record((list, &config), Some(1), at(2)), Some(2));
        config.filters.clear();
        assert_eq!(layouts.record((list, &config), Some(2), at(2)), Some(3));
        config.filters.insert("symbol".into(), "a".to_owned());
        assert_eq!(layouts.record((list, &config), None, at(3)), Some(4), "an edit was made in between");
        assert_eq!(layouts.record((list, &config), Some(4), at(3)), None);
        let undone = layouts.repeat(2, Direction::Undo).unwrap().1;
        assert!(undone.hidden.is_empty() && undone.filters[&"symbol".into()] == "ab");
        assert_eq!(layouts.repeat(1, Direction::Undo).unwrap().1, GridConfig::default());
        let other = WatchlistId(Uuid::from_u128(1));
        assert_eq!(layouts.record((other, &GridConfig::default()), None, at(9)), None, "another watchlist");
    }
}
