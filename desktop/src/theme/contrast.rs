//! Text that can be read on whatever glows beneath it.

#![expect(clippy::cast_possible_truncation, clippy::disallowed_methods, reason = "colours are computed here")]

use egui::Color32;

/// The contrast that text keeps to its ground (WCAG 2.2, success criterion 1.4.3).
const ENOUGH: f32 = 4.5;
/// The contrast that a changed colour is taken to, where black or white reach it.
const GOOD: f32 = 7.0;

/// Between two colours, straight in sRGB: 0 is the first, 1 the second.
pub fn mix(from: Color32, to: Color32, share: f32) -> Color32 {
    let share = share.clamp(0.0, 1.0);
    let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
    Color32::from_rgb(channel(from.r(), to.r()), channel(from.g(), to.g()), channel(from.b(), to.b()))
}

/// The colour, or as little darker or lighter as makes it readable on `ground`.
pub fn readable(color: Color32, ground: Color32) -> Color32 {
    if contrast(color, ground) >= ENOUGH {
        return color;
    }
    // One of the two ends always reaches 4.5.
    let end = if contrast(Color32::BLACK, ground) >= contrast(Color32::WHITE, ground) {
        Color32::BLACK
    } else {
        Color32::WHITE
    };
    let steps = (1..=8).map(|step| mix(color, end, step as f32 / 8.0));
    steps.into_iter().find(|mixed| contrast(*mixed, ground) >= GOOD).unwrap_or(end)
}

fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance (WCAG 2.2).
fn luminance(color: Color32) -> f32 {
    let linear = |channel: u8| {
        let share = f32::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

#[cfg(test)]
mod tests {
    use egui::Theme;

    use super::*;
    use crate::theme::Palette;

    #[test]
    fn every_text_is_readable_at_every_moment_of_the_glow() {
        for theme in [Theme::Dark, Theme::Light] {
            let palette = Palette::of(theme, false);
            for step in 0..=100 {
                let ground = mix(palette.ground, palette.glow, step as f32 / 100.0);
                for color in [palette.text, palette.muted, palette.up, palette.down] {
                    let shown = readable(color, ground);
                    assert!(contrast(shown, ground) >= ENOUGH, "{theme:?} {step} {color:?}");
                }
            }
        }
    }

    #[test]
    fn quiet_text_is_readable_on_the_bars() {
        for theme in [Theme::Dark, Theme::Light] {
            let palette = Palette::of(theme, false);
            assert!(contrast(palette.muted, palette.bars) >= ENOUGH, "{theme:?}");
            assert!(contrast(palette.text, palette.hover) >= ENOUGH, "{theme:?}");
        }
    }
}
