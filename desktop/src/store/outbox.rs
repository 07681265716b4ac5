//! Unanswered edits on this machine's disk, so that they survive a restart and are applied once.
//!
//! Each outbox has its own client id and is locked by the process that uses it. Its file is a log of JSON
//! lines. To change its client id an outbox is replaced by a new file that names the old one, so that no edit
//! is in two outboxes.

mod locks;
mod log;
mod writer;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use shared::{
    ids::{ClientId, EditId},
    replica::KeptEdit,
};
use tracing::warn;
use uuid::Uuid;

use self::{
    locks::{data_path, delete_files, lock_unused, new_lock},
    log::{Line, LogContents, compacted, extend_notice},
    writer::Writer,
};
pub use self::{
    log::{KeptNotice, KeptNotices},
    writer::Clock,
};
use super::rest::RejectedValue;
use crate::files::WriteFile;

/// Size of the blocks in which edit numbers are reserved, so that a crash never leads to a reused number.
const BLOCK_SIZE: u64 = 1_000;

/// Content of an outbox when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// Client id of the outbox.
    pub client: ClientId,
    /// First unused edit number.
    pub next_edit: EditId,
    /// Unanswered edits, in order.
    pub kept: Vec<KeptEdit>,
    /// Notices about rejected edits.
    pub notices: KeptNotices,
}

/// An outbox in use by this process. A thread writes its lines, so that no window waits for the disk.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    client: ClientId,
    writer: Option<Writer>,
    reserved: EditId,
    /// First unused edit number.
    next_edit: EditId,
    /// The notices in the file.
    notices: KeptNotices,
    lock: File,
    clock: Clock,
    write_file: WriteFile,
}

