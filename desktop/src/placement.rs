//! Where the system has a window, and how large: kept for the next start.

use egui::{Ui, ViewportBuilder};
use serde::{Deserialize, Serialize};

/// A window's place on the screen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// Its inner size in points.
    size: Option<[f32; 2]>,
    /// Where its upper left corner is, in points of its own.
    position: Option<[f32; 2]>,
    /// Whether it fills the screen.
    maximized: bool,
}

impl Placement {
    /// Of this size, wherever the system puts it.
    pub fn sized(width: f32, height: f32) -> Self {
        Self { size: Some([width, height]), ..Self::default() }
    }

    /// A window of the system's as it was left, with this size where nothing is known. Its place is in points of its
    /// own, `scale` of which are one of the builder's.
    pub fn builder(&self, size: [f32; 2], scale: f32) -> ViewportBuilder {
        let scaled = |[x, y]: [f32; 2]| [x * scale, y * scale];
        let builder = ViewportBuilder::default()
            .with_inner_size(scaled(self.size.unwrap_or(size)))
            .with_maximized(self.maximized);
        match self.position {
            Some(position) => builder.with_position(scaled(position)),
            None => builder,
        }
    }

    /// Remembers where the window is.
    pub fn keep(&mut self, ui: &Ui) {
        let viewport = ui.input(|input| input.viewport().clone());
        self.maximized = viewport.maximized.unwrap_or_default();
        // As large as the screen is not how large it is to be otherwise.
        if self.maximized {
            return;
        }
        let size = viewport.inner_rect.map(|rect| rect.size());
        if let Some(size) = size.filter(|size| size.x >= 1.0 && size.y >= 1.0) {
            self.size = Some([size.x.round(), size.y.round()]);
        }
        if let Some(position) = viewport.outer_rect.map(|rect| rect.min) {
            self.position = Some([position.x.round(), position.y.round()]);
        }
    }
}
