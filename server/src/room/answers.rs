//! The answers that a room remembers, so that an edit sent again gets its first one.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};
use shared::{
    edit::{Change, Rejection},
    ids::{EditId, Revision},
    limits::ANSWERS_KEPT,
};

use super::Unreadable;
use crate::journal::{AnswerRecord, Sender, Verdict};

/// Senders whose answers are held in memory; the others are read again when they come back.
const SENDERS_HELD: usize = 1024;

/// What is remembered of an edit's number.
pub(super) enum Memory {
    /// It was never judged.
    New,
    /// It was judged so, and is the same edit.
    Same(Verdict),
    /// It was judged with other changes.
    Other,
    /// It is older than what is kept.
    Forgotten,
}

#[derive(Default)]
pub(super) struct Answers {
    senders: HashMap<Sender, OfSender>,
    uses: u64,
}

/// One sender's answers, by edit. There may be thousands of senders with thousands of answers each: they are small.
#[derive(Default)]
struct OfSender {
    answers: VecDeque<Held>,
    last_use: u64,
}

/// An answer that is held.
struct Held {
    edit: EditId,
    digest: [u8; 16],
    answer: HeldVerdict,
}

enum HeldVerdict {
    Accepted(Revision),
    Rejected(Box<Rejection>),
}

impl Held {
    fn new(record: &AnswerRecord) -> Self {
        let answer = match &record.verdict {
            Verdict::Accepted(revision) => HeldVerdict::Accepted(*revision),
            Verdict::Rejected(rejection) => HeldVerdict::Rejected(Box::new(rejection.clone())),
        };
        Self { edit: record.edit, digest: record.digest, answer }
    }

    fn verdict(&self) -> Verdict {
        match &self.answer {
            HeldVerdict::Accepted(revision) => Verdict::Accepted(*revision),
            HeldVerdict::Rejected(rejection) => Verdict::Rejected((**rejection).clone()),
        }
    }
}

impl Answers {
    pub(super) fn holds(&self, sender: Sender) -> bool {
        self.senders.contains_key(&sender)
    }

    /// Takes what the journal has of a sender.
    pub(super) fn load(&mut self, sender: Sender, records: Vec<AnswerRecord>) {
        if self.senders.len() >= SENDERS_HELD
            && let Some(oldest) =
                self.senders.iter().min_by_key(|(_, held)| held.last_use).map(|(sender, _)| *sender)
        {
            self.senders.remove(&oldest);
        }
        let mut held = OfSender::default();
        records.iter().for_each(|record| held.insert(record));
        held.trim();
        self.senders.insert(sender, held);
    }

    /// How an edit of a sender that is held was answered.
    pub(super) fn verdict(&self, sender: Sender, edit: EditId) -> Option<Verdict> {
        self.senders.get(&sender)?.get(edit).map(Held::verdict)
    }

    pub(super) fn recall(&mut self, sender: Sender, edit: EditId, digest: &[u8; 16]) -> Memory {
        self.uses += 1;
        let Some(held) = self.senders.get_mut(&sender) else { return Memory::New };
        held.last_use = self.uses;
        match held.get(edit) {
            Some(known) if known.digest == *digest => Memory::Same(known.verdict()),
            Some(_) => Memory::Other,
            None if held.is_full() && held.first().is_some_and(|first| edit < first) => Memory::Forgotten,
            None => Memory::New,
        }
    }

    /// Remembers an answer; gives the number below which the sender's are no longer kept, where that is new.
    pub(super) fn remember(&mut self, record: &AnswerRecord) -> Option<EditId> {
        let held = self.senders.entry(record.sender).or_default();
        // Before it grows: it would take twice the room.
        let is_forgotten = held.is_full() && held.get(record.edit).is_none();
        if is_forgotten {
            held.answers.pop_front();
        }
        held.insert(record);
        held.first().filter(|_| is_forgotten)
    }

    /// Takes a remembered answer back: it did not reach the disk.
    pub(super) fn unlearn(&mut self, sender: Sender) {
        // What was trimmed for it is in the journal still, so the sender is read again.
        self.senders.remove(&sender);
    }
}

impl OfSender {
    /// Whether as many are held as are kept: older ones may have been answered and be forgotten.
    fn is_full(&self) -> bool {
        self.answers.len() >= ANSWERS_KEPT
    }

    fn first(&self) -> Option<EditId> {
        self.answers.front().map(|first| first.edit)
    }

    fn get(&self, edit: EditId) -> Option<&Held> {
        let index = self.answers.binary_search_by_key(&edit, |held| held.edit).ok()?;
        self.answers.get(index)
    }

    fn insert(&mut self, record: &AnswerRecord) {
        let held = Held::new(record);
        match self.answers.binary_search_by_key(&record.edit, |held| held.edit) {
            Ok(index) => self.answers[index] = held,
            Err(index) => self.answers.insert(index, held),
        }
    }

    /// Forgets the oldest beyond what is kept.
    fn trim(&mut self) {
        while self.answers.len() > ANSWERS_KEPT {
            self.answers.pop_front();
        }
    }
}

/// Tells an edit from another under the same number; with it the bytes that its changes take once written.
pub(super) fn digest(changes: &Result<Vec<Change>, Unreadable>) -> ([u8; 16], usize) {
    let written = match changes {
        Ok(changes) => serde_json::to_vec(changes).expect("changes are plain data"),
        Err(unreadable) => unreadable.bytes.clone(),
    };
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(&written)[..16]);
    (digest, written.len())
}
