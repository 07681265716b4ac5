//! Where a user's data folder is unless a setting names another.

use std::path::PathBuf;

/// Returns this user's data folder by the conventions of the platform, or `None` for a user without a home
/// folder.
pub fn default_data_dir() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "afterglow")?;
    Some(folders.data_dir().to_owned())
}
