//! Two desktops on one server.

use std::time::{Duration, Instant};

use server::{
    accounts::{TOKEN_FILE, read_token},
    client::Client,
};

use crate::{
    screen::{Pixel, Screen, row, wait_for},
    support::{ServerProcess, desktop, import_companies, price_of, revision_of},
};

/// An x coordinate between the texts of the company and the price.
const COLUMN: i32 = 300;

/// The ground of a row in the dark theme.
const GROUND: Pixel = [0x0F, 0x12, 0x17];

fn is_glowing([red, green, blue]: Pixel) -> bool {
    red > 60 && green > 50 && blue < 40 && red > blue + 40
}

/// Returns the strength of the glow, 0 to 1, from the red channel of a pixel in the dark theme.
fn strength([red, _, _]: Pixel) -> f64 {
    let (ground, glow) = (f64::from(GROUND[0]), f64::from(0xFF));
    (f64::from(red) - ground) / (glow - ground)
}

#[test]
fn an_edit_glows_in_the_other_window_and_survives_a_crash_of_the_server() {
    let Some(screen) = Screen::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (served, a_data, b_data) =
        (folder.path().join("server"), folder.path().join("a"), folder.path().join("b"));
    let list = import_companies(&served);
    let mut server = ServerProcess::start(&served, "127.0.0.1:0");
    let address = server.address().to_owned();
    let token_file = served.join(TOKEN_FILE);
    let remote = Client::new(&server.base, &read_token(&token_file).unwrap());
    let join =
        ["--connect", &server.base.clone(), "--token-file", token_file.to_str().unwrap()].map(str::to_owned);
    let join: Vec<&str> = join.iter().map(String::as_str).collect();
    let (a, b) = (desktop(&screen, &a_data, &join), desktop(&screen, &b_data, &join));
    let window_a = screen.place(a.id(), [0, 0, 720, 560]);
    let window_b = screen.place(b.id(), [740, 0, 720, 560]);
    let (in_a, in_b) = (window_a.spot(COLUMN, row(1)), window_b.spot(COLUMN, row(1)));
    let plain = GROUND;
    wait_for("both windows to be drawn", || (in_a() == plain && in_b() == plain).then_some(()));

    window_a.go_to_price(1);
    window_a.text("30.25");
    window_a.keys(&["Return"]);
    let arrived = wait_for("the glow in B", || is_glowing(in_b()).then(Instant::now));
    let (mut samples, mut glowed_in_a) = (Vec::new(), false);
    while arrived.elapsed() < Duration::from_millis(2_400) {
        let before = arrived.elapsed();
        let pixel = in_b();
        samples.push((before.as_secs_f64(), strength(pixel), pixel));
        glowed_in_a |= is_glowing(in_a());
        std::thread::park_timeout(Duration::from_millis(15));
    }
    assert!(!glowed_in_a, "the window that made the edit must not glow");
    check_curve(&samples, plain);
    wait_for("the edit on the server", || {
        (price_of(&remote, list, "AA").as_deref() == Some("30.25")).then_some(())
    });

    let before = revision_of(&remote, list);
    server.kill();
    wait_for("the server to be unreachable", || price_of(&remote, list, "AA").is_none().then_some(()));
    window_a.text("31.5");
    window_a.keys(&["Return"]);
    let _server = ServerProcess::start(&served, &address);
    wait_for("the edit made while offline", || {
        (price_of(&remote, list, "AXP").as_deref() == Some("31.5")).then_some(())
    });
    let third_row = window_b.spot(COLUMN, row(2));
    wait_for("the glow in B after the restart", || is_glowing(third_row()).then_some(()));
    assert_eq!(revision_of(&remote, list), before + 1, "the edit is applied once");
    assert_eq!(price_of(&remote, list, "AA").as_deref(), Some("30.25"), "accepted edits survive");
}

/// Checks that the glow fades by the square: full at first, a quarter after one second, gone after two.
fn check_curve(samples: &[(f64, f64, Pixel)], plain: Pixel) {
    assert!(samples.len() > 20, "only {} samples", samples.len());
    // A frame without a graphics card takes up to 0.125 s, and sampling a little longer.
    let curve = |seconds: f64| (1.0 - (seconds / 2.0).min(1.0)).powi(2);
    let peak = samples.iter().map(|(_, strength, _)| *strength).fold(0.0, f64::max);
    assert!(peak > 0.85, "the glow never reaches full strength: {peak}");
    for (seconds, strength, _) in samples {
        let (earlier, later) = (curve((seconds - 0.15).max(0.0)), curve(seconds + 0.15));
        assert!(
            (later - 0.15..=earlier + 0.15).contains(strength),
            "{strength:.3} after {seconds:.3} s instead of {:.3}",
            curve(*seconds)
        );
    }
    let at_one = samples.iter().min_by(|a, b| (a.0 - 1.0).abs().total_cmp(&(b.0 - 1.0).abs())).unwrap();
    assert!((at_one.1 - 0.25).abs() <= 0.15, "{:.3} after {:.3} s", at_one.1, at_one.0);
    let last = samples.last().unwrap();
    assert_eq!(last.2, plain, "the glow ends after two seconds");
}
