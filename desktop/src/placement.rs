//! Position and size of a window, saved for the next start.

use egui::{Ui, ViewportBuilder};
use serde::{Deserialize, Serialize};

/// Position and size of a window on the screen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// Inner size in points.
    size: Option<[f32; 2]>,
    /// Upper left corner of the outer rectangle in points of the window.
    position: Option<[f32; 2]>,
    /// Whether the window is maximized.
    maximized: bool,
}

impl Placement {
    /// Creates a placement with this size in points, at a position that the system chooses.
    pub fn sized(width: f32, height: f32) -> Self {
        Self { size: Some([width, height]), ..Self::default() }
    }

    /// Returns the viewport builder for a window; `size` is the default. Position and size are multiplied by
    /// `scale`, because they are in points of the window and not of the builder.
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

    /// Records the current position and size.
    pub fn record(&mut self, ui: &Ui) {
        let viewport = ui.input(|input| input.viewport().clone());
        self.maximized = viewport.maximized.unwrap_or_default();
        // The size of a maximized window is not the one to restore.
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
