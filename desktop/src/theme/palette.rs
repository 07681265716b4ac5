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
}

#[expect(clippy::disallowed_methods, reason = "the theme's colours are named here")]
const fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

static DARK: Palette = Palette {
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
};

static LIGHT: Palette = Palette {
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
};

impl Palette {
    /// A theme's colours.
    pub fn of(theme: Theme) -> &'static Palette {
        match theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }
}
