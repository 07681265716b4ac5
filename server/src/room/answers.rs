//! Cache of the answers to recent edits, so that a repeated edit gets its first answer again.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use sha2::{Digest, Sha256};
use shared::{edit::Change, ids::EditId, limits::MAX_KEPT_ANSWERS};

use super::command::Unreadable;
use crate::journal::{AnswerRecord, Sender, Verdict};

/// Maximum number of senders whose answers are cached. The answers of others are read from the journal again.
const MAX_CACHED_SENDERS: usize = 1024;

/// Result of looking up an edit's number.
pub(super) enum Recall {
    /// The edit was never judged.
    New,
    /// The same edit was judged before, with this verdict.
    Same(Verdict),
    /// An edit with the same number but other changes was judged before.
    Other,
    /// The edit is older than the answers that are kept.
    TooOld,
}

#[derive(Default)]
pub(super) struct Answers {
    senders: HashMap<Sender, SenderAnswers>,
    uses: u64,
}

/// One sender's answers, ordered by edit. There may be thousands of senders with thousands of answers each, so an answer
/// is small.
#[derive(Default)]
struct SenderAnswers {
    answers: VecDeque<KeptAnswer>,
    last_use: u64,
}

/// A cached answer.
struct KeptAnswer {
    edit: EditId,
    digest: [u8; 16],
    verdict: Verdict,
}

impl Answers {
    pub(super) fn is_cached(&self, sender: Sender) -> bool {
        self.senders.contains_key(&sender)
    }

    /// Caches the answers that the journal has of a sender, and evicts the least recently used sender if the cache is
    /// full.
    pub(super) fn load(&mut self, sender: Sender, records: Vec<AnswerRecord>) {
        if self.senders.len() >= MAX_CACHED_SENDERS
            && let Some(oldest) =
                self.senders.iter().min_by_key(|(_, answers)| answers.last_use).map(|(sender, _)| *sender)
        {
            self.senders.remove(&oldest);
        }
        let mut answers = SenderAnswers::default();
        records.iter().for_each(|record| answers.insert(record));
        answers.trim();
        self.senders.insert(sender, answers);
    }

    /// Returns the answer to an edit of a cached sender.
    pub(super) fn verdict(&self, sender: Sender, edit: EditId) -> Option<Verdict> {
        self.senders.get(&sender)?.get(edit).map(|kept| kept.verdict.clone())
    }

    pub(super) fn recall(&mut self, sender: Sender, edit: EditId, digest: &[u8; 16]) -> Recall {
        self.uses += 1;
        let Some(answers) = self.senders.get_mut(&sender) else { return Recall::New };
        answers.last_use = self.uses;
        match answers.get(edit) {
            Some(known) if known.digest == *digest => Recall::Same(known.verdict.clone()),
            Some(_) => Recall::Other,
            None if answers.is_full() && answers.first().is_some_and(|first| edit < first) => Recall::TooOld,
            None => Recall::New,
        }
    }

    /// Adds an answer. If there are as many as are kept, the oldest is evicted for it.
    pub(super) fn record(&mut self, record: &AnswerRecord) {
        let answers = self.senders.entry(record.sender).or_default();
        // Evict before inserting: growing past the limit would double the capacity.
        if answers.is_full() && answers.get(record.edit).is_none() {
            answers.answers.pop_front();
        }
        answers.insert(record);
    }

    /// Evicts a sender, one of whose answers did not reach the disk.
    pub(super) fn evict(&mut self, sender: Sender) {
        // The answers that were evicted for it are still in the journal, so all of them are read again.
        self.senders.remove(&sender);
    }
}

impl SenderAnswers {
    /// Whether the maximum number of answers is cached, so that older ones may have been evicted.
    fn is_full(&self) -> bool {
        self.answers.len() >= MAX_KEPT_ANSWERS
    }

    fn first(&self) -> Option<EditId> {
        self.answers.front().map(|first| first.edit)
    }

    fn get(&self, edit: EditId) -> Option<&KeptAnswer> {
        let index = self.answers.binary_search_by_key(&edit, |kept| kept.edit).ok()?;
        self.answers.get(index)
    }

    fn insert(&mut self, record: &AnswerRecord) {
        let AnswerRecord { edit, digest, verdict, .. } = record;
        let kept = KeptAnswer { edit: *edit, digest: *digest, verdict: verdict.clone() };
        match self.answers.binary_search_by_key(&record.edit, |kept| kept.edit) {
            Ok(index) => self.answers[index] = kept,
            Err(index) => self.answers.insert(index, kept),
        }
    }

    /// Evicts the oldest answers beyond the limit.
    fn trim(&mut self) {
        while self.answers.len() > MAX_KEPT_ANSWERS {
            self.answers.pop_front();
        }
    }
}

/// Returns a digest that distinguishes edits with the same number, and the encoded size of the changes in bytes.
pub(super) fn digest(changes: &Result<Vec<Change>, Unreadable>) -> ([u8; 16], usize) {
    let mut hasher = Hasher { sha: Sha256::new(), bytes: 0 };
    match changes {
        Ok(changes) => serde_json::to_writer(&mut hasher, changes).expect("changes are plain data"),
        Err(unreadable) => hasher.update(&unreadable.bytes),
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.sha.finalize()[..16]);
    (digest, hasher.bytes)
}

/// Hashes and counts what is written to it, so that an edit is not encoded only to be measured.
struct Hasher {
    sha: Sha256,
    bytes: usize,
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len();
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
