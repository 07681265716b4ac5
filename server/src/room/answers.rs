//! Cache of the answers to recent edits, so that a repeated edit gets its first answer again.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use sha2::{Digest, Sha256};
use shared::{
    edit::Change,
    ids::{EditId, Revision},
    limits::MAX_KEPT_ANSWERS,
};

use super::command::Unreadable;
use crate::journal::{AnswerRecord, Sender, Verdict};

/// Maximum number of senders whose answers are cached. The answers of others are read from the journal again.
const MAX_CACHED_SENDERS: usize = 1024;

/// Result of looking up an edit's number.
pub(super) enum Recall {
    /// The edit was never judged.
    New,
    /// The same edit was judged before, with this result.
    Same(Kept),
    /// An edit with the same number but other changes was judged before.
    Other,
    /// The edit is older than the answers that are kept.
    TooOld,
}

/// What is cached of a verdict. A rejection may quote a long text, and is seldom asked for again: it is read
/// from the journal then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Accepted(Revision),
    Rejected,
}

#[derive(Default)]
pub(super) struct Answers {
    senders: HashMap<Sender, SenderAnswers>,
    uses: u64,
}

/// One sender's answers, ordered by edit. There may be thousands of senders with thousands of answers each,
/// so an answer is small.
#[derive(Default)]
struct SenderAnswers {
    answers: VecDeque<KeptAnswer>,
    last_use: u64,
}

/// A cached answer.
struct KeptAnswer {
    edit: EditId,
    digest: [u8; 16],
    kept: Kept,
}

impl Answers {
    pub(super) fn is_cached(&self, sender: Sender) -> bool {
        self.senders.contains_key(&sender)
    }

    /// Caches the answers that the journal has of a sender, and evicts the least recently used sender if the
    /// cache is full.
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

    /// Returns what is known of the answer to an edit of a cached sender.
    pub(super) fn kept(&self, sender: Sender, edit: EditId) -> Option<Kept> {
        self.senders.get(&sender)?.get(edit).map(|answer| answer.kept)
    }

    pub(super) fn recall(&mut self, sender: Sender, edit: EditId, digest: &[u8; 16]) -> Recall {
        self.uses += 1;
        let Some(answers) = self.senders.get_mut(&sender) else { return Recall::New };
        answers.last_use = self.uses;
        match answers.get(edit) {
            Some(known) if known.digest == *digest => Recall::Same(known.kept),
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
        let index = self.answers.binary_search_by_key(&edit, |answer| answer.edit).ok()?;
        self.answers.get(index)
    }

    fn insert(&mut self, record: &AnswerRecord) {
        let AnswerRecord { edit, digest, verdict, .. } = record;
        let kept = match verdict {
            Verdict::Accepted(revision) => Kept::Accepted(*revision),
            Verdict::Rejected(_) => Kept::Rejected,
        };
        let answer = KeptAnswer { edit: *edit, digest: *digest, kept };
        match self.answers.binary_search_by_key(edit, |answer| answer.edit) {
            Ok(index) => self.answers[index] = answer,
            Err(index) => self.answers.insert(index, answer),
        }
    }

    /// Evicts the oldest answers beyond the limit.
    fn trim(&mut self) {
        while self.answers.len() > MAX_KEPT_ANSWERS {
            self.answers.pop_front();
        }
    }
}

/// Returns a digest that distinguishes edits with the same number, and the encoded size of the changes in
/// bytes.
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

#[cfg(test)]
mod tests {
    use shared::{
        ids::{ClientId, UserId},
        rejection::{Code, Rejection},
    };
    use uuid::Uuid;

    use super::*;

    const DIGEST: [u8; 16] = [1; 16];
    const LIMIT: u64 = MAX_KEPT_ANSWERS as u64;

    fn sender(number: u128) -> Sender {
        Sender { user: UserId(Uuid::nil()), client: ClientId(Uuid::from_u128(number)) }
    }

    fn accepted(edit: u64) -> AnswerRecord {
        let verdict = Verdict::Accepted(Revision(edit));
        AnswerRecord { sender: sender(1), edit: EditId(edit), digest: DIGEST, verdict }
    }

    fn is_kept(answers: &Answers, edit: u64) -> bool {
        answers.kept(sender(1), EditId(edit)).is_some()
    }

