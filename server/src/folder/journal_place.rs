//! Where the journal of a data folder is, if it is not in the folder. Without this record a program that does not
//! name the database would serve an empty journal in its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    files::{remove_if_exists, write_atomically},
    journal::sqlite,
};

/// Name of the file that holds the place.
const FILE: &str = "journal.place";

/// Why a journal does not belong to a data folder.
#[derive(Debug, thiserror::Error)]
pub enum JournalPlaceError {
    /// The journal is in a database.
    #[error(
        "the journal of the data folder {} is the database {known}: name it with --journal or AFTERGLOW_JOURNAL, or remove \
         the file {FILE} if it is no longer there",
        folder.display()
    )]
    Elsewhere {
        /// The data folder.
        folder: PathBuf,
        /// The database of the journal.
        known: String,
    },
    /// The journal is in the folder.
    #[error(
        "the data folder {} has a journal of its own, {}: choose another folder for a journal in a database",
        folder.display(),
        sqlite::FILE
    )]
    Here {
        /// The data folder.
        folder: PathBuf,
    },
    /// The record cannot be read or written.
    #[error("the file {FILE} in the data folder cannot be read or written")]
    Unusable(#[from] io::Error),
}

/// Checks that the journal of a data folder is in a database, or in the folder if there is none.
///
/// # Errors
/// See [`JournalPlaceError`]. Nothing is changed.
pub fn check_journal_place(folder: &Path, database: Option<&str>) -> Result<(), JournalPlaceError> {
    match (database_of(folder)?, database) {
        (Some(known), database) if database != Some(known.as_str()) => {
            Err(JournalPlaceError::Elsewhere { folder: folder.to_owned(), known })
        }
        (None, Some(_)) if folder.join(sqlite::FILE).exists() => {
            Err(JournalPlaceError::Here { folder: folder.to_owned() })
        }
        (Some(_), _) | (None, _) => Ok(()),
    }
}

/// Returns the database that has the journal of a data folder, if one has.
///
/// # Errors
/// The record cannot be read.
pub(super) fn database_of(folder: &Path) -> Result<Option<String>, JournalPlaceError> {
    match fs::read_to_string(folder.join(FILE)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Records that the journal of a data folder is in a database.
///
/// # Errors
/// The folder cannot be written.
pub fn set_journal_place(folder: &Path, database: &str) -> Result<(), JournalPlaceError> {
    if database_of(folder)?.as_deref() == Some(database) {
        return Ok(());
    }
    Ok(write_atomically(&folder.join(FILE), format!("{database}\n").as_bytes())?)
}

/// Records that the journal of a data folder is in the folder.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn forget_journal_place(folder: &Path) -> Result<(), JournalPlaceError> {
    Ok(remove_if_exists(&folder.join(FILE))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_used_only_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let check =
            |database| check_journal_place(folder.path(), database).map_err(|error| error.to_string());
        assert_eq!((check(None), check(Some("a at b:1"))), (Ok(()), Ok(())));
        set_journal_place(folder.path(), "a at b:1").unwrap();
        assert_eq!(check(Some("a at b:1")), Ok(()));
        for other in [None, Some("a at c:1")] {
            assert!(check(other).unwrap_err().contains("is the database a at b:1: name it with --journal"));
        }
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::write(folder.path().join(sqlite::FILE), "").unwrap();
        assert_eq!(check(None), Ok(()));
        assert!(check(Some("a at b:1")).unwrap_err().contains("has a journal of its own"));
    }
}
