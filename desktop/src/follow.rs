//! Linked windows: windows of the same colour follow each other to the same watchlist and row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::ids::{RowId, WatchlistId};

/// A colour that links windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Group {
    Blue,
    Green,
    Orange,
    Purple,
}

impl Group {
    /// Every colour.
    pub const ALL: [Group; 4] = [Group::Blue, Group::Green, Group::Orange, Group::Purple];

    /// Returns the index of the colour in the palette for people.
    pub fn shade(self) -> usize {
        match self {
            Group::Purple => 0,
            Group::Orange => 2,
            Group::Green => 3,
            Group::Blue => 5,
        }
    }
}

/// The position of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Watchlist that it shows.
    pub watchlist: WatchlistId,
    /// Row of its cursor.
    pub row: Option<RowId>,
}

/// The last move of each group.
#[derive(Debug, Default)]
pub struct Links {
    places: BTreeMap<Group, (u64, Place)>,
    moves: u64,
}

/// The link of one window to its group.
#[derive(Debug, Default)]
pub struct Link {
    /// Colour of the window, if it is linked.
    group: Option<Group>,
    /// Number of the last move that it followed or made.
    seen: u64,
    /// Position after that move.
    was: Option<Place>,
}

impl Link {
    /// Links a window to a group: it follows the group's last move, or makes the first one.
    pub fn new(group: Option<Group>) -> Self {
        Self { group, ..Self::default() }
    }

    /// Returns the window's colour.
    pub fn group(&self) -> Option<Group> {
        self.group
    }

    /// Follows a newer move of the group, or publishes a move of this window. `has_arrived` is whether the
    /// window has arrived at its last position and the person has chosen it, `can_move` whether it can be moved
    /// now.
    pub fn update(
        &mut self,
        links: &mut Links,
        own: Option<Place>,
        has_arrived: bool,
        can_move: bool,
    ) -> Option<LinkUpdate> {
        let (group, own) = (self.group?, own?);
        let latest = links.places.get(&group).filter(|(moves, _)| *moves > self.seen);
        if let Some((moves, place)) = latest {
            self.seen = *moves;
            if !can_move {
                // A window in use never follows that move: after a commit the next row must follow the edited
                // one.
                return None;
            }
            self.was = None;
            return Some(LinkUpdate::Follow(*place));
        }
        if !has_arrived {
            return None;
        }
        // Arriving after a followed move is not a move of this window.
        let was = self.was.replace(own);
        if was.is_none() && self.seen > 0 || was == Some(own) {
            return None;
        }
        links.moves += 1;
        self.seen = links.moves;
        links.places.insert(group, (links.moves, own));
        Some(LinkUpdate::Published)
    }
}

/// The result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkUpdate {
    /// The window must move to this position.
    Follow(Place),
    /// A move of this window was published, and the others must be repainted to follow it.
    Published,
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
        assert_eq!(one.update(&mut links, at(1), true, true), Some(LinkUpdate::Published));
        assert_eq!(one.update(&mut links, at(1), true, true), None);
        assert_eq!(two.update(&mut links, at(9), true, true), at(1).map(LinkUpdate::Follow));
        assert_eq!(two.update(&mut links, at(9), false, true), None, "moving");
        assert_eq!(two.update(&mut links, at(1), true, true), None, "arrived");
        assert_eq!(two.update(&mut links, at(2), true, true), Some(LinkUpdate::Published));
        assert_eq!(one.update(&mut links, at(1), true, true), at(2).map(LinkUpdate::Follow));
        assert_eq!(
            other.update(&mut links, at(5), true, true),
            Some(LinkUpdate::Published),
            "another colour"
        );
        assert_eq!(two.update(&mut links, at(2), true, true), None);
        assert_eq!(one.update(&mut links, at(2), true, true), None, "arrived");
        assert_eq!(one.update(&mut links, at(3), true, true), Some(LinkUpdate::Published));
        assert_eq!(two.update(&mut links, at(2), true, false), None, "an open editor stays open");
        assert_eq!(
            two.update(&mut links, at(2), true, true),
            None,
            "nor does the cursor move away after the commit"
        );
        assert_eq!(two.update(&mut links, at(4), true, true), Some(LinkUpdate::Published));
        assert_eq!(Link::new(None).update(&mut links, at(3), true, true), None);
    }
}
