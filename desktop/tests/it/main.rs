//! The program itself, in real windows under Xvfb, as a person uses it: typed into with `xdotool`, and read
//! back pixel by pixel.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod calc;
mod copied_outbox;
mod dropped_file;
mod embedded;
mod grid;
mod headless;
mod history;
mod joining;
mod morning;
mod painter;
mod rounds;
mod screen;
mod server_says;
mod shared_server;
mod support;
mod windows;
