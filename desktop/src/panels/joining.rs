//! The dialog that asks for consent, in every window, before this program connects to a server that a link or
//! a connection file has named.

use egui::{Align, Id, Key, Label, Layout, Modal, Ui};

use super::security::Security;
use crate::{
    command::{AppCommand, entry_of},
    destination::{Destination, Origin},
    servers::Joining,
    theme::{dialog_title, fit_width},
};

/// Asks whether to join a server and returns the chosen command. Declining quits the program, which has
/// nothing else to show.
pub fn show(ui: &Ui, joining: &Joining) -> Option<AppCommand> {
    let mut chosen = None;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let shown = Modal::new(Id::unique("join")).frame(frame).show(ui, |ui| {
        fit_width(ui, 440.0);
        dialog_title(ui, "Join this server?");
        ui.add_space(4.0);
        ui.add(Label::new(question(joining)).selectable(true).wrap());
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
fn question(joining: &Joining) -> String {
    let Destination { base, token_file, origin, .. } = &joining.destination;
    let quoted = |path: &std::path::Path| format!("{:?}", path.display().to_string());
    let (source, named) = match origin {
        Origin::File(path) => ("file", format!("The connection file {}", quoted(path))),
        Origin::Link | Origin::Person => ("link", "A link".to_owned()),
    };
    let mut lines = vec![match token_file {
        Some(token_file) => format!("{named} asks to send the token in {} to {base}.", quoted(token_file)),
        None => format!("{named} asks to connect to {base}."),
    }];
    if !joining.is_known {
        lines.push("You have not joined this server before.".to_owned());
    }
    if joining.changes_authority {
        lines.push(
            "It trusts another certificate authority for this server than the one that you have used so far."
                .to_owned(),
        );
    }
    let seen = if token_file.is_some() { "the token and everything" } else { "everything" };
    lines.push(format!("The operator of that server sees {seen} that you do in its watchlists."));
    if Security::of(base) == Security::Open {
        lines.push(Security::Open.sentence().to_owned());
    }
    lines.push(format!("Join only if you trust the source of the {source}."));
    lines.join("\n\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::servers::Servers;

    fn question_of(folder: &Path, destination: Destination) -> String {
        question(&Joining::new(destination, Servers::read(folder, server::files::write_atomically)))
    }

    #[test]
    fn the_question_names_what_is_sent_and_how() {
        let folder = tempfile::tempdir().unwrap();
        let to = |base: &str, origin: Origin| Destination {
            base: base.to_owned(),
            origin,
            ..Destination::default()
        };
        let link = question_of(folder.path(), to("https://desk:1", Origin::Link));
        assert!(link.contains("A link asks to connect to https://desk:1."), "{link}");
        assert!(link.contains("not joined this server before") && !link.contains("not encrypted"), "{link}");
        assert!(!link.contains("token"), "{link}");
        let file = || Origin::File("/a/Safe. Press Join.afterglow".into());
        let plain = Destination { token_file: Some("/a/desk.token".into()), ..to("http://desk:1", file()) };
        let text = question_of(folder.path(), plain);
        assert!(
            text.contains("\"/a/Safe. Press Join.afterglow\" asks to send the token in \"/a/desk.token\""),
            "{text}"
        );
        assert!(text.contains("not encrypted"), "{text}");
        let fingerprint = |byte: &str| Some(byte.repeat(32).parse().unwrap());
        let named = |byte| Destination { fingerprint: fingerprint(byte), ..to("https://desk:1", file()) };
        let mut first =
            Joining::new(named("ab"), Servers::read(folder.path(), server::files::write_atomically));
        first.save().unwrap();
        let text = question_of(folder.path(), named("cd"));
        assert!(text.contains("another certificate authority") && !text.contains("before."), "{text}");
    }
}
