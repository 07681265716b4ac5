//! What a connection file asks for is asked of the person, in every window, before anything is sent.

use egui::{Align, Id, Key, Label, Layout, Modal, Ui};

use crate::{action::Action, destination::Destination};

const SCHEME: &str = "http://";

/// Asks whether to join a server; gives what was chosen. Who does not want to join ends the program, which has nothing else
/// to show.
pub fn show(ui: &Ui, destination: &Destination) -> Option<Action> {
    let mut chosen = None;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let shown = Modal::new(Id::unique("join")).frame(frame).show(ui, |ui| {
        ui.set_width(440.0);
        ui.heading("Join this server?");
        ui.add_space(4.0);
        ui.add(Label::new(question(destination)).selectable(true).wrap());
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Join").clicked() {
                chosen = Some(Action::Join);
            }
            if ui.button("Quit").clicked() {
                chosen = Some(Action::Quit);
            }
        });
    });
    let is_escaped = ui.input(|input| input.key_pressed(Key::Escape));
    chosen.or((is_escaped && shown.should_close()).then_some(Action::Quit))
}

/// Names are quoted: a stranger's file could have a sentence for its name.
fn question(destination: &Destination) -> String {
    let Destination { base, token_file, named_in, .. } = destination;
    let name = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| format!("{:?}", path.display().to_string()))
    };
    let is_near = ["localhost", "127.", "[::1]"].iter().any(|near| base[SCHEME.len()..].starts_with(near));
    let open = if is_near { "" } else { " Both go there unencrypted: anybody on the way can read them." };
    format!(
        "{base} would be sent the token that is in {}, as the connection file {} asks.\n\nWhoever runs that server sees what \
         is done in its watchlists.{open} Join it if you know who gave you the file.",
        name(token_file).unwrap_or_default(),
        name(named_in).unwrap_or_default()
    )
}
