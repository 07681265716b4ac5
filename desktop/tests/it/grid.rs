//! Tests of the grid widget alone: keyboard and pointer input in, the accessibility tree out.

mod choosing;
mod columns;
pub mod desk;
mod editing;
mod figures;
mod handles;
mod in_view;
mod lists;
mod menus;
mod pictures;
mod reading;
mod rows;
mod sections;
mod seen;
mod seen_keys;
mod selecting;
mod ticking;
