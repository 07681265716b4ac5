//! The glow of rows that someone else changed, which fades over two seconds. Callers pass the time in.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use shared::{
    column::ColumnKey,
    ids::{RowId, WindowId},
    replica::Effect,
    value::Value,
};

/// Default duration of a glow.
pub const DURATION: Duration = Duration::from_secs(2);

/// Strength of a glow that does not fade.
const STILL: f32 = 0.4;

/// Direction in which a number changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The number increased.
    Up,
    /// The number decreased.
    Down,
}

/// Strength of the glow of a row and its cells in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowGlow<'a> {
    /// Strength of the row, from 1 at the change to 0.
    pub strength: f32,
    /// The changed cells, with their strength and the direction of their number.
    pub cells: Vec<(&'a ColumnKey, f32, Option<Direction>)>,
}

/// Settings of the glow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlowStyle {
    /// Duration of a glow; zero disables it.
    pub duration: Duration,
    /// Whether the strength stays constant for the whole duration.
    pub is_still: bool,
}

impl Default for GlowStyle {
    fn default() -> Self {
        Self { duration: DURATION, is_still: false }
    }
}

/// The glowing rows of one watchlist.
#[derive(Debug, Default)]
pub struct Glow {
    rows: HashMap<RowId, Vec<Flash>>,
    /// Time, row and origin of the glowing changes, the latest last.
    log: VecDeque<(Duration, RowId, Option<WindowId>)>,
    style: GlowStyle,
}

/// The changes of one origin in a row. The window of origin does not show them.
#[derive(Debug)]
struct Flash {
    origin: Option<WindowId>,
    at: Duration,
    cells: Vec<(ColumnKey, Duration, Option<Direction>)>,
}

impl Glow {
    /// Creates a glow without rows.
    pub fn new(style: GlowStyle) -> Self {
        Self { style, ..Self::default() }
    }

    /// Applies other settings.
    pub fn set_style(&mut self, style: GlowStyle) {
        self.style = style;
    }

    /// Records a commit at `now`, on any monotonic clock; `origin` is the window of this process that made
    /// it.
    pub fn record(&mut self, effects: &[Effect], origin: Option<WindowId>, now: Duration) {
        for effect in effects {
            match effect {
                Effect::Cell { row, column, before, after } if before != after => {
                    let flash = self.flash(*row, origin, now);
                    flash.cells.retain(|(key, _, _)| key != column);
                    flash.cells.push((column.clone(), now, direction(before, after)));
                }
                Effect::Inserted { row } => drop(self.flash(*row, origin, now)),
                Effect::Removed { row, .. } => drop(self.rows.remove(row)),
                Effect::Cell { .. } | Effect::Moved { .. } | Effect::Structure => {}
            }
        }
    }

    fn flash(&mut self, row: RowId, origin: Option<WindowId>, now: Duration) -> &mut Flash {
        let is_logged = self.log.back().is_some_and(|last| *last == (now, row, origin));
        if !is_logged {
            self.log.push_back((now, row, origin));
        }
        let flashes = self.rows.entry(row).or_default();
        let index = flashes.iter().position(|flash| flash.origin == origin).unwrap_or_else(|| {
            flashes.push(Flash { origin, at: now, cells: Vec::new() });
            flashes.len() - 1
        });
        flashes[index].at = now;
        &mut flashes[index]
    }

    /// Removes rows that no longer glow.
    pub fn fade(&mut self, now: Duration) {
        let duration = self.style.duration;
        while let Some((_, row, _)) = self.log.pop_front_if(|(at, ..)| now.saturating_sub(*at) >= duration) {
            let glows =
                |flashes: &Vec<Flash>| flashes.iter().any(|flash| now.saturating_sub(flash.at) < duration);
            if !self.rows.get(&row).is_some_and(glows) {
                self.rows.remove(&row);
            }
        }
    }

    /// Removes every glow, as after a snapshot.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.log.clear();
    }

    /// Returns whether anything may glow at `now`.
    pub fn is_glowing(&self, now: Duration) -> bool {
        self.log.back().is_some_and(|(at, ..)| now.saturating_sub(*at) < self.style.duration)
    }

    /// Returns the glow of a row in a window at `now`.
    pub fn row(&self, row: RowId, window: WindowId, now: Duration) -> Option<RowGlow<'_>> {
        let flashes = self.rows.get(&row)?;
        let mut glow = RowGlow::default();
        for flash in flashes.iter().filter(|flash| flash.origin != Some(window)) {
            let of_row = strength(now, flash.at, self.style);
            glow.strength = glow.strength.max(of_row);
            for (column, at, direction) in &flash.cells {
                let strength = strength(now, *at, self.style);
                if strength > 0.0 {
                    glow.cells.push((column, strength, *direction));
                }
            }
        }
        (glow.strength > 0.0).then_some(glow)
    }

    /// Returns the rows that glow in a window at `now` with their strength, once per change, the latest
    /// change first.
    pub fn glowing(&self, window: WindowId, now: Duration) -> impl Iterator<Item = (RowId, f32)> {
        let others = self.log.iter().rev().filter(move |(_, _, origin)| *origin != Some(window));
        let strengths = others.map(move |(at, row, _)| (*row, strength(now, *at, self.style)));
        strengths.take_while(|(_, strength)| *strength > 0.0)
    }
}

