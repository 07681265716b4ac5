//! Roboto (Apache-2.0, licence in `assets/fonts`). Its digits have equal widths, so prices align.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily};

/// Name of the medium-weight font family.
pub const MEDIUM: &str = "medium";

const REGULAR_FONT: &str = "Roboto Regular";
const MEDIUM_FONT: &str = "Roboto Medium";

pub(super) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let regular = include_bytes!("../../../assets/fonts/Roboto-Regular.ttf");
    let medium = include_bytes!("../../../assets/fonts/Roboto-Medium.ttf");
    fonts.font_data.insert(REGULAR_FONT.to_owned(), Arc::new(FontData::from_static(regular)));
    fonts.font_data.insert(MEDIUM_FONT.to_owned(), Arc::new(FontData::from_static(medium)));
    let both = |first: &str, second: &str| vec![first.to_owned(), second.to_owned()];
    fonts.families.insert(FontFamily::Proportional, both(REGULAR_FONT, MEDIUM_FONT));
    fonts.families.insert(FontFamily::Monospace, both(REGULAR_FONT, MEDIUM_FONT));
    fonts.families.insert(FontFamily::Name(MEDIUM.into()), both(MEDIUM_FONT, REGULAR_FONT));
    fonts
}
