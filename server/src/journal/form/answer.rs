//! The first answers to edits, as the journal keeps them: in the segments of the log, and folded into runs of
//! one sender.
//!
//! The answers of a sender that count are those to the highest numbers, at most [`MAX_KEPT_ANSWERS`].

use std::sync::Arc;

use shared::{
    ids::{ClientId, EditId, Revision, UserId, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
    rejection::Rejection,
};

use super::{
    codec::{Decoder, Encoder, checksum},
    error::{damaged, verify},
};
use crate::journal::{
    record::{AnswerRecord, Sender, Verdict},
    store::JournalError,
};

/// An answer whose rejection is still encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::journal) struct StoredAnswer {
    pub(in crate::journal) edit: EditId,
    pub(in crate::journal) digest: [u8; 16],
    pub(in crate::journal) verdict: StoredVerdict,
}

/// A verdict as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::journal) enum StoredVerdict {
    /// The edit became this revision.
    Accepted(Revision),
    /// The rejection as JSON.
    Rejected(Arc<str>),
}

impl StoredAnswer {
    pub(in crate::journal) fn new(record: &AnswerRecord) -> Self {
        let verdict = match &record.verdict {
            Verdict::Accepted(revision) => StoredVerdict::Accepted(*revision),
            Verdict::Rejected(rejection) => StoredVerdict::Rejected(
                serde_json::to_string(rejection).expect("a rejection is plain data").into(),
            ),
        };
        Self { edit: record.edit, digest: record.digest, verdict }
    }

    pub(in crate::journal) fn decoded(&self, sender: Sender) -> Result<AnswerRecord, JournalError> {
        let verdict = match &self.verdict {
            StoredVerdict::Accepted(revision) => Verdict::Accepted(*revision),
            StoredVerdict::Rejected(json) => {
                let rejection: Result<Rejection, _> = serde_json::from_str(json);
                let edit = self.edit;
                let damaged = |error| damaged(format!("the answer to edit {edit}: {error}"));
                Verdict::Rejected(rejection.map_err(damaged)?.into())
            }
        };
        Ok(AnswerRecord { sender, edit: self.edit, digest: self.digest, verdict })
    }
}

/// Encodes the answers of a run, which are ordered by edit.
pub(in crate::journal) fn encode_run(answers: &[StoredAnswer]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.count(answers.len());
    let (mut edit, mut revision) = (0, 0);
    for answer in answers {
        encoder.number(answer.edit.0 - edit);
        edit = answer.edit.0;
        encoder.raw(&answer.digest);
        match &answer.verdict {
            StoredVerdict::Accepted(accepted) => {
                encoder.number(0);
                encoder.signed(accepted.0.wrapping_sub(revision).cast_signed());
                revision = accepted.0;
            }
            StoredVerdict::Rejected(json) => {
                encoder.number(1);
                encoder.bytes(json.as_bytes());
            }
        }
    }
    encoder.0
}

/// Decodes the answers of a run.
fn decode_run(data: &[u8]) -> Option<Vec<StoredAnswer>> {
    let mut decoder = Decoder::new(data);
    let count = decoder.count()?;
    let mut answers = Vec::with_capacity(count);
    let (mut edit, mut revision) = (0_u64, 0_u64);
    for _ in 0..count {
        edit = edit.checked_add(decoder.number()?)?;
        let digest = decoder.raw()?;
        let verdict = match decoder.number()? {
            0 => {
                revision = revision.wrapping_add(decoder.signed()?.cast_unsigned());
                StoredVerdict::Accepted(Revision(revision))
            }
            1 => StoredVerdict::Rejected(decoder.text()?.into()),
            _ => return None,
        };
        answers.push(StoredAnswer { edit: EditId(edit), digest, verdict });
    }
    decoder.end(answers)
}

/// Decodes a run of answers and verifies its checksum. The numbers are its first and last edit, and its last
/// segment.
pub(in crate::journal) fn checked_run(
    id: WatchlistId,
    sender: Sender,
    numbers: [i64; 3],
    data: &[u8],
    sum: i64,
) -> Result<Vec<StoredAnswer>, JournalError> {
    let [first, last, _] = numbers;
    let name = || format!("the answers to edits {first} to {last} of client {}", sender.client);
    verify(run_sum(id, sender, numbers, data), sum, name)?;
    decode_run(data).ok_or_else(|| damaged(format!("{} cannot be decoded", name())))
}

/// Returns the checksum of a run. The numbers are its first and last edit, and its last segment.
pub(in crate::journal) fn run_sum(id: WatchlistId, sender: Sender, numbers: [i64; 3], data: &[u8]) -> i64 {
    let Sender { user: UserId(user), client: ClientId(client) } = sender;
    let numbers = numbers.map(i64::to_le_bytes);
    checksum(&[id.0.as_bytes(), user.as_bytes(), client.as_bytes(), numbers.as_flattened(), data])
}

/// Returns the checksum of an answer that is stored by itself.
pub(in crate::journal) fn answer_sum(id: WatchlistId, sender: Sender, answer: &StoredAnswer) -> i64 {
    let (accepted, rejected) = match &answer.verdict {
        StoredVerdict::Accepted(revision) => (revision.0.to_le_bytes().to_vec(), ""),
        StoredVerdict::Rejected(json) => (Vec::new(), &**json),
    };
    checksum(&[
        id.0.as_bytes(),
        sender.user.0.as_bytes(),
        sender.client.0.as_bytes(),
        &answer.edit.0.to_le_bytes(),
        &answer.digest,
        &accepted,
        rejected.as_bytes(),
    ])
}

/// Orders answers by edit, and drops repeats and those that are no longer kept.
pub(in crate::journal) fn newest(mut answers: Vec<StoredAnswer>) -> Vec<StoredAnswer> {
    answers.sort_by_key(|answer| answer.edit);
    answers.dedup_by_key(|answer| answer.edit);
    answers.drain(..answers.len().saturating_sub(MAX_KEPT_ANSWERS));
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(edit: u64, verdict: StoredVerdict) -> StoredAnswer {
        StoredAnswer { edit: EditId(edit), digest: [edit.to_le_bytes()[0]; 16], verdict }
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let run = [
            answer(3, StoredVerdict::Accepted(Revision(900))),
            answer(4, StoredVerdict::Rejected("{}".into())),
            answer(900, StoredVerdict::Accepted(Revision(2))),
        ];
        let data = encode_run(&run);
        assert_eq!(decode_run(&data).unwrap(), run);
        assert_eq!(decode_run(&data[..data.len() - 1]), None);
    }

    #[test]
    fn the_answers_to_the_highest_numbers_are_kept() {
        let accepted = |edit: u64| answer(edit, StoredVerdict::Accepted(Revision(edit)));
        let kept = newest((1..=5_000).rev().map(accepted).collect());
        assert_eq!((kept.len(), kept[0].edit), (MAX_KEPT_ANSWERS, EditId(5_001 - MAX_KEPT_ANSWERS as u64)));
    }
}
