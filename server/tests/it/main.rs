//! The server against real sockets, a real disk and, in simulation, a hostile network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod command_line;
#[cfg(target_os = "linux")]
mod disk;
mod fuzz;
mod history;
mod hostile;
mod http_calls;
mod journal;
#[cfg(target_os = "linux")]
mod pressure;
mod program;
mod python_client;
mod sessions;
mod simulation;
mod support;
