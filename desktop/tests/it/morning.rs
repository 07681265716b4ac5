//! A longer session in a real window by keyboard alone, and windows restored after a restart and a crash.

use desktop::settings::Workspace;
use server::client::Client;
use shared::ids::WatchlistId;

use crate::{
    screen::{Screen, Window, wait_for},
    support::desktop,
};

const SYMBOLS: [(&str, &str); 10] = [
    ("NVDA", "171.25"),
    ("MSFT", "502.4"),
    ("AAPL", "231"),
    ("AMZN", "225.1"),
    ("META", "702.35"),
    ("AVGO", "340"),
    ("TSLA", "412.8"),
    ("JPM", "301.5"),
    ("LLY", "880"),
    ("V", "345.65"),
];
const PLACE: [i32; 4] = [0, 0, 1_200, 700];
/// The rows without the bars, one of which shows the changing round trip.
const ROWS: [u16; 4] = [0, 62, 1_200, 600];

/// Runs a command through the command palette.
fn command(window: &Window<'_>, name: &str) {
    window.keys(&["ctrl+k"]);
    window.text(name);
    window.keys(&["Return"]);
}

#[test]
fn a_key_closes_one_of_two_windows() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = desktop(&screen, folder.path(), &[]);
    let window = screen.place(program.id(), PLACE);
    window.keys(&["ctrl+n"]);
    wait_for("the second window", || (screen.windows_of(program.id()) == 2).then_some(()));
    window.keys(&["ctrl+w"]);
    wait_for("one window", || (screen.windows_of(program.id()) == 1).then_some(()));
}

fn make_list(window: &Window<'_>, name: &str) {
    command(window, "new watchlist");
    window.text(name);
    window.keys(&["Return"]);
    window.wait_for_list(name);
}

/// Returns symbol and price of each row on the server.
fn rows(remote: &Client, list: WatchlistId) -> Vec<(String, String)> {
    let csv = String::from_utf8(remote.csv(list).unwrap()).unwrap();
    let cell = |line: &str, index: usize| line.split(',').nth(index).unwrap_or_default().to_owned();
    csv.lines().skip(1).map(|line| (cell(line, 0), cell(line, 2))).collect()
}

fn wait_for_rows(remote: &Client, list: WatchlistId, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(symbol, price)| ((*symbol).to_owned(), (*price).to_owned())).collect();
    let mut seen = Vec::new();
    wait_for(&format!("the rows {expected:?}"), || {
        seen = rows(remote, list);
        (seen == expected).then_some(())
    });
}

fn list_named(remote: &Client, name: &str) -> WatchlistId {
    wait_for(name, || {
        let lists = remote.list().ok()?.list;
        lists.iter().find(|summary| &*summary.name == name).map(|summary| summary.watchlist)
    })
}

#[test]
fn a_session_by_keyboard_alone_is_restored_after_a_restart() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut process = desktop(&screen, folder.path(), &[]);
    let window = screen.place(process.id(), PLACE);
    let remote = wait_for("the embedded server", || server::folder::find_server(folder.path()));
    make_list(&window, "Morning");
    let morning = list_named(&remote, "Morning");
    // Enters ten symbols and their prices.
    for (symbol, _) in SYMBOLS {
        window.text(symbol);
        window.keys(&["Return"]);
    }
    window.keys(&["ctrl+Home", "Right", "Right"]);
    for (_, price) in SYMBOLS {
        window.text(price);
        window.keys(&["Return"]);
    }
    wait_for_rows(&remote, morning, &SYMBOLS);
    // Sorts by price, filters by a minimum price and copies the rows to another list.
    window.keys(&["ctrl+Home", "Right", "Right", "ctrl+shift+s", "ctrl+shift+l"]);
    window.text(">340");
    window.keys(&["Return", "ctrl+a", "ctrl+c"]);
    make_list(&window, "Expensive");
    let expensive = list_named(&remote, "Expensive");
    window.keys(&["ctrl+v", "Return"]);
    let sorted = [("V", "345.65"), ("TSLA", "412.8"), ("MSFT", "502.4"), ("META", "702.35"), ("LLY", "880")];
    wait_for_rows(&remote, expensive, &sorted);
    // Removes a row and undoes that.
    window.keys(&["ctrl+Home", "ctrl+Delete"]);
    wait_for_rows(&remote, expensive, &sorted[1..]);
    window.keys(&["ctrl+z"]);
    wait_for_rows(&remote, expensive, &sorted);
    // Returns to the first list and closes there; the restart restores the same picture.
    window.keys(&["ctrl+Prior"]);
    window.wait_for_list("Morning");
    window.keys(&["Down"]);
    let before = wait_for("a stable picture", || {
        let picture = window.picture(ROWS);
        std::thread::park_timeout(std::time::Duration::from_millis(700));
        (picture == window.picture(ROWS)).then_some(picture)
    });
    window.close();
    process.wait();
    let mut process = desktop(&screen, folder.path(), &[]);
    let window = screen.place_showing(process.id(), "Morning", PLACE);
    wait_for("the same picture", || (window.picture(ROWS) == before).then_some(()));
    window.close();
    process.wait();
}

#[test]
fn all_windows_are_restored_after_a_crash() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut process = desktop(&screen, folder.path(), &[]);
    let window = screen.place(process.id(), PLACE);
    window.keys(&["ctrl+n"]);
    wait_for("another window", || (screen.windows_of(process.id()) == 2).then_some(()));
    window.keys(&["ctrl+Home", "Down", "Right", "Right", "ctrl+shift+s"]);
    let saved =
        || Workspace::read(&folder.path().join("workspace.json")).unwrap().unwrap_or_default().windows;
    let before = wait_for("the saved state of both windows", || {
        let windows = saved();
        let is_sorted = windows.iter().any(|window| window.grids.values().any(|grid| !grid.sort.is_empty()));
        let are_placed =
            windows.iter().all(|window| window.watchlist.is_some() && !window.cursors.is_empty());
        (windows.len() == 2 && is_sorted && are_placed).then_some(windows)
    });
    process.kill();
    let mut process = desktop(&screen, folder.path(), &[]);
    wait_for("both windows", || (screen.windows_of(process.id()) == 2).then_some(()));
    // The restored windows save the same state.
    std::thread::park_timeout(std::time::Duration::from_secs(3));
    assert_eq!(saved(), before);
    // Quitting all windows at once saves the same state, too.
    screen.any_of(process.id()).keys(&["ctrl+q"]);
    process.wait();
    assert_eq!(saved(), before);
}
