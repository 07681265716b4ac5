//! People on one shared server: they sign in, share watchlists, and are told what they may not do.

use std::{collections::BTreeSet, path::Path, sync::atomic::Ordering, time::Duration};

use desktop::{
    account::AccountCommand,
    command::{AppCommand, Command},
    store::Connection,
    window::dispatch,
};
use egui::{Event, Key, Modifiers};
use shared::{
    account::ListRole,
    edit::Change,
    ids::{RowId, WatchlistId},
    position::Position,
    wire::account_api::AccessEntry,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    account_server::{AccountServer, PASSWORD},
    focus::walk,
    headless::Headless,
    screen::wait_for,
    windows::go_to_price,
};

/// Opens a window of a person who is not signed in, and waits until the program asks for the name.
fn open(desk: &AccountServer, folder: &Path) -> Headless {
    let mut headless = Headless::join(folder, desk.destination());
    wait_until_asked(&mut headless);
    headless
}

fn wait_until_asked(headless: &mut Headless) {
    wait_for("the sign-in view", || headless.find("Stay signed in on this computer"));
}

/// Signs in, without keeping the session on the computer of the test.
fn sign_in(headless: &mut Headless, name: &str, password: &str) {
    headless.click("Stay signed in on this computer");
    fill(headless, "Name", name);
    fill(headless, "Password", password);
    headless.key(Modifiers::NONE, Key::Enter);
}

/// Goes to a field by keyboard and replaces its text.
fn fill(headless: &mut Headless, field: &str, text: &str) {
    wait_for(field, || {
        headless.key(Modifiers::NONE, Key::Tab);
        (headless.focused().as_deref() == Some(field)).then_some(())
    });
    headless.key(Modifiers::COMMAND, Key::A);
    headless.typed(vec![Event::Text(text.to_owned())]);
}

fn is_up(headless: &Headless) -> bool {
    matches!(headless.state.store.connection(), Connection::Up { .. })
}

fn wait_until_up(headless: &mut Headless) {
    wait_for("the connection", || {
        headless.frame(Vec::new());
        is_up(headless).then_some(())
    });
}

fn signed_in(desk: &AccountServer, folder: &Path, name: &str) -> Headless {
    let mut headless = open(desk, folder);
    sign_in(&mut headless, name, PASSWORD);
    wait_until_up(&mut headless);
    headless
}

/// Imports the twenty companies and waits for them.
fn import(headless: &mut Headless) -> WatchlistId {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/data/companies.csv");
    headless.execute(AppCommand::Import(file.into()));
    wait_until_shown(headless);
    headless.settle();
    headless.window.list().unwrap()
}

fn wait_until_shown(headless: &mut Headless) {
    wait_for("the watchlist", || {
        headless.frame(Vec::new());
        headless.shown().filter(|list| list.rows().len() == 20).map(drop)
    });
}

fn share(headless: &mut Headless, watchlist: WatchlistId, name: &str, role: Option<ListRole>) {
    let find = AccountCommand::FindPeople(name.to_owned());
    headless.execute(AppCommand::Account(find));
    let user = wait_for("the person", || {
        headless.frame(Vec::new());
        let people = headless.state.joined.as_ref().unwrap().account.people(name)?;
        people.as_ref().unwrap().first().map(|person| person.id)
    });
    let set = AccountCommand::SetAccess { watchlist, user: Some(user), role };
    headless.execute(AppCommand::Account(set));
    headless.frame(Vec::new());
}

fn notices(headless: &Headless) -> Vec<String> {
    headless.state.store.notices().iter().map(|notice| notice.text.clone()).collect()
}

fn price_of_first(headless: &Headless) -> String {
    let list = headless.shown().unwrap();
    let row = list.rows().iter().next().unwrap().id;
    format!("{:?}", list.cell(row, &"price".into()))
}

/// Starts a server for ann and bob, each with a folder, on which ann has imported a watchlist.
fn two_people() -> (AccountServer, [TempDir; 2], Headless, WatchlistId) {
    let desk = AccountServer::start();
    desk.add("ann");
    desk.add("bob");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut ann = signed_in(&desk, folders[0].path(), "ann");
    let list = import(&mut ann);
    (desk, folders, ann, list)
}

