//! Colour mixing, and text colours that stay readable on a glowing background.

#![expect(clippy::cast_possible_truncation, clippy::disallowed_methods, reason = "colours are computed here")]

use egui::Color32;

/// Minimum contrast between text and background (WCAG 2.2, success criterion 1.4.3).
const MIN_CONTRAST: f32 = 4.5;
/// Contrast that adjusted text without a hue aims for, if black or white reach it.
const NEUTRAL_CONTRAST: f32 = 7.0;
/// Maximum difference between the channels of a colour without a hue.
const MAX_NEUTRAL: u8 = 40;
/// Number of steps in which a colour is darkened or lightened.
const STEPS: u8 = 32;

/// Interpolates between two colours in sRGB: a share of 0 is `from`, 1 is `to`.
pub fn mix(from: Color32, to: Color32, share: f32) -> Color32 {
    let share = share.clamp(0.0, 1.0);
    let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
    Color32::from_rgb(channel(from.r(), to.r()), channel(from.g(), to.g()), channel(from.b(), to.b()))
}

/// Whether text of a colour is readable on a background.
pub fn is_readable_on(color: Color32, background: Color32) -> bool {
    contrast(color, background) >= MIN_CONTRAST
}

/// Returns the colour, darkened or lightened as little as needed to be readable on `background`.
pub fn readable(color: Color32, background: Color32) -> Color32 {
    if is_readable_on(color, background) {
        return color;
    }
    // Black or white always reaches 4.5.
    let end = if contrast(Color32::BLACK, background) >= contrast(Color32::WHITE, background) {
        Color32::BLACK
    } else {
        Color32::WHITE
    };
    // As little as possible, so that the colour keeps its hue throughout a glow.
    let [least, .., most] = sorted([color.r(), color.g(), color.b()]);
    let target = if most - least <= MAX_NEUTRAL { NEUTRAL_CONTRAST } else { MIN_CONTRAST };
    let mut steps = (1..=STEPS).map(|step| mix(color, end, f32::from(step) / f32::from(STEPS)));
    steps.find(|mixed| contrast(*mixed, background) >= target).unwrap_or(end)
}

fn sorted(mut channels: [u8; 3]) -> [u8; 3] {
    channels.sort_unstable();
    channels
}

fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Returns the relative luminance (WCAG 2.2).
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
    fn text_is_readable_throughout_the_glow() {
        for theme in [Theme::Dark, Theme::Light] {
            let palette = Palette::of(theme, false);
            for step in 0..=100 {
                let background = mix(palette.background, palette.glow, step as f32 / 100.0);
                for color in [palette.text, palette.muted, palette.up, palette.down] {
                    let shown = readable(color, background);
                    assert!(contrast(shown, background) >= MIN_CONTRAST, "{theme:?} {step} {color:?}");
                }
            }
        }
    }

    #[test]
    fn muted_text_is_readable_on_the_bars() {
        for theme in [Theme::Dark, Theme::Light] {
            let palette = Palette::of(theme, false);
            assert!(contrast(palette.muted, palette.bars) >= MIN_CONTRAST, "{theme:?}");
            assert!(contrast(palette.text, palette.hover) >= MIN_CONTRAST, "{theme:?}");
        }
    }
}
