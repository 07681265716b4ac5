//! Windows that go together: those of one colour show the watchlist and the row that one of them was moved to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::ids::{RowId, WatchlistId};

/// A colour that windows are linked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Group {
    Blue,
    Green,
    Orange,
    Purple,
}

impl Group {
    /// All of them, with what people call them.
    pub const ALL: [(Group, &'static str); 4] = [
        (Group::Blue, "Blue"),
        (Group::Green, "Green"),
        (Group::Orange, "Orange"),
        (Group::Purple, "Purple"),
    ];

    /// Which of the colours that people have, too.
    pub fn shade(self) -> usize {
        match self {
            Group::Purple => 0,
            Group::Orange => 2,
            Group::Green => 3,
            Group::Blue => 5,
        }
    }
}

/// Where a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it shows.
    pub watchlist: WatchlistId,
    /// The row that its cursor is on.
    pub row: Option<RowId>,
}

/// Where each group was moved to last.
#[derive(Debug, Default)]
pub struct Links {
    places: BTreeMap<Group, (u64, Place)>,
    moves: u64,
}

/// What a window knows of its group.
#[derive(Debug, Default)]
pub struct Link {
    /// The window's colour.
    group: Option<Group>,
    /// The last move that it has followed or made.
    seen: u64,
    /// Where it was then.
    was: Option<Place>,
}

impl Link {
    /// Of a group: goes to where that is, or is where it is from now on.
    pub fn new(group: Option<Group>) -> Self {
        Self { group, ..Self::default() }
    }

    /// The window's colour.
    pub fn group(&self) -> Option<Group> {
        self.group
    }

    /// Where the window is to go; `is_settled` where it has arrived at the last place, `is_free` where nothing keeps
    /// it. Tells the others where it was moved to, and then `None`.
    pub fn update(
        &mut self,
        links: &mut Links,
        own: Option<Place>,
        is_settled: bool,
        is_free: bool,
    ) -> Option<Moved> {
        let (group, own) = (self.group?, own?);
        let latest = links.places.get(&group).filter(|(moves, _)| *moves > self.seen);
        if let Some((moves, place)) = latest {
            self.seen = *moves;
            if !is_free {
                // Whoever types is not taken elsewhere, then or later: the next line follows the one that is typed.
                return None;
            }
            self.was = None;
            return Some(Moved::To(*place));
        }
        if !is_settled {
            return None;
        }
        // Where it has arrived after it followed is not a move of its own.
        let was = self.was.replace(own);
        if was.is_none() && self.seen > 0 || was == Some(own) {
            return None;
        }
        links.moves += 1;
        self.seen = links.moves;
        links.places.insert(group, (links.moves, own));
        Some(Moved::Told)
    }
}

/// What an update comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The window is to go there.
    To(Place),
    /// The others are to look where this one is.
    Told,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(row: u128) -> Option<Place> {
        let watchlist = WatchlistId(Uuid::from_u128(7));
        Some(Place { watchlist, row: Some(RowId(Uuid::from_u128(row))) })
    }

    #[test]
    fn windows_of_one_colour_follow_and_do_not_echo() {
        let mut links = Links::default();
        let (mut one, mut two, mut other) =
            (Link::new(Some(Group::Blue)), Link::new(Some(Group::Blue)), Link::new(Some(Group::Green)));
        assert_eq!(one.update(&mut links, at(1), true, true), Some(Moved::Told));
        assert_eq!(one.update(&mut links, at(1), true, true), None);
        assert_eq!(two.update(&mut links, at(9), true, true), at(1).map(Moved::To));
        assert_eq!(two.update(&mut links, at(9), false, true), None, "on its way");
        assert_eq!(two.update(&mut links, at(1), true, true), None, "arrived");
        assert_eq!(two.update(&mut links, at(2), true, true), Some(Moved::Told));
        assert_eq!(one.update(&mut links, at(1), true, true), at(2).map(Moved::To));
        assert_eq!(other.update(&mut links, at(5), true, true), Some(Moved::Told), "of its own colour");
        assert_eq!(two.update(&mut links, at(2), true, true), None);
        assert_eq!(one.update(&mut links, at(2), true, true), None, "arrived");
        assert_eq!(one.update(&mut links, at(3), true, true), Some(Moved::Told));
        assert_eq!(two.update(&mut links, at(2), true, false), None, "an open editor is not left");
        assert_eq!(
            two.update(&mut links, at(2), true, true),
            None,
            "nor the cell below it, once it is committed"
        );
        assert_eq!(two.update(&mut links, at(4), true, true), Some(Moved::Told));
        assert_eq!(Link::new(None).update(&mut links, at(3), true, true), None);
    }
}