#[test]
fn a_person_signs_in_after_a_wrong_password_and_signs_out() {
    let desk = AccountServer::start();
    desk.add("ann");
    let folder = tempfile::tempdir().unwrap();
    let mut headless = open(&desk, folder.path());
    assert!(headless.find("The connection is encrypted.").is_some());
    assert_eq!(headless.focused().as_deref(), Some("Name"));
    sign_in(&mut headless, "ann", "wrong password");
    wait_for("the refusal", || headless.find("The name or the password is wrong."));
    assert_eq!(headless.focused().as_deref(), Some("Password"), "the next try replaces it");
    headless.enter(PASSWORD);
    wait_until_up(&mut headless);
    assert_eq!(headless.state.joined.as_ref().unwrap().account.user().unwrap().name.as_ref(), "ann");
    assert!(headless.find("ann").is_some(), "the bar says who is signed in");
    headless.execute(AppCommand::Account(AccountCommand::SignOut));
    wait_until_asked(&mut headless);
    assert!(!is_up(&headless));
    let asked = headless
        .find("Your session has ended. Your changes are kept here and will be sent once you have signed in.");
    assert_eq!(asked, None, "the person has ended it");
    headless.click("Not now");
    assert!(headless.find("Not signed in").is_some(), "the bar says so");
    headless.key(Modifiers::ALT, Key::A);
    wait_until_asked(&mut headless);
    headless.stop();
}

#[test]
fn a_viewer_changes_nothing_and_is_told_why_until_they_become_an_editor() {
    let (desk, folders, mut ann, list) = two_people();
    share(&mut ann, list, "bob", Some(ListRole::Viewer));
    let mut bob = signed_in(&desk, folders[1].path(), "bob");
    wait_until_shown(&mut bob);
    wait_for("who shares it", || bob.find("View only. Shared by ann"));
    let before = price_of_first(&bob);
    go_to_price(&mut bob, 0);
    for attempt in
        [vec![Event::Text("5".to_owned())], vec![Event::Paste("5\n6\n".to_owned())], vec![Event::Cut]]
    {
        bob.typed(attempt.clone());
        assert_eq!(bob.window.grid.editor().map(|editor| editor.text.clone()), None, "{attempt:?}");
        assert_eq!(notices(&bob), ["You can only view this watchlist."], "{attempt:?}");
    }
    for (modifiers, key) in [
        (Modifiers::NONE, Key::Enter),
        (Modifiers::NONE, Key::F2),
        (Modifiers::NONE, Key::Delete),
        (Modifiers::COMMAND, Key::Delete),
        (Modifiers::COMMAND, Key::D),
        (Modifiers::NONE, Key::Insert),
        (Modifiers::ALT, Key::ArrowDown),
    ] {
        bob.key(modifiers, key);
        assert!(bob.window.grid.editor().is_none() && !bob.window.grid.has_confirmation(), "{key:?}");
    }
    bob.execute(Command::DeleteShownList);
    bob.execute(Command::Undo);
    assert_eq!(bob.state.store.replica().unanswered_count(), 0);
    assert_eq!(price_of_first(&bob), before);

    share(&mut ann, list, "bob", Some(ListRole::Editor));
    wait_for("the new role", || {
        ann.frame(Vec::new());
        bob.frame(Vec::new());
        (bob.state.store.role(list) == Some(ListRole::Editor)).then_some(())
    });
    go_to_price(&mut bob, 0);
    bob.enter("5.25");
    bob.settle();
    assert_ne!(price_of_first(&bob), before);
    bob.execute(Command::DeleteShownList);
    assert!(notices(&bob).contains(&"Only an owner of this watchlist can do this.".to_owned()));
    wait_for("the edit in the other window", || {
        ann.frame(Vec::new());
        (price_of_first(&ann) == price_of_first(&bob)).then_some(())
    });

    // What was typed while the right was taken away comes back as such.
    share(&mut ann, list, "bob", None);
    wait_for("the change of the access", || {
        ann.frame(Vec::new());
        let access = ann.state.joined.as_ref().unwrap().account.access(list)?.as_ref().unwrap();
        let is_bob =
            |entry: &AccessEntry| entry.user.as_ref().is_some_and(|user| user.name.as_ref() == "bob");
        (!access.iter().any(is_bob)).then_some(())
    });
    let rows: Vec<RowId> = bob.shown().unwrap().rows().iter().take(2).map(|row| row.id).collect();
    for (row, price) in rows.into_iter().zip(["8.5", "9.5"]) {
        let typed = vec![Change::set(row, &"price".into(), price.into())];
        bob.state.store.edit(list, bob.window.id(), typed).unwrap();
    }
    wait_for("the end of the access", || {
        ann.frame(Vec::new());
        bob.frame(Vec::new());
        bob.shown().is_none().then_some(())
    });
    assert!(notices(&bob).iter().any(|notice| notice.starts_with("You no longer have access to")));
    bob.settle();
    let rejected = "Your 8.5 for MMM Price was rejected: its watchlist was deleted, or you no longer have access to \
                    it. Also rejected: 9.5 for AA Price.";
    assert!(notices(&bob).iter().any(|notice| notice == rejected), "{:?}", notices(&bob));
    bob.click("Close");
    bob.click("Copy values");
    assert_eq!(bob.copied, ["MMM\tPrice\t8.5\nAA\tPrice\t9.5\n"]);
    ann.stop();
    bob.stop();
}

