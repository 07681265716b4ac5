//! Runs work that may take milliseconds without delaying the other tasks of its thread.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// Number of bytes of a message from which on decoding it is long.
pub const LONG_BYTES: usize = 32 * 1024;
/// Number of changes from which on judging or encoding them is long.
pub const LONG_CHANGES: usize = 256;

/// Highest number of threads for long work.
const MAX_THREADS: usize = 4;

/// Threads for long work; `None` if the system cannot start any. They are few and stay the same, because an
/// allocator keeps memory for each thread that ever needed much of it.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let pool =
        ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("long-work-{index}")).build();
    pool.inspect_err(|error| tracing::warn!(%error, "cannot start threads for long work")).ok()
});

/// Does work. If it is long, a thread for long work does it, and another thread takes over the tasks of this
/// worker thread; on a runtime with one thread they wait.
pub fn run<T: Send>(is_long: bool, work: impl FnOnce() -> T + Send) -> T {
    let has_workers =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if !is_long || !has_workers() {
        return work();
    }
    block_in_place(|| match &*THREADS {
        Some(threads) => threads.install(work),
        None => work(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn other_tasks_of_the_only_worker_go_on_during_long_work() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (sender, receiver) = mpsc::sync_channel(1);
        let working = runtime.spawn(async move {
            tokio::spawn(async move { sender.send(()).unwrap() });
            // This ends only once the other task has run.
            run(true, move || receiver.recv().unwrap());
        });
        runtime.block_on(working).unwrap();
    }

    #[test]
    fn work_is_done_on_any_thread() {
        assert_eq!((run(true, || 1), run(false, || 2)), (1, 2));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { run(true, || 3) }), 3);
    }
}
