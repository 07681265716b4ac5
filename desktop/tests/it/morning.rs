//! A morning's work in a real window, by keyboard alone; and everything is found in its place again, also after a crash.

use desktop::settings::Workspace;
use server::remote::Remote;
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
/// The rows, without the bars above and below, which tell the time that an answer takes.
const ROWS: [u16; 4] = [0, 62, 1_200, 600];

/// Has something done by its name.
fn command(window: &Window<'_>, name: &str) {
    window.keys(&["ctrl+k"]);
    window.text(name);
    window.keys(&["Return"]);
}

fn make_list(window: &Window<'_>, name: &str) {
    command(window, "new watchlist");
    window.text(name);
    window.keys(&["Return"]);
    window.wait_for_list(name);
}

/// The lines of a watchlist as the server has it, without the header; symbol and price of each.
fn rows(remote: &Remote, list: WatchlistId) -> Vec<(String, String)> {
    let csv = String::from_utf8(remote.csv(list).unwrap()).unwrap();
    let cell = |line: &str, index: usize| line.split(',').nth(index).unwrap_or_default().to_owned();
    csv.lines().skip(1).map(|line| (cell(line, 0), cell(line, 2))).collect()
}

fn wait_for_rows(remote: &Remote, list: WatchlistId, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(symbol, price)| ((*symbol).to_owned(), (*price).to_owned())).collect();
    let mut seen = Vec::new();
    wait_for(&format!("the rows {expected:?}"), || {
        seen = rows(remote, list);
        (seen == expected).then_some(())
    });
}

fn list_named(remote: &Remote, name: &str) -> WatchlistId {
    wait_for(name, || {
        let lists = remote.list().ok()?.list;
        lists.iter().find(|summary| &*summary.name == name).map(|summary| summary.watchlist)
    })
}

#[test]
fn a_mornings_work_by_keyboard_alone() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut process = desktop(&screen, folder.path(), &[]);
    let window = screen.place(process.id(), PLACE);
    let remote = wait_for("the embedded server", || Remote::of_folder(folder.path()));
    make_list(&window, "Morning");
    let morning = list_named(&remote, "Morning");
    // A list of ten symbols, and their prices.
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
    // Sorted by price, the dear ones alone, and copied to another list.
    window.keys(&["ctrl+Home", "Right", "Right", "ctrl+shift+s", "ctrl+shift+l"]);
    window.text(">340");
    window.keys(&["Return", "ctrl+a", "ctrl+c"]);
    make_list(&window, "Dear");
    let dear = list_named(&remote, "Dear");
    window.keys(&["ctrl+v", "Return"]);
    let sorted = [("V", "345.65"), ("TSLA", "412.8"), ("MSFT", "502.4"), ("META", "702.35"), ("LLY", "880")];
    wait_for_rows(&remote, dear, &sorted);
    // A row too many is removed, and brought back.
    window.keys(&["ctrl+Home", "ctrl+Delete"]);
    wait_for_rows(&remote, dear, &sorted[1..]);
    window.keys(&["ctrl+z"]);
    wait_for_rows(&remote, dear, &sorted);
    // Back to the first list, closed there, and everything is found in place.
    window.keys(&["ctrl+Prior"]);
    window.wait_for_list("Morning");
    window.keys(&["Down"]);
    let before = wait_for("a picture that stays", || {
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
fn all_windows_come_back_as_they_were_after_a_crash() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut process = desktop(&screen, folder.path(), &[]);
    let window = screen.place(process.id(), PLACE);
    window.keys(&["ctrl+n"]);
    wait_for("another window", || (screen.windows_of(process.id()) == 2).then_some(()));
    window.keys(&["ctrl+Home", "Down", "Right", "Right", "ctrl+shift+s"]);
    let saved =
        || Workspace::read(&folder.path().join("workspace.json")).unwrap().unwrap_or_default().windows;
    let before = wait_for("what is remembered of both", || {
        let windows = saved();
        let is_sorted = windows.iter().any(|window| window.grids.values().any(|grid| !grid.sort.is_empty()));
        let are_placed =
            windows.iter().all(|window| window.watchlist.is_some() && !window.cursors.is_empty());
        (windows.len() == 2 && is_sorted && are_placed).then_some(windows)
    });
    process.kill();
    let mut process = desktop(&screen, folder.path(), &[]);
    wait_for("both windows", || (screen.windows_of(process.id()) == 2).then_some(()));
    // Whatever they say of themselves now is what they were.
    std::thread::park_timeout(std::time::Duration::from_secs(3));
    assert_eq!(saved(), before);
    // And so they do after they were all ended at once.
    screen.any_of(process.id()).keys(&["ctrl+q"]);
    process.wait();
    assert_eq!(saved(), before);
}