/// Bob pastes 10,000 cells, and his role is taken away before all of them have arrived.
#[test]
fn a_role_that_is_taken_away_in_the_middle_of_a_large_paste_loses_no_value() {
    const ROWS: usize = 5_000;
    let (desk, folders, mut ann, list) = two_people();
    share(&mut ann, list, "bob", Some(ListRole::Editor));
    let mut bob = signed_in(&desk, folders[1].path(), "bob");
    wait_until_shown(&mut bob);
    // Several edits, of which some arrive before the change of the role and others after it.
    let rows: Vec<RowId> = (1..=ROWS as u128).map(|row| RowId(Uuid::from_u128(row))).collect();
    let positions = Position::between(None, None, ROWS).unwrap();
    for (index, (rows, positions)) in rows.chunks(100).zip(positions.chunks(100)).enumerate() {
        let insert = |(row, position): (&RowId, &Position)| {
            let cells = [("symbol".into(), "NEW".into()), ("price".into(), "7".into())].into();
            Change::insert(*row, position, cells)
        };
        let changes = rows.iter().zip(positions).map(insert).collect();
        bob.state.store.edit(list, bob.window.id(), changes).unwrap();
        bob.frame(Vec::new());
        if index == 5 {
            share(&mut ann, list, "bob", Some(ListRole::Viewer));
        }
    }
    wait_for("the new role", || {
        ann.frame(Vec::new());
        bob.frame(Vec::new());
        (bob.state.store.role(list) == Some(ListRole::Viewer)).then_some(())
    });
    bob.settle();
    bob.click("Copy values");
    let rejected = bob.copied.last().unwrap().lines().filter(|line| line.ends_with("\tPrice\t7")).count();
    let stored = wait_for("the same rows in both windows", || {
        ann.frame(Vec::new());
        bob.frame(Vec::new());
        let [ann, bob] = [&ann, &bob].map(|headless| headless.shown().unwrap().rows().len() - 20);
        (ann == bob).then_some(ann)
    });
    assert_eq!(stored + rejected, ROWS, "{stored} rows are stored, {rejected} are rejected");
    assert!(stored >= 100 && rejected >= 100, "{stored} rows are stored, {rejected} are rejected");
    ann.stop();
    bob.stop();
}

/// Where there is no password store, as in tests on a machine without a session bus.
#[test]
fn without_a_password_store_the_person_is_told_and_the_next_start_shows_the_last_copy() {
    let has_bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists());
    if has_bus {
        assert!(std::env::var_os("AFTERGLOW_REQUIRE_SERVICES").is_none(), "the tests have a session bus");
        eprintln!("skipped: the password store of this session is not touched");
        return;
    }
    let desk = AccountServer::start();
    desk.add("ann");
    let folder = tempfile::tempdir().unwrap();
    let mut headless = open(&desk, folder.path());
    fill(&mut headless, "Name", "ann");
    fill(&mut headless, "Password", PASSWORD);
    headless.key(Modifiers::NONE, Key::Enter);
    wait_until_up(&mut headless);
    let told = "You are signed in until Afterglow is closed. This computer has no password store that could keep the session.";
    wait_for("the notice", || {
        headless.frame(Vec::new());
        notices(&headless).iter().any(|notice| notice == told).then_some(())
    });
    import(&mut headless);
    headless.stop();
    let mut headless = open(&desk, folder.path());
    wait_until_shown(&mut headless);
    assert!(headless.find_containing("Offline copy from ").is_some(), "the status bar says how old it is");
    headless.stop();
}

