//! Paths that a person types, and the type of the server's `write_atomically`, which `app` passes to the
//! modules that save files.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// Replaces a file by one with the given bytes. After a crash it has either the old bytes or the new ones. No
/// two processes may write the same file at once.
pub type WriteFile = fn(&Path, &[u8]) -> io::Result<()>;

/// Returns the path that a person has typed. `~` is their home folder, and a relative path starts there.
pub fn typed_path(text: &str) -> PathBuf {
    let text = text.trim();
    let in_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    let path = in_home.map_or(text, |rest| rest.trim_start_matches(['/', '\\']));
    match env::home_dir() {
        // An absolute path replaces the folder that it is joined to.
        Some(home) => home.join(path),
        None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_at_the_start_is_the_home_folder() {
        let home = env::home_dir().unwrap();
        for (text, path) in [
            ("~/desk/core.csv", home.join("desk/core.csv")),
            (" ~ ", home.clone()),
            ("/tmp/~/core.csv", PathBuf::from("/tmp/~/core.csv")),
            ("~ann/core.csv", home.join("~ann/core.csv")),
            ("core.csv", home.join("core.csv")),
        ] {
            assert_eq!(typed_path(text), path, "{text}");
        }
    }
}
