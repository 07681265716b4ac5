//! Tests of the server with real sockets and a real disk, and in a simulation with a faulty network and disk.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]
#![expect(unreachable_pub, reason = "a test binary has no public API")]

mod accounts;
mod answering;
mod appending;
mod behind_nginx;
mod checking;
mod command_line;
#[cfg(unix)]
mod database;
#[cfg(target_os = "linux")]
mod disk;
mod expiry;
mod failing_journal;
mod fuzz;
mod history;
mod hostile;
mod hostile_client;
mod http_calls;
mod http_limits;
mod idle;
mod journal;
mod journals;
mod keeping;
mod linearizable;
mod managing;
#[cfg(unix)]
mod migrating;
#[cfg(unix)]
mod postgres;
#[cfg(target_os = "linux")]
mod pressure;
mod program;
mod python_client;
mod served;
mod sessions;
mod simulation;
mod stored;
mod subscribing;
mod support;
mod tls;
mod tls_client;
mod token;
mod two_writers;
mod upgrading;
mod upkeep;
mod waiting;
