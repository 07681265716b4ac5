//! The embedded server: one desktop serves, the others join, and when it ends another takes over.

use std::{path::Path, time::Duration};

use server::client::Client;
use shared::ids::WatchlistId;

use crate::{
    screen::{Screen, wait_for},
    support::{desktop, price_of, revision_of},
};

fn served(data_dir: &Path) -> Client {
    wait_for("the embedded server", || server::folder::find_server(data_dir))
}

fn companies(data_dir: &Path) -> WatchlistId {
    wait_for("the starting list", || {
        let list = served(data_dir).list().ok()?.list;
        let found = list.iter().find(|summary| &*summary.name == "Companies" && summary.rows == 20)?;
        Some(found.watchlist)
    })
}

#[test]
fn another_process_takes_over_when_the_serving_one_is_closed_or_killed() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    for kill in [false, true] {
        let mut first = desktop(&screen, &data_dir, &[]);
        let list = companies(&data_dir);
        let window = screen.place(first.id(), [0, 0, 720, 560]);
        let base = served(&data_dir).base().to_owned();
        let mut second = desktop(&screen, &data_dir, &[]);
        let other = screen.place(second.id(), [740, 0, 720, 560]);
        assert_eq!(served(&data_dir).base(), base, "the second process joins the first");
        let price = if kill { "80.5" } else { "79.5" };
        window.go_to_price(0);
        window.text(price);
        window.keys(&["Return"]);
        wait_for("the edit", || {
            (price_of(&served(&data_dir), list, "MMM").as_deref() == Some(price)).then_some(())
        });
        let revision = revision_of(&served(&data_dir), list);
        if kill {
            // Kills it while a cell is being edited; that text was never sent.
            window.text("99");
            first.kill();
        } else {
            window.close();
            first.wait();
        }
        let started = std::time::Instant::now();
        let next = wait_for("another server", || {
            server::folder::find_server(&data_dir).filter(|remote| remote.base() != base)
        });
        assert!(started.elapsed() < Duration::from_secs(2), "taken over after {:?}", started.elapsed());
        assert_eq!(price_of(&next, list, "MMM").as_deref(), Some(price), "accepted edits survive");
        assert_eq!(revision_of(&next, list), revision);
        let target = if kill { "90.5" } else { "89.5" };
        other.go_to_price(0);
        other.text(target);
        other.keys(&["Return"]);
        wait_for("an edit on the new server", || {
            (price_of(&next, list, "MMM").as_deref() == Some(target)).then_some(())
        });
        other.close();
        second.wait();
    }
}
