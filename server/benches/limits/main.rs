//! Measures what must hold whatever the load, and says what does not: the journal's cost and speed, a herd of
//! clients that come back, and the memory of connections and after the largest messages.
//!
//! `cargo bench -p server --bench limits -- 10240` starts with a journal of 10,240 MiB; without a number, of
//! 1,024 MiB. `-- database` measures only the database that AFTERGLOW_BENCH_DATABASE names.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on any error"
)]
#![expect(unreachable_pub, reason = "a benchmark has no public API")]

#[path = "../connection.rs"]
mod connection;
mod herd;
mod journal;
mod memory;
#[path = "../process.rs"]
mod process;
mod report;

use std::process::ExitCode;

use self::report::Report;

fn main() -> ExitCode {
    let mebibytes = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1_024);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut report = Report::default();
    let is_only_database = std::env::args().any(|argument| argument == "database");
    runtime.block_on(async {
        if is_only_database {
            return journal::measure_database(&mut report).await;
        }
        herd::measure(&mut report).await;
        memory::measure(&mut report).await;
        journal::measure(mebibytes, &mut report).await;
    });
    report.exit_code()
}
