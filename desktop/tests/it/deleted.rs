//! Watchlists that are deleted while somebody uses them, and come back.

use std::time::Duration;

use desktop::{
    command::{AppCommand, Command},
    window::Window,
};
use egui::{Event, Key, Modifiers};

use crate::{
    headless::Headless,
    screen::wait_for,
    windows::{Two, create, go_to_price, price},
};

#[test]
fn a_watchlist_deleted_while_typing_is_named_and_the_text_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    let name = headless.shown().unwrap().name().to_string();
    go_to_price(&mut headless, 0);
    headless.typed(vec![Event::Text("77.5".to_owned())]);
    headless.execute(AppCommand::Delete(list));
    wait_for("the message", || {
        headless.frame(Vec::new());
        headless.window.overlays.dialog.is_some().then_some(())
    });
    let text =
        format!("Watchlist \u{201c}{name}\u{201d} was deleted while you were typing \u{201c}77.5\u{201d}.");
    assert!(headless.find(&text).is_some());
    assert!(headless.find("Copy text").is_some());
    headless.key(Modifiers::NONE, Key::Enter);
    assert!(headless.window.overlays.dialog.is_some(), "a key that was meant for the editor");
    headless.advance(Duration::from_millis(1_100));
    headless.key(Modifiers::NONE, Key::Escape);
    assert!(headless.window.overlays.dialog.is_none());
    headless.stop();
}

/// Somebody else deletes the watchlist between two figures of a list.
#[test]
fn nothing_is_typed_into_the_watchlist_that_takes_the_place_of_a_deleted_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    let name = headless.shown().unwrap().name().to_string();
    headless.execute(AppCommand::Create("Other".to_owned()));
    wait_for("the other watchlist", || {
        headless.frame(Vec::new());
        (headless.window.list() != Some(list)).then_some(())
    });
    headless.execute(Command::Show(list));
    headless.frame(Vec::new());
    let mut other = Headless::start(folder.path());
    other.execute(AppCommand::Delete(list));
    wait_for("the message", || {
        other.frame(Vec::new());
        headless.frame(Vec::new());
        headless.window.overlays.dialog.is_some().then_some(())
    });
    assert!(headless.find(&format!("Watchlist \u{201c}{name}\u{201d} was deleted.")).is_some());
    for text in ["702", "703"] {
        headless.advance(Duration::from_millis(1_500));
        headless.typed(vec![Event::Text(text.to_owned())]);
        headless.key(Modifiers::NONE, Key::Enter);
    }
    assert!(headless.window.overlays.dialog.is_some(), "what is typed is for the deleted watchlist");
    headless.advance(Duration::from_millis(1_500));
    headless.key(Modifiers::NONE, Key::Enter);
    assert!(headless.window.overlays.dialog.is_some(), "Enter may end a value");
    headless.key(Modifiers::NONE, Key::Escape);
    assert!(headless.window.overlays.dialog.is_none());
    headless.typed(vec![Event::Text("704".to_owned())]);
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.shown().unwrap().rows().len(), 0, "no cell was chosen");
    headless.key(Modifiers::NONE, Key::Home);
    headless.typed(vec![Event::Text("705".to_owned())]);
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.shown().unwrap().rows().len(), 1, "one was chosen");
    other.stop();
    headless.stop();
}

#[test]
fn a_watchlist_that_anyone_deleted_is_offered_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    headless.execute(AppCommand::Delete(list));
    wait_for("the watchlist to be deleted", || {
        headless.frame(Vec::new());
        headless.state.store.replica().summaries().unwrap().is_empty().then_some(())
    });
    headless.key(Modifiers::COMMAND, Key::K);
    wait_for("the deleted watchlists", || {
        headless.frame(Vec::new());
        (headless.state.store.deleted().iter().any(|deleted| deleted.watchlist == list)).then_some(())
    });
    headless.typed(vec![Event::Text("restore watchlist".to_owned())]);
    headless.key(Modifiers::NONE, Key::Enter);
    wait_for("the watchlist to be restored", || {
        headless.frame(Vec::new());
        headless.shown().filter(|list| list.rows().len() == 20).map(drop)
    });
    assert!(headless.state.store.deleted().is_empty());
    headless.stop();
}

