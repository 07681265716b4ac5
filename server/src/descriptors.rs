//! The number of files and connections that the system lets this process open.

/// Raises the limit of open files as far as this process may, and returns it.
#[cfg(unix)]
pub fn raise_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Returns `usize::MAX`: this system has no such limit.
#[cfg(not(unix))]
pub fn raise_limit() -> usize {
    usize::MAX
}