/// Returns (1 - t/d)², from 1 at the change to 0 after the duration d.
fn strength(now: Duration, at: Duration, style: GlowStyle) -> f32 {
    if style.duration.is_zero() {
        return 0.0;
    }
    let left = 1.0 - now.saturating_sub(at).as_secs_f32() / style.duration.as_secs_f32();
    match (left > 0.0, style.is_still) {
        (false, _) => 0.0,
        (true, true) => STILL,
        (true, false) => left * left,
    }
}

fn direction(before: &Value, after: &Value) -> Option<Direction> {
    match after.as_number()?.cmp(&before.as_number()?) {
        std::cmp::Ordering::Greater => Some(Direction::Up),
        std::cmp::Ordering::Less => Some(Direction::Down),
        std::cmp::Ordering::Equal => None,
    }
}

#[cfg(test)]
mod tests {
    use shared::number::parse_exact;

    use super::*;

    const ROW: RowId = RowId(uuid::Uuid::from_u128(1));

    fn price(before: &str, after: &str) -> Effect {
        let number = |text: &str| Value::Number(parse_exact(text).unwrap());
        Effect::Cell { row: ROW, column: "price".into(), before: number(before), after: number(after) }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(100.0 + seconds)
    }

    fn strength_at(glow: &Glow, window: u64, seconds: f64) -> f32 {
        glow.row(ROW, WindowId(window), at(seconds)).map_or(0.0, |row| row.strength)
    }

    #[test]
    fn fades_by_the_square_over_two_seconds() {
        let mut glow = Glow::default();
        glow.record(&[price("71.70", "71.72")], None, at(0.0));
        for (seconds, expected) in [(0.0, 1.0), (0.5, 0.5625), (1.0, 0.25), (1.5, 0.0625), (2.0, 0.0)] {
            assert!((strength_at(&glow, 1, seconds) - expected).abs() < 1e-3, "{seconds}");
        }
        assert!(glow.is_glowing(at(1.99)) && !glow.is_glowing(at(2.0)));
        glow.record(&[price("71.72", "71.70")], None, at(1.0));
        assert!((strength_at(&glow, 1, 1.0) - 1.0).abs() < 1e-3);
        let row = glow.row(ROW, WindowId(1), at(1.0)).unwrap();
        assert_eq!(row.cells, [(&ColumnKey::from("price"), 1.0, Some(Direction::Down))]);
    }

    #[test]
    fn an_edit_glows_in_every_window_but_its_own() {
        let mut glow = Glow::default();
        glow.record(&[price("1", "2")], Some(WindowId(1)), at(0.0));
        assert!(strength_at(&glow, 1, 0.0) < 0.1 && strength_at(&glow, 2, 0.0) > 0.9);
        glow.record(&[price("2", "3")], None, at(0.5));
        assert!(strength_at(&glow, 1, 0.5) > 0.9);
    }

    #[test]
    fn with_reduced_motion_the_strength_is_constant_until_the_end() {
        let style = GlowStyle { is_still: true, ..GlowStyle::default() };
        let mut glow = Glow::new(style);
        glow.record(&[price("1", "2")], None, at(0.0));
        let strengths = [0.0, 1.0, 1.99, 2.0].map(|seconds| strength_at(&glow, 1, seconds));
        assert_eq!(strengths.map(f32::to_bits), [STILL, STILL, STILL, 0.0].map(f32::to_bits));
    }

    #[test]
    fn faded_rows_are_removed_and_glowing_rows_are_listed_latest_first() {
        let mut glow = Glow::default();
        let other = RowId(uuid::Uuid::from_u128(2));
        glow.record(&[price("1", "2")], None, at(0.0));
        glow.record(&[Effect::Inserted { row: other }], None, at(1.0));
        glow.record(&[price("2", "3")], Some(WindowId(1)), at(1.5));
        let rows = |glow: &Glow, window: u64, seconds: f64| -> Vec<RowId> {
            glow.glowing(WindowId(window), at(seconds)).map(|(row, _)| row).collect()
        };
        assert_eq!(rows(&glow, 1, 1.6), [other, ROW]);
        assert_eq!(rows(&glow, 2, 1.6), [ROW, other, ROW]);
        glow.fade(at(2.5));
        assert_eq!((rows(&glow, 2, 2.5), strength_at(&glow, 2, 2.5) > 0.0), (vec![ROW, other], true));
        glow.fade(at(3.6));
        assert!(glow.rows.is_empty() && glow.log.is_empty());
    }

    #[test]
    fn setting_the_same_value_does_not_glow() {
        let mut glow = Glow::default();
        glow.record(&[price("71.8", "71.80")], None, at(0.0));
        assert!(!glow.is_glowing(at(0.0)));
        assert_eq!(glow.row(ROW, WindowId(1), at(0.0)), None);
    }
}
