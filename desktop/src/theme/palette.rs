//! The colour palettes of the themes.

use egui::{Color32, Theme};

/// The colours of a theme: one field for each use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Background of the rows.
    pub background: Color32,
    /// Background of bars, the header, menus and dialogs.
    pub bars: Color32,
    /// Fill of an inactive button.
    pub raised: Color32,
    /// Fill under the pointer.
    pub hover: Color32,
    /// Lines below rows and at the edge of the frozen columns.
    pub hairline: Color32,
    /// Outlines of buttons and choices.
    pub outline: Color32,
    /// Text.
    pub text: Color32,
    /// Secondary text: headers and hints.
    pub muted: Color32,
    /// The cursor, focus, links.
    pub accent: Color32,
    /// Positive numbers.
    pub up: Color32,
    /// Negative numbers and errors.
    pub down: Color32,
    /// Glow of a row that another user changed, at full strength.
    pub glow: Color32,
    /// Outline of the changed cell.
    pub glow_edge: Color32,
    /// Colours of other users.
    people: [Color32; 8],
}

#[expect(clippy::disallowed_methods, reason = "the theme's colours are named here")]
const fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

const DARK: Palette = Palette {
    background: rgb(0x0F_12_17),
    bars: rgb(0x16_1B_22),
    raised: rgb(0x1E_25_2E),
    hover: rgb(0x27_30_3B),
    hairline: rgb(0x20_26_2E),
    outline: rgb(0x4A_54_60),
    text: rgb(0xD8_DE_E6),
    muted: rgb(0x8A_95_A2),
    accent: rgb(0x4C_9B_E8),
    up: rgb(0x2F_BF_71),
    down: rgb(0xF0_61_6D),
    glow: rgb(0xFF_D6_0A),
    glow_edge: rgb(0xFF_8A_00),
    people: [
        rgb(0xC6_8C_F0),
        rgb(0x4F_C3_C7),
        rgb(0xF2_9E_5C),
        rgb(0x8F_B9_5A),
        rgb(0xE8_7B_B5),
        rgb(0x6F_A8_F5),
        rgb(0xC9_B0_6B),
        rgb(0x9F_A6_F2),
    ],
};

const LIGHT: Palette = Palette {
    background: rgb(0xFF_FF_FF),
    bars: rgb(0xF4_F6_F8),
    raised: rgb(0xFF_FF_FF),
    hover: rgb(0xE7_EC_F1),
    hairline: rgb(0xE4_E8_EC),
    outline: rgb(0xB4_BD_C7),
    text: rgb(0x1B_22_2A),
    muted: rgb(0x5F_6A_76),
    accent: rgb(0x1F_6F_C4),
    up: rgb(0x12_80_4A),
    down: rgb(0xC6_2F_3C),
    glow: rgb(0xFF_FF_00),
    glow_edge: rgb(0xD9_7A_00),
    people: [
        rgb(0x8A_3F_C0),
        rgb(0x0E_7C_80),
        rgb(0xB4_56_10),
        rgb(0x4E_7A_1C),
        rgb(0xB8_2F_79),
        rgb(0x2C_63_B8),
        rgb(0x7F_64_14),
        rgb(0x52_58_BF),
    ],
};

static DARK_FULL: Palette = DARK;
static LIGHT_FULL: Palette = LIGHT;

/// Blue for positive and orange for negative numbers (Okabe and Ito, "Color Universal Design", 2008).
static DARK_COLOUR_BLIND: Palette =
    Palette { up: rgb(0x56_B4_E9), down: rgb(0xF0_8A_24), accent: rgb(0xB4_8C_F0), ..DARK };

static LIGHT_COLOUR_BLIND: Palette =
    Palette { up: rgb(0x00_5F_A8), down: rgb(0xA8_4A_00), accent: rgb(0x6A_3F_B8), ..LIGHT };

impl Palette {
    /// Returns the colour of a user, by index modulo 8.
    pub fn user_color(&self, shade: usize) -> Color32 {
        self.people[shade % self.people.len()]
    }

    /// Returns the palette of a theme.
    pub fn of(theme: Theme, colour_blind: bool) -> &'static Palette {
        match (theme, colour_blind) {
            (Theme::Dark, false) => &DARK_FULL,
            (Theme::Light, false) => &LIGHT_FULL,
            (Theme::Dark, true) => &DARK_COLOUR_BLIND,
            (Theme::Light, true) => &LIGHT_COLOUR_BLIND,
        }
    }
}
