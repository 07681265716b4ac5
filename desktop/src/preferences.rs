//! What a person has chosen for all windows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{store::glow::GlowStyle, theme::ThemeChoice};

/// The choices for all windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preferences {
    /// Theme.
    pub theme: ThemeChoice,
    /// Whether the colour-blind palette is used.
    pub colour_blind: bool,
    /// Settings of the glow.
    pub glow: GlowChoice,
    /// Whether a screen reader announces changes by others.
    pub announces: bool,
}

/// The glow settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GlowChoice {
    /// Duration of the glow in seconds, 0 to 10; 0 disables it.
    pub seconds: f32,
    /// Whether the glow fades.
    pub motion: Motion,
}

/// Whether a glow fades or stays constant for its duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Motion {
    /// Follows the system's reduced-motion setting.
    #[default]
    System,
    /// Fades.
    Fade,
    /// Stays constant.
    Still,
}

/// One setting of the glow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlowSetting {
    /// Duration in seconds; 0 disables the glow.
    Seconds(u8),
    /// Whether the glow fades.
    Motion(Motion),
}

impl GlowChoice {
    /// Returns the glow to draw, given the system's reduced-motion setting.
    pub fn style(&self, reduced_motion: bool) -> GlowStyle {
        let is_still = match self.motion {
            Motion::System => reduced_motion,
            Motion::Fade => false,
            Motion::Still => true,
        };
        let duration = Duration::from_secs_f32(self.seconds.clamp(0.0, 10.0));
        GlowStyle { duration, is_still }
    }

    /// Returns the settings with one of them changed.
    pub fn with(self, setting: GlowSetting) -> Self {
        match setting {
            GlowSetting::Seconds(seconds) => Self { seconds: f32::from(seconds), ..self },
            GlowSetting::Motion(motion) => Self { motion, ..self },
        }
    }
}

impl Default for GlowChoice {
    fn default() -> Self {
        Self { seconds: 2.0, motion: Motion::System }
    }
}
