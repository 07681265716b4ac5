//! What a connection file asks for is asked of the person before anything is sent.

use std::path::PathBuf;

use desktop::{action::Action, destination::Destination, panels::dialogs::Dialog, theme};
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable};
use shared::ids::WindowId;

struct Asked {
    dialog: Option<Dialog>,
    actions: Vec<Action>,
    has_theme: bool,
}

fn harness() -> Harness<'static, Asked> {
    let destination = Destination {
        base: "http://desk.example:7878".to_owned(),
        token_file: Some(PathBuf::from("/home/ann/desk.token")),
        named_in: Some(PathBuf::from("/home/ann/desk.afterglow")),
        ..Destination::default()
    };
    let asked = Asked { dialog: Dialog::join(&destination), actions: Vec::new(), has_theme: false };
    let mut harness = Harness::builder().build_ui_state(
        |ui, asked: &mut Asked| {
            if !std::mem::replace(&mut asked.has_theme, true) {
                // The fonts are there from the next frame on.
                theme::install(ui.ctx());
                return;
            }
            let Some(dialog) = asked.dialog.take() else { return };
            let (dialog, action) = dialog.show(ui, WindowId(1));
            asked.dialog = dialog;
            asked.actions.extend(action);
        },
        asked,
    );
    harness.run_steps(3);
    harness
}

#[test]
fn the_person_is_told_the_server_and_the_tokens_file() {
    let harness = harness();
    let said = harness.get_by_label_contains("asks to join http://desk.example:7878");
    let said = format!("{said:?}");
    assert!(said.contains("/home/ann/desk.token") && said.contains("/home/ann/desk.afterglow"), "{said}");
}

#[test]
fn only_a_click_joins() {
    let mut harness = harness();
    harness.key_press(Key::Enter);
    harness.key_press(Key::Space);
    harness.run_steps(3);
    assert!(harness.state().dialog.is_some() && harness.state().actions.is_empty());
    harness.get_by_label("Join").click();
    harness.run_steps(3);
    assert!(harness.state().dialog.is_none());
    assert_eq!(harness.state().actions, [Action::Join]);
}

#[test]
fn whoever_does_not_want_to_join_leaves() {
    let mut harness = harness();
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().actions, [Action::Quit]);
}
