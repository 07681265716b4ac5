//! Integration tests of the desktop: headless windows, the grid and panels through the accessibility tree,
//! and the real program under Xvfb, driven by `xdotool` and read back by pixel.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]
#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod account_server;
mod assistive;
mod calc;
mod copied_outbox;
mod deleted;
mod dropped_file;
mod embedded;
mod focus;
mod grid;
mod headless;
mod history;
mod joining;
mod morning;
mod painter;
mod reaching;
mod retrying;
mod rounds;
mod screen;
#[path = "../../../server/tests/it/served.rs"]
mod served;
mod server_says;
mod shared_server;
mod shortcuts;
mod signing_in;
mod support;
mod window_keys;
mod windows;
