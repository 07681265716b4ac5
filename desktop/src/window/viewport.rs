//! The window of the operating system.

use egui::{Ui, ViewportCommand, WindowLevel};

use crate::placement::Placement;

/// Position, size, level and title of the system's window.
#[derive(Debug, Default)]
pub struct Viewport {
    /// Position and size on the screen.
    pub placement: Placement,
    /// Whether the window stays on top.
    pub on_top: bool,
    /// The level that was last sent to the system.
    sent_on_top: bool,
    /// The title that was last sent to the system.
    sent_title: String,
}

impl Viewport {
    /// Creates a viewport with a position, a size and a level.
    pub(super) fn new(placement: Placement, on_top: bool) -> Self {
        Self { placement, on_top, ..Self::default() }
    }

    /// Records the position and size, and sends a changed level and title to the system.
    pub(super) fn sync(&mut self, ui: &Ui, title: String) {
        self.placement.record(ui);
        if self.sent_on_top != self.on_top {
            self.sent_on_top = self.on_top;
            let level = if self.on_top { WindowLevel::AlwaysOnTop } else { WindowLevel::Normal };
            ui.send_viewport_cmd(ViewportCommand::WindowLevel(level));
        }
        if title != self.sent_title {
            ui.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.sent_title = title;
        }
    }
}