#[test]
fn a_watchlist_that_one_desktop_deleted_is_restored_from_the_menu_of_another() {
    let mut two = Two::start();
    two.ann.open_window();
    let list = two.ann.window.list().unwrap();
    let name = two.ann.shown().unwrap().name().to_string();
    two.ann.execute(Command::DeleteShownList);
    assert!(two.ann.find(&format!("This deletes \u{201c}{name}\u{201d} with 20 rows for everyone. A deleted watchlist can be restored for some time.")).is_some());
    two.ann.key(Modifiers::NONE, Key::Escape);
    assert!(two.ann.window.overlays.dialog.is_none() && two.ann.shown().is_some(), "Esc keeps the watchlist");
    two.ann.execute(Command::DeleteShownList);
    two.ann.key(Modifiers::NONE, Key::Enter);
    assert!(two.ann.window.overlays.dialog.is_none() && two.ann.shown().is_some(), "Enter keeps it, too");
    two.ann.execute(Command::DeleteShownList);
    two.ann.frame(Vec::new());
    two.ann.key(Modifiers::NONE, Key::ArrowRight);
    two.ann.key(Modifiers::NONE, Key::Enter);
    wait_for("the watchlist to be deleted", || {
        [&mut two.ann, &mut two.bob]
            .iter_mut()
            .all(|desktop| {
                desktop.frame(Vec::new());
                desktop.state.store.replica().summaries().is_some_and(<[_]>::is_empty)
                    && desktop.window.list().is_none()
            })
            .then_some(())
    });
    assert_eq!(two.ann.others[0].0.list(), None);
    assert!(two.bob.find(&format!("Watchlist \u{201c}{name}\u{201d} was deleted.")).is_some());
    two.bob.advance(Duration::from_millis(1_100));
    two.bob.key(Modifiers::NONE, Key::Escape);
    two.bob.click("+");
    wait_for("the deleted watchlists", || {
        two.bob.frame(Vec::new());
        (!two.bob.state.store.deleted().is_empty()).then_some(())
    });
    two.bob.click("Restore watchlist");
    two.bob.click(&name);
    let shows = |desktop: &Headless, window: &Window| {
        let rows = desktop.state.store.watchlist(list).map_or(0, |list| list.rows().len());
        window.list() == Some(list) && rows == 20
    };
    wait_for("the watchlist in every window", || {
        two.ann.frame(Vec::new());
        two.bob.frame(Vec::new());
        let is_shown = shows(&two.ann, &two.ann.window)
            && shows(&two.ann, &two.ann.others[0].0)
            && shows(&two.bob, &two.bob.window);
        is_shown.then_some(())
    });
    assert!(two.bob.state.store.deleted().is_empty());
    // It is the same watchlist for everyone again.
    go_to_price(&mut two.bob, 0);
    two.bob.enter("80");
    two.settle();
    assert_eq!(price(&two.ann, 0), "80");
    two.stop();
}

#[test]
fn a_restored_watchlist_is_shown_again_beside_the_text_that_was_typed_in_it() {
    let mut two = Two::start();
    let list = two.ann.window.list().unwrap();
    create(&mut two.ann, "Other");
    two.ann.execute(Command::Show(list));
    go_to_price(&mut two.ann, 0);
    two.ann.typed(vec![Event::Text("77".to_owned())]);
    two.bob.execute(AppCommand::Delete(list));
    wait_for("the message", || {
        two.bob.frame(Vec::new());
        two.ann.find("Copy text")
    });
    two.ann.click("Restore watchlist");
    wait_for("the watchlist", || {
        two.bob.frame(Vec::new());
        two.ann.frame(Vec::new());
        (two.ann.window.list() == Some(list)).then_some(())
    });
    assert!(two.ann.find("Copy text").is_some(), "the text is not lost");
    assert!(two.ann.find("Restore watchlist").is_none());
    two.ann.click("Copy text");
    assert_eq!(two.ann.copied, ["77"]);
    two.stop();
}
