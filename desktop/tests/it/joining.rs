//! What a connection file asks for is asked of the person before anything is sent.

use std::path::PathBuf;

use desktop::{action::Action, destination::Destination, panels::joining, theme};
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable};

#[derive(Default)]
struct Asked {
    actions: Vec<Action>,
    has_theme: bool,
}

fn harness() -> Harness<'static, Asked> {
    let destination = Destination {
        base: "http://desk.example:7878".to_owned(),
        token_file: Some(PathBuf::from("/home/ann/desk.token")),
        named_in: Some(PathBuf::from("/home/ann/fine\nJoin.afterglow")),
        ..Destination::default()
    };
    let mut harness = Harness::builder().build_ui_state(
        move |ui, asked: &mut Asked| {
            if !std::mem::replace(&mut asked.has_theme, true) {
                // The fonts are there from the next frame on.
                theme::install(ui.ctx());
                return;
            }
            asked.actions.extend(joining::show(ui, &destination));
        },
        Asked::default(),
    );
    harness.run_steps(3);
    harness
}

#[test]
fn the_person_is_told_the_server_and_the_tokens_file() {
    let harness = harness();
    let said = harness.get_by_label_contains("http://desk.example:7878 would be sent the token");
    let said = format!("{said:?}");
    assert!(said.contains("/home/ann/desk.token") && said.contains(r"fine\\nJoin.afterglow"), "{said}");
}

#[test]
fn keys_that_were_meant_for_something_else_do_not_join() {
    let mut harness = harness();
    harness.key_press(Key::Enter);
    harness.key_press(Key::Space);
    harness.run_steps(3);
    assert!(harness.state().actions.is_empty());
    harness.get_by_label("Join").click();
    harness.run_steps(3);
    assert_eq!(harness.state().actions, [Action::Join]);
}

#[test]
fn whoever_does_not_want_to_join_leaves() {
    let mut harness = harness();
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().actions, [Action::Quit]);
}