impl Outbox {
    /// Opens an unused outbox of a folder, preferably one with unanswered edits, or creates a new one.
    /// `clock` is monotonic; retries of failed writes are timed by it.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: &Path, clock: Clock, write_file: WriteFile) -> io::Result<(Self, Contents)> {
        fs::create_dir_all(folder)?;
        let (client, lock, contents) = match lock_unused(folder)?.into_iter().next() {
            Some(found) => found,
            None => {
                let client = ClientId(Uuid::now_v7());
                (client, new_lock(folder, client)?, LogContents::default())
            }
        };
        let next_edit = contents.reserved.max(EditId(1));
        let reserved = EditId(next_edit.0 + BLOCK_SIZE);
        let kept: Vec<KeptEdit> = contents.kept.into_values().collect();
        let path = data_path(folder, client);
        let notices = contents.notices;
        write_file(&path, &compacted(contents.replaces, reserved, &kept, &notices))?;
        let writer = Some(Writer::start(&path, reserved, clock)?);
        let outbox = Self {
            folder: folder.to_owned(),
            client,
            writer,
            reserved,
            next_edit,
            notices: notices.clone(),
            lock,
            clock,
            write_file,
        };
        Ok((outbox, Contents { client, next_edit, kept, notices }))
    }

    /// Replaces the outbox by one of another client id, with the given unanswered edits, and deletes the old
    /// one.
    ///
    /// # Errors
    /// The folder cannot be written; edits are no longer kept then.
    pub fn renew(&mut self, client: ClientId, next_edit: EditId, kept: &[KeptEdit]) -> io::Result<()> {
        self.stop_writer();
        let reserved = EditId(next_edit.0 + BLOCK_SIZE);
        let path = data_path(&self.folder, client);
        let started = new_lock(&self.folder, client).and_then(|lock| {
            (self.write_file)(&path, &compacted(Some(self.client), reserved, kept, &self.notices))?;
            Ok((Writer::start(&path, reserved, self.clock)?, lock))
        });
        // Even on failure: its edits are sent under their new numbers and would otherwise be applied twice.
        delete_files(&self.folder, std::mem::replace(&mut self.client, client))?;
        let (writer, lock) = started?;
        (self.writer, self.lock, self.reserved, self.next_edit) = (Some(writer), lock, reserved, next_edit);
        Ok(())
    }

    /// Appends an edit, which is kept until it is answered.
    pub fn append(&mut self, edit: &KeptEdit) {
        self.next_edit = edit.edit.next();
        if edit.edit.0 + BLOCK_SIZE / 2 > self.reserved.0 {
            self.reserved = EditId(edit.edit.0 + BLOCK_SIZE);
            self.write(Line::Reserved(self.reserved));
        }
        self.write(Line::from(edit.clone()));
    }

    /// Removes an answered edit.
    pub fn remove(&mut self, edit: EditId) {
        self.write(Line::Answered(edit));
    }

    /// Keeps what a notice says about rejected edits, until it is dismissed: its text, and further values. Call
    /// it before the edits are removed.
    pub fn keep_notice(&mut self, notice: u64, text: &str, values: Vec<RejectedValue>) {
        extend_notice(&mut self.notices, notice, text.to_owned(), values.clone());
        self.write(Line::Rejected { notice, text: text.to_owned(), values });
    }

    /// Removes a notice, if it is kept.
    pub fn dismiss_notice(&mut self, notice: u64) {
        if self.notices.remove(&notice).is_some() {
            self.write(Line::Dismissed(notice));
        }
    }

    /// Returns why edits cannot be written, if they cannot.
    pub fn fault(&self) -> Option<String> {
        match &self.writer {
            Some(writer) => writer.fault(),
            None => Some("the outbox is closed".to_owned()),
        }
    }

    /// Returns whether the next edit's number is reserved on disk; an unreserved one could be reused after a
    /// crash.
    pub fn has_number(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| self.next_edit < writer.reserved())
    }

    /// Ends the thread that writes, as if the disk stayed full.
    #[cfg(test)]
    pub fn close_writer(&mut self) {
        self.writer = None;
    }

    fn write(&self, line: Line) {
        if !self.writer.as_ref().is_some_and(|writer| writer.write(line)) {
            warn!("failed to write to the outbox: it is closed");
        }
    }

    /// Stops the writer after it has written every queued line.
    fn stop_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.stop();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.stop_writer();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use shared::{
        edit::Change,
        ids::{RowId, WatchlistId},
    };

    use super::{log::append_line, *};

    fn open(folder: &Path) -> io::Result<(Outbox, Contents)> {
        Outbox::open(folder, std::time::Instant::now, server::files::write_atomically)
    }

    fn edit(number: u64) -> KeptEdit {
        let changes = vec![Change::remove(RowId(Uuid::from_u128(7)), None)];
        KeptEdit { edit: EditId(number), watchlist: WatchlistId(Uuid::from_u128(1)), changes }
    }

    #[test]
    fn unanswered_edits_are_restored_with_their_client_and_numbers_are_never_reused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, first) = open(folder.path()).unwrap();
        assert_eq!((first.next_edit, first.kept.len()), (EditId(1), 0));
        (1..=3).for_each(|number| outbox.append(&edit(number)));
        outbox.remove(EditId(2));
        drop(outbox);
        let (_outbox, second) = open(folder.path()).unwrap();
        assert_eq!(second.client, first.client);
        assert_eq!(second.kept, [edit(1), edit(3)]);
        assert!(second.next_edit > EditId(3));
    }

    #[test]
    fn two_processes_use_two_outboxes_and_a_truncated_line_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, of_one) = open(folder.path()).unwrap();
        let (two, of_two) = open(folder.path()).unwrap();
        assert_ne!(of_one.client, of_two.client);
        one.append(&edit(1));
        drop((one, two));
        let path = data_path(folder.path(), of_one.client);
        let mut file = File::options().append(true).open(path).unwrap();
        // Truncated within a character; the line after it is valid.
        let mut bytes = b"{\"kept\":{\"edit\":2,\"watch\xE2\x82\n".to_vec();
        append_line(&mut bytes, &Line::from(edit(3)));
        file.write_all(&bytes).unwrap();
        let (_again, contents) = open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (of_one.client, vec![edit(1), edit(3)]));
    }

    #[test]
    fn notices_are_kept_with_all_their_values_until_they_are_dismissed_also_under_another_client_id() {
        let value = |value: &str| RejectedValue {
            row: "MMM".to_owned(),
            column: "Price".to_owned(),
            value: value.to_owned(),
        };
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, _) = open(folder.path()).unwrap();
        outbox.keep_notice(3, "one", vec![value("1")]);
        outbox.keep_notice(3, "two", vec![value("2")]);
        outbox.keep_notice(4, "dismissed", vec![value("4")]);
        outbox.dismiss_notice(4);
        outbox.renew(ClientId(Uuid::now_v7()), EditId(1), &[]).unwrap();
        outbox.keep_notice(5, "three", Vec::new());
        drop(outbox);
        // Among several, an outbox with notices is opened first.
        let other = ClientId(Uuid::from_u128(1));
        fs::write(data_path(folder.path(), other), "").unwrap();
        let (_outbox, contents) = open(folder.path()).unwrap();
        let kept = |text: &str, values| KeptNotice { text: text.to_owned(), values };
        let expected = [(3, kept("two", vec![value("1"), value("2")])), (5, kept("three", Vec::new()))];
        assert_eq!(contents.notices, expected.into());
    }

    #[test]
    fn edits_move_to_another_client_id_and_are_never_in_two_outboxes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, old) = open(folder.path()).unwrap();
        outbox.append(&edit(1));
        outbox.stop_writer();
        let before = fs::read(data_path(folder.path(), old.client)).unwrap();
        let new = ClientId(Uuid::now_v7());
        outbox.renew(new, EditId(6), &[edit(5)]).unwrap();
        outbox.append(&edit(6));
        drop(outbox);
        // As after a crash between writing the new file and deleting the old one.
        fs::write(data_path(folder.path(), old.client), before).unwrap();
        let (first, contents) = open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (new, vec![edit(5), edit(6)]));
        let (_second, contents) = open(folder.path()).unwrap();
        assert_eq!(contents.kept, [], "the old outbox is deleted");
        assert!(contents.client != old.client && contents.client != new);
        drop(first);
    }
}
