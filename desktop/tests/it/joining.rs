//! The dialog that asks for consent before the program connects to a server that a link or a file has named.

use std::path::{Path, PathBuf};

use desktop::{
    command::AppCommand,
    destination::{Destination, Origin},
    panels::joining,
    servers::{Joining, Servers},
    theme,
};
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable};

#[derive(Default)]
struct DialogState {
    commands: Vec<AppCommand>,
    has_theme: bool,
}

fn harness() -> Harness<'static, DialogState> {
    let destination = Destination {
        base: "http://desk.example:7878".to_owned(),
        token_file: Some(PathBuf::from("/home/ann/desk.token")),
        origin: Origin::File(PathBuf::from("/home/ann/fine\nJoin.afterglow")),
        ..Destination::default()
    };
    let nothing_joined = Servers::read(Path::new("/nowhere"), server::files::write_atomically);
    let joining = Joining::new(destination, nothing_joined);
    let mut harness = Harness::builder().build_ui_state(
        move |ui, state: &mut DialogState| {
            if !std::mem::replace(&mut state.has_theme, true) {
                // The fonts are available from the next frame on.
                theme::install(ui.ctx());
                return;
            }
            state.commands.extend(joining::show(ui, &joining));
        },
        DialogState::default(),
    );
    harness.run_steps(3);
    harness
}

#[test]
fn the_question_names_the_server_and_the_files() {
    let harness = harness();
    let question = harness.get_by_label_contains("to http://desk.example:7878.");
    let question = format!("{question:?}");
    let has_files = question.contains("/home/ann/desk.token") && question.contains(r"fine\\nJoin.afterglow");
    assert!(has_files, "{question}");
}

#[test]
fn stray_key_presses_do_not_join() {
    let mut harness = harness();
    harness.key_press(Key::Enter);
    harness.key_press(Key::Space);
    harness.run_steps(3);
    assert!(harness.state().commands.is_empty());
    harness.get_by_label("Join").click();
    harness.run_steps(3);
    assert_eq!(harness.state().commands, [AppCommand::Join]);
}

#[test]
fn declining_quits() {
    let mut harness = harness();
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().commands, [AppCommand::Quit]);
}

#[test]
fn both_answers_are_reached_by_keys() {
    for (answer, command) in [("Join", AppCommand::Join), ("Quit", AppCommand::Quit)] {
        let mut harness = harness();
        for _ in 0..4 {
            if harness.get_by_label(answer).is_focused() {
                break;
            }
            harness.key_press(Key::Tab);
            harness.run_steps(2);
        }
        harness.key_press(Key::Enter);
        harness.run_steps(3);
        assert_eq!(harness.state().commands, [command]);
    }
}
