//! Whether others on the network can read the connection to the server: a lock, and a sentence.

use egui::{Color32, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, pos2, vec2};
use shared::address::Parts;

use crate::theme::Palette;

/// How well a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It does not leave this computer.
    Local,
    /// It is encrypted.
    Encrypted,
    /// Others on the network can read it.
    Open,
}

impl Security {
    /// Returns the security of the connection to an address.
    pub fn of(base: &str) -> Self {
        match Parts::of(base) {
            Ok(parts) if parts.is_encrypted => Self::Encrypted,
            Ok(parts) if parts.is_loopback() => Self::Local,
            Ok(_) | Err(_) => Self::Open,
        }
    }

    /// Returns a sentence for the person; an empty string for a connection that does not leave this computer.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Local => "",
            Self::Encrypted => "The connection is encrypted.",
            Self::Open => {
                "The connection is not encrypted: others on the network can read your password and everything you see and type."
            }
        }
    }
}

/// Draws a lock, closed or open, which a sentence beside it or under the pointer has to explain; nothing for
/// a connection that does not leave this computer.
pub fn lock(ui: &mut Ui, security: Security, palette: &Palette) -> Option<Response> {
    let color = match security {
        Security::Local => return None,
        Security::Encrypted => palette.muted,
        Security::Open => palette.down,
    };
    let (rect, response) = ui.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
    paint(ui, rect, color, security == Security::Open);
    Some(response)
}

fn paint(ui: &Ui, rect: Rect, color: Color32, is_open: bool) {
    let body = Rect::from_min_max(pos2(rect.left() + 1.0, rect.center().y), rect.max - vec2(1.0, 1.0));
    ui.painter().rect_filled(body, 1.5, color);
    let stroke = Stroke::new(1.5, color);
    // An open lock is turned around its left leg.
    let shift = if is_open { vec2(5.0, 0.0) } else { vec2(0.0, 0.0) };
    let bow = Rect::from_min_max(
        pos2(body.left() + 2.0, rect.top() + 2.0),
        Pos2::new(body.right() - 2.0, body.top() + 1.0),
    );
    let clip = ui.painter().with_clip_rect(rect.with_max_y(body.top()).expand2(vec2(6.0, 0.0)));
    clip.rect_stroke(bow.translate(shift).with_max_y(body.top() + 6.0), 3, stroke, StrokeKind::Middle);
}
