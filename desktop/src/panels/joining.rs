//! The dialog that asks for consent, in every window, before a token goes to the server of a connection file.

use egui::{Align, Id, Key, Label, Layout, Modal, Ui};

use crate::{
    command::{AppCommand, entry_of},
    destination::Destination,
    theme::fit_width,
};

const SCHEME: &str = "http://";

/// Asks whether to join a server and returns the chosen command. Declining quits the program, which has
/// nothing else to show.
pub fn show(ui: &Ui, destination: &Destination) -> Option<AppCommand> {
    let mut chosen = None;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let shown = Modal::new(Id::unique("join")).frame(frame).show(ui, |ui| {
        fit_width(ui, 440.0);
        ui.heading("Join this server?");
        ui.add_space(4.0);
        ui.add(Label::new(question(destination)).selectable(true).wrap());
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            for command in [AppCommand::Join, AppCommand::Quit] {
                if ui.button(entry_of(&command.clone().into()).title).clicked() {
                    chosen = Some(command);
                }
            }
        });
    });
    let is_escaped = ui.input(|input| input.key_pressed(Key::Escape));
    chosen.or((is_escaped && shown.should_close()).then_some(AppCommand::Quit))
}

/// Returns the question, with file names quoted: an untrusted file's name could read as a sentence.
fn question(destination: &Destination) -> String {
    let Destination { base, token_file, connection_file, .. } = destination;
    let name = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| format!("{:?}", path.display().to_string()))
    };
    let is_near = ["localhost", "127.", "[::1]"].iter().any(|near| base[SCHEME.len()..].starts_with(near));
    let open =
        if is_near { "" } else { " The connection is not encrypted: others on the network can read both." };
    format!(
        "The connection file {1} asks to send the token in {0} to {base}.\n\nThe operator of that server \
         sees the token and everything you do in its watchlists.{open} Join only if you trust the source of \
         the file.",
        name(token_file).unwrap_or_default(),
        name(connection_file).unwrap_or_default()
    )
}