#[test]
fn an_account_that_is_disabled_is_asked_to_sign_in_and_its_edits_wait_for_it() {
    let desk = AccountServer::start();
    let id = desk.add("ann");
    desk.add("bob");
    let folder = tempfile::tempdir().unwrap();
    let mut headless = signed_in(&desk, folder.path(), "ann");
    import(&mut headless);
    // What is typed while the session ends stays in its cell.
    go_to_price(&mut headless, 0);
    headless.typed(vec![Event::Text("7.".to_owned())]);
    desk.set_disabled(id, true);
    wait_for("the end of the session", || {
        headless.frame(Vec::new());
        headless.state.joined.as_ref().unwrap().account.sign_in().is_open.then_some(())
    });
    headless.advance(Duration::from_secs(5));
    headless.enter("5");
    wait_until_asked(&mut headless);
    assert!(headless.shown().is_some(), "the rows stay");
    headless.click("Not now");
    assert_eq!(headless.state.store.replica().unanswered_count(), 1);
    let typed = price_of_first(&headless);

    // Somebody else on the same computer sends neither them nor what is still being typed.
    headless.execute(AppCommand::Account(AccountCommand::CloseSignIn));
    go_to_price(&mut headless, 1);
    headless.typed(vec![Event::Text("77".to_owned())]);
    assert!(headless.window.grid.editor().is_some());
    headless.execute(AppCommand::Account(AccountCommand::OpenSignIn));
    sign_in(&mut headless, "bob", PASSWORD);
    wait_until_up(&mut headless);
    assert_eq!(headless.state.store.replica().unanswered_count(), 0);
    let told = notices(&headless);
    assert!(
        told.iter().any(|notice| notice.contains("1 edit, to be sent when it signs in again")),
        "{told:?}"
    );
    assert!(headless.window.grid.editor().is_none());
    assert!(headless.shown().is_none(), "bob has no access");
    assert!(
        !told.iter().any(|notice| notice.contains("77")),
        "what ann typed is not bob's business: {told:?}"
    );

    desk.set_disabled(id, false);
    headless.execute(AppCommand::Account(AccountCommand::SignOut));
    wait_until_asked(&mut headless);
    sign_in(&mut headless, "ann", PASSWORD);
    wait_until_up(&mut headless);
    wait_until_shown(&mut headless);
    headless.settle();
    assert_eq!(price_of_first(&headless), typed);
    assert!(
        !notices(&headless).iter().any(|notice| notice.contains("Kept for the account")),
        "they are sent"
    );
    let not_entered =
        "Your 77 for AA Price was not entered: another account signed in while you were typing.";
    assert!(notices(&headless).iter().any(|notice| notice == not_entered), "{:?}", notices(&headless));
    headless.stop();
}

/// What is typed is committed before the person signs out, and another window is asked for first.
#[test]
fn signing_out_loses_nothing_that_is_typed() {
    let desk = AccountServer::start();
    desk.add("ann");
    let folder = tempfile::tempdir().unwrap();
    let mut headless = signed_in(&desk, folder.path(), "ann");
    import(&mut headless);
    let sign_out = || AppCommand::Account(AccountCommand::SignOut);
    let before = price_of_first(&headless);
    go_to_price(&mut headless, 0);
    headless.typed(vec![Event::Text("x".to_owned())]);
    headless.execute(sign_out());
    (0..5).for_each(|_| headless.frame(Vec::new()));
    assert!(headless.window.grid.editor().is_some(), "an invalid text stays");
    headless.key(Modifiers::NONE, Key::Escape);
    headless.typed(vec![Event::Text("7.5".to_owned())]);
    headless.execute(sign_out());
    wait_until_asked(&mut headless);
    sign_in(&mut headless, "ann", PASSWORD);
    wait_until_up(&mut headless);
    wait_until_shown(&mut headless);
    headless.settle();
    assert_ne!(price_of_first(&headless), before);

    headless.open_window();
    go_to_price(&mut headless, 0);
    headless.typed(vec![Event::Text("9".to_owned())]);
    let now = headless.now();
    dispatch(sign_out(), &mut headless.others[0].0, &mut headless.state, now);
    let refusal = "A cell is being edited in another window. Commit or discard the edit first.";
    assert!(notices(&headless).iter().any(|notice| notice == refusal));
    (0..5).for_each(|_| headless.frame(Vec::new()));
    assert!(headless.window.grid.editor().is_some() && is_up(&headless));
    headless.stop();
}