    #[test]
    fn a_repeated_edit_is_recalled_with_its_result() {
        let mut answers = Answers::default();
        assert!(!answers.is_cached(sender(1)));
        let rejected = Verdict::Rejected(Rejection::new(Code::Conflict, "no").into());
        let records = [AnswerRecord { verdict: rejected, ..accepted(5) }, accepted(3)];
        answers.load(sender(1), records.to_vec());
        assert!(answers.is_cached(sender(1)));
        let mut recall = |number, edit, digest| answers.recall(sender(number), EditId(edit), &digest);
        assert!(matches!(recall(1, 3, DIGEST), Recall::Same(Kept::Accepted(Revision(3)))));
        assert!(matches!(recall(1, 5, DIGEST), Recall::Same(Kept::Rejected)));
        assert!(matches!(recall(1, 3, [2; 16]), Recall::Other));
        assert!(matches!(recall(1, 4, DIGEST), Recall::New) && matches!(recall(1, 1, DIGEST), Recall::New));
        assert!(matches!(recall(2, 3, DIGEST), Recall::New), "edits are numbered by their sender");
        assert_eq!(answers.kept(sender(1), EditId(5)), Some(Kept::Rejected));
        answers.evict(sender(1));
        assert!(!answers.is_cached(sender(1)) && !is_kept(&answers, 5));
    }

    #[test]
    fn an_edit_older_than_the_kept_answers_is_too_old() {
        let mut answers = Answers::default();
        // One answer less than are kept: the older ones are all known.
        answers.load(sender(1), (2..=LIMIT).map(|number| accepted(number * 2)).collect());
        assert!(matches!(answers.recall(sender(1), EditId(1), &DIGEST), Recall::New));
        answers.record(&accepted(2));
        assert!(matches!(answers.recall(sender(1), EditId(1), &DIGEST), Recall::TooOld));
        assert!(matches!(answers.recall(sender(1), EditId(2), &DIGEST), Recall::Same(_)));
        assert!(matches!(answers.recall(sender(1), EditId(3), &DIGEST), Recall::New));
    }

    #[test]
    fn the_oldest_answer_gives_way_to_a_new_one() {
        let mut answers = Answers::default();
        answers.load(sender(1), (1..=LIMIT + 2).map(accepted).collect());
        assert_eq!([2, 3, LIMIT + 2].map(|edit| is_kept(&answers, edit)), [false, true, true]);
        answers.record(&accepted(LIMIT + 2));
        assert!(is_kept(&answers, 3), "a repeated answer needs no room");
        answers.record(&accepted(LIMIT + 3));
        assert_eq!([3, 4, LIMIT + 3].map(|edit| is_kept(&answers, edit)), [false, true, true]);
    }

    #[test]
    fn the_sender_that_was_quiet_the_longest_gives_way_to_a_new_one() {
        let mut answers = Answers::default();
        let count = MAX_CACHED_SENDERS as u128;
        for number in 0..count {
            answers.load(sender(number), Vec::new());
            answers.recall(sender(number), EditId(1), &DIGEST);
        }
        answers.recall(sender(0), EditId(2), &DIGEST);
        assert!((0..count).all(|number| answers.is_cached(sender(number))));
        answers.load(sender(count), Vec::new());
        let gone: Vec<u128> = (0..=count).filter(|number| !answers.is_cached(sender(*number))).collect();
        assert_eq!(gone, [1]);
    }

    #[test]
    fn a_digest_distinguishes_edits_and_has_their_size() {
        let unreadable = |bytes: &[u8]| {
            digest(&Err(Unreadable { bytes: bytes.to_vec(), message: "unreadable".to_owned() }))
        };
        assert_eq!((unreadable(b"abc"), unreadable(b"abc").1), (unreadable(b"abc"), 3));
        assert_ne!(unreadable(b"abc").0, unreadable(b"abd").0);
        let rename = |name: &str| Ok(vec![Change::rename(name)]);
        let json = serde_json::to_vec(&[Change::rename("One")]).unwrap();
        assert_eq!(digest(&rename("One")).1, json.len());
        assert_eq!(digest(&rename("One")).0, unreadable(&json).0);
        assert_ne!(digest(&rename("One")).0, digest(&rename("Two")).0);
    }
}
