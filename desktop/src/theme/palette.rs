//! The colours of each theme.

use egui::{Color32, Theme};

/// Every colour that is painted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind the rows.
    pub ground: Color32,
    /// The bars, the header, menus and dialogs.
    pub bars: Color32,
    /// A button at rest.
    pub raised: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Under each row, and at the frozen edge.
    pub hairline: Color32,
    /// Text.
    pub text: Color32,
    /// Headers, hints, what is quiet.
    pub muted: Color32,
    /// The cursor, focus, links.
    pub accent: Color32,
    /// Above nought.
    pub up: Color32,
    /// Below nought, and what is wrong.
    pub down: Color32,
    /// A row that somebody else changed, at its strongest.
    pub glow: Color32,
    /// Round the cell that changed.
    pub glow_edge: Color32,
    /// Of other people.
    people: [Color32; 8],
}

#[expect(clippy::disallowed_methods, reason = "the theme's colours are named here")]
const fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

const DARK: Palette = Palette {
    ground: rgb(0x0F_12_17),
    bars: rgb(0x16_1B_22),
    raised: rgb(0x1E_25_2E),
    hover: rgb(0x27_30_3B),
    hairline: rgb(0x20_26_2E),
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
    ground: rgb(0xFF_FF_FF),
    bars: rgb(0xF4_F6_F8),
    raised: rgb(0xFF_FF_FF),
    hover: rgb(0xE7_EC_F1),
    hairline: rgb(0xE4_E8_EC),
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

/// Blue for up and orange for down (Okabe and Ito, "Color Universal Design", 2008).
static DARK_COLOUR_BLIND: Palette =
    Palette { up: rgb(0x56_B4_E9), down: rgb(0xF0_8A_24), accent: rgb(0xB4_8C_F0), ..DARK };

static LIGHT_COLOUR_BLIND: Palette =
    Palette { up: rgb(0x00_5F_A8), down: rgb(0xA8_4A_00), accent: rgb(0x6A_3F_B8), ..LIGHT };

impl Palette {
    /// One of the colours that people are told apart by.
    pub fn person(&self, shade: usize) -> Color32 {
        self.people[shade % self.people.len()]
    }

    /// A theme's colours.
    pub fn of(theme: Theme, colour_blind: bool) -> &'static Palette {
        match (theme, colour_blind) {
            (Theme::Dark, false) => &DARK_FULL,
            (Theme::Light, false) => &LIGHT_FULL,
            (Theme::Dark, true) => &DARK_COLOUR_BLIND,
            (Theme::Light, true) => &LIGHT_COLOUR_BLIND,
        }
    }
}