#[test]
fn sessions_are_listed_and_ended_and_the_password_is_changed() {
    let desk = AccountServer::start();
    desk.add("ann");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut here = signed_in(&desk, folders[0].path(), "ann");
    let mut there = signed_in(&desk, folders[1].path(), "ann");
    here.execute(Command::OpenAccount);
    wait_for("the other session", || here.find("Revoke"));
    here.click("Revoke");
    wait_until_asked(&mut there);
    assert!(is_up(&here), "only the other session has ended");
    wait_for("the list without it", || here.find("Revoke").is_none().then_some(()));

    here.click("Change password\u{2026}");
    for (field, text) in
        [("Old password", PASSWORD), ("New password", "river stone ninety"), ("New password again", "river")]
    {
        fill(&mut here, field, text);
    }
    assert!(here.find("The new passwords differ.").is_some());
    fill(&mut here, "New password again", "river stone ninety");
    here.click("Change");
    wait_for("the change", || here.find("The password is changed. Your other sessions have ended."));
    sign_in(&mut there, "ann", "river stone ninety");
    wait_until_up(&mut there);
    here.stop();
    there.stop();
}

#[test]
fn the_dialogs_about_the_account_keep_the_focus() {
    let (_desk, _folders, mut headless, list) = two_people();
    headless.execute(Command::OpenAccount);
    assert_eq!(headless.focused().as_deref(), Some("Close"));
    headless.tab_to("Change password\u{2026}");
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.focused().as_deref(), Some("Old password"));
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::NONE, Key::Escape);

    share(&mut headless, list, "bob", Some(ListRole::Editor));
    headless.execute(Command::ShareShownList);
    wait_for("bob", || headless.find("Remove bob"));
    for (list, key, choice) in [
        ("Role of bob", Key::ArrowUp, "Can view"),
        ("Role of everyone who is signed in", Key::ArrowDown, "Can view"),
    ] {
        headless.tab_to(list);
        headless.key(Modifiers::NONE, Key::Enter);
        headless.key(Modifiers::NONE, key);
        assert_eq!(headless.focused().as_deref(), Some(choice));
        headless.key(Modifiers::NONE, Key::Enter);
        assert_eq!(headless.focused().as_deref(), Some(list), "it is closed");
    }
    headless.stop();
}

#[test]
fn every_control_of_the_dialogs_about_the_account_is_reached_by_keys_and_has_a_name() {
    let (_desk, _folders, mut headless, list) = two_people();
    share(&mut headless, list, "bob", Some(ListRole::Editor));
    walk(&mut headless, "my account", Key::Tab, |headless| {
        headless.execute(Command::OpenAccount);
        wait_for("this session", || headless.find("This one"));
    });
    walk(&mut headless, "change of the password", Key::Tab, |headless| {
        headless.execute(Command::OpenAccount);
        headless.tab_to("Change password\u{2026}");
        headless.key(Modifiers::NONE, Key::Enter);
    });
    walk(&mut headless, "sharing", Key::Tab, |headless| {
        headless.execute(Command::ShareShownList);
        wait_for("bob", || headless.find("Remove bob"));
    });
    headless.key(Modifiers::NONE, Key::Escape);
    headless.execute(AppCommand::Account(AccountCommand::SignOut));
    wait_until_asked(&mut headless);
    headless.click("Not now");
    walk(&mut headless, "sign-in", Key::Tab, |headless| {
        headless.key(Modifiers::ALT, Key::A);
        wait_until_asked(headless);
    });
    headless.stop();
}

#[test]
fn nothing_is_typed_behind_the_question_whether_to_join() {
    let desk = AccountServer::start();
    desk.add("ann");
    let folder = tempfile::tempdir().unwrap();
    let mut headless = signed_in(&desk, folder.path(), "ann");
    import(&mut headless);
    // As at a start by a connection file, with the copy of the watchlist behind the question.
    headless.state.joined.as_ref().unwrap().joining.consent().store(false, Ordering::Release);
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        headless.key(Modifiers::NONE, Key::Tab);
        headless.typed(vec![Event::Text("secret".to_owned())]);
        headless.key(Modifiers::NONE, Key::ArrowDown);
        assert!(headless.window.grid.editor().is_none());
        seen.extend(headless.focused());
    }
    assert!(["Join", "Quit"].iter().all(|answer| seen.contains(*answer)), "{seen:?}");
    assert_eq!(headless.state.store.replica().unanswered_count(), 0);
    headless.stop();
}
