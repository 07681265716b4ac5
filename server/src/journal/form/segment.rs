//! The segments of the log. A segment holds consecutive commits of one watchlist, with the digests of their
//! edits, and the rejections of edits that were judged together with them: what a batch writes, in pieces of
//! limited size.

use std::{collections::BTreeSet, sync::Arc};

use shared::{
    column::ColumnKey,
    edit::{Author, Change, Commit, Remove, Set},
    ids::{ClientId, EditId, Revision, RowId, UserId, WatchlistId},
    time::Timestamp,
    wire::codec::Encoding,
};
use uuid::Uuid;

use super::{
    answer::{StoredAnswer, StoredVerdict},
    codec::{Decoder, Encoder, checksum},
    error::{damaged, verify},
};
use crate::journal::{
    record::{Batch, HistoryFilter, NewCommit, Sender, Verdict},
    store::JournalError,
};

/// Size after which a batch continues in another segment. Reading one commit reads its segment.
const SEGMENT_BYTES: usize = 32 * 1024;

/// Where a segment stands in its watchlist and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Place {
    /// Number of the segment in the log, which counts the segments of all watchlists.
    pub(in crate::journal) seq: i64,
    /// Revision before the first commit.
    pub(in crate::journal) before: Revision,
    /// Revision of the last commit: equal to `before` if there are only rejections.
    pub(in crate::journal) last: Revision,
}

/// What is known of a segment without reading it.
#[derive(Debug, Default)]
pub(in crate::journal) struct Index {
    /// Time of the last commit in milliseconds; the least if there are only rejections.
    pub(in crate::journal) at: i64,
    /// Size of the stored data.
    pub(in crate::journal) bytes: usize,
    /// Ordered hashes of the rows, columns and accounts of the commits: see [`Term`].
    pub(in crate::journal) terms: Box<[u32]>,
    /// Answers to the edits.
    pub(in crate::journal) answers: Vec<(Sender, StoredAnswer)>,
}

/// A segment to be written.
#[derive(Debug)]
pub(in crate::journal) struct NewSegment {
    pub(in crate::journal) before: Revision,
    pub(in crate::journal) last: Revision,
    pub(in crate::journal) data: Vec<u8>,
    pub(in crate::journal) index: Index,
}

/// A decoded segment.
#[derive(Debug, Default)]
pub(in crate::journal) struct Segment {
    /// Name of the watchlist after the segment.
    pub(in crate::journal) name: Arc<str>,
    /// Number of rows after the segment.
    pub(in crate::journal) rows: usize,
    /// The commits, with the replaced value of each `set` and the removed row of each `remove` in `was`.
    pub(in crate::journal) commits: Vec<Commit>,
    /// Answers to the edits.
    pub(in crate::journal) answers: Vec<(Sender, StoredAnswer)>,
}

/// Something that commits are searched by. Two terms may have the same hash, so what is found is checked.
#[derive(Clone, Copy, Debug)]
enum Term<'a> {
    Row(RowId),
    Column(&'a ColumnKey),
    User(UserId),
}

impl Term<'_> {
    fn hash(self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        match self {
            Term::Row(row) => hasher.update(row.0.as_bytes()),
            Term::Column(key) => hasher.update(key.to_string().as_bytes()),
            Term::User(user) => {
                hasher.update(&[1]);
                hasher.update(user.0.as_bytes());
            }
        }
        hasher.finalize()
    }
}

/// Returns the ordered hashes of what commits can be searched by.
fn terms_of<'a>(commits: impl Iterator<Item = &'a Commit>) -> Box<[u32]> {
    let mut terms = Vec::new();
    let (mut last_column, mut last_user) = (None, None);
    for commit in commits {
        if last_user.replace(commit.by.user) != Some(commit.by.user) {
            terms.push(Term::User(commit.by.user).hash());
        }
        for change in &commit.changes {
            terms.extend(change.row().map(|row| Term::Row(row).hash()));
            let column = match change {
                Change::Set(set) => &set.column,
                Change::AddColumn(add) => &add.key,
                Change::SetColumn(set) => &set.key,
                Change::RemoveColumn(named) | Change::RestoreColumn(named) => &named.key,
                Change::Insert(insert) => {
                    terms.extend(insert.cells.keys().map(|key| Term::Column(key).hash()));
                    continue;
                }
                Change::Move(_) | Change::Remove(_) | Change::Rename(_) => continue,
            };
            if last_column.replace(column) != Some(column) {
                terms.push(Term::Column(column).hash());
            }
        }
    }
    terms.sort_unstable();
    terms.dedup();
    terms.into()
}

/// Returns the hashes of what a filter selects.
pub(in crate::journal) fn terms_of_filter(filter: &HistoryFilter) -> BTreeSet<u32> {
    let terms =
        [filter.row.map(Term::Row), filter.column.as_ref().map(Term::Column), filter.user.map(Term::User)];
    terms.into_iter().flatten().map(Term::hash).collect()
}

/// Returns the commit as subscribers receive it: without replaced values.
pub(in crate::journal) fn without_replaced(mut commit: Commit) -> Commit {
    commit.changes = commit.changes.into_iter().map(Change::without_guard).collect();
    commit
}

/// Returns the checksum of a segment.
pub(in crate::journal) fn segment_sum(id: WatchlistId, place: Place, data: &[u8]) -> i64 {
    let Place { seq, before, last } = place;
    checksum(&[id.0.as_bytes(), &seq.to_le_bytes(), &before.0.to_le_bytes(), &last.0.to_le_bytes(), data])
}

/// A commit on its way into a segment.
struct Encoded<'a> {
    commit: &'a Commit,
    digest: Option<[u8; 16]>,
    changes: Vec<u8>,
}

/// Encodes a batch in segments.
pub(in crate::journal) fn encode(batch: &Batch) -> Vec<NewSegment> {
    let mut digests = batch.answers.iter().filter(|answer| matches!(answer.verdict, Verdict::Accepted(_)));
    let mut rejected = batch.answers.iter().filter(|answer| matches!(answer.verdict, Verdict::Rejected(_)));
    let (mut segments, mut piece, mut bytes, mut before) = (Vec::new(), Vec::new(), 0, batch.expected);
    for new in &batch.commits {
        // The answers are in the order of the commits that they accept.
        let digest = digests
            .next()
            .filter(|answer| answer.verdict == Verdict::Accepted(new.commit.revision))
            .map(|answer| answer.digest);
        let changes = stored_changes(new);
        bytes += changes.len();
        piece.push(Encoded { commit: &new.commit, digest, changes });
        if bytes >= SEGMENT_BYTES {
            let last = new.commit.revision;
            segments.push(encode_piece((before, last), (&batch.name, batch.rows), &piece, &[]));
            (piece, bytes, before) = (Vec::new(), 0, last);
        }
    }
    let last = piece.last().map_or(before, |encoded| encoded.commit.revision);
    let mut rest: Vec<_> =
        rejected.by_ref().map(|answer| (answer.sender, StoredAnswer::new(answer))).collect();
    if !piece.is_empty() || !rest.is_empty() {
        let pieces = rest.len().div_ceil(MAX_REJECTIONS).max(1);
        for number in 0..pieces {
            let later = rest.split_off(rest.len().min(MAX_REJECTIONS));
            let commits = if number == 0 { &piece[..] } else { &[] };
            let before = if number == 0 { before } else { last };
            segments.push(encode_piece((before, last), (&batch.name, batch.rows), commits, &rest));
            rest = later;
        }
    }
    segments
}

/// Maximum number of rejections in a segment.
const MAX_REJECTIONS: usize = 128;

fn encode_piece(
    (before, last): (Revision, Revision),
    (name, rows): (&str, usize),
    commits: &[Encoded<'_>],
    rejections: &[(Sender, StoredAnswer)],
) -> NewSegment {
    let mut encoder = Encoder::default();
    encoder.bytes(name.as_bytes());
    encoder.count(rows);
    // Names are stored with their accounts: a segment seldom has many.
    let mut authors: Vec<(Sender, &str)> = Vec::new();
    let mut author_of = |sender: Sender, name| {
        let known = authors.iter().position(|author| *author == (sender, name));
        known.unwrap_or_else(|| {
            authors.push((sender, name));
            authors.len() - 1
        })
    };
    let by = |author: &Author| Sender { user: author.user, client: author.client };
    let accepted = commits.iter().map(|encoded| (by(&encoded.commit.by), &*encoded.commit.by.name));
    let rejected = rejections.iter().map(|(sender, _)| (*sender, ""));
    let senders: Vec<usize> =
        accepted.chain(rejected).map(|(sender, name)| author_of(sender, name)).collect();
    encoder.count(authors.len());
    for (sender, name) in &authors {
        encoder.raw(sender.user.0.as_bytes());
        encoder.raw(sender.client.0.as_bytes());
        encoder.bytes(name.as_bytes());
    }
    encoder.count(commits.len());
    let (mut at, mut answers) = (0, Vec::new());
    for (encoded, author) in commits.iter().zip(&senders) {
        let Encoded { commit, digest, changes } = encoded;
        encoder.count(*author);
        encoder.number(commit.by.edit.0);
        encoder.signed(commit.at.as_millis().wrapping_sub(at));
        at = commit.at.as_millis();
        encoder.count(usize::from(digest.is_some()));
        if let Some(digest) = *digest {
            encoder.raw(&digest);
            let verdict = StoredVerdict::Accepted(commit.revision);
            answers.push((by(&commit.by), StoredAnswer { edit: commit.by.edit, digest, verdict }));
        }
        encoder.bytes(changes);
    }
    encoder.count(rejections.len());
    for ((_, answer), author) in rejections.iter().zip(&senders[commits.len()..]) {
        encoder.count(*author);
        encoder.number(answer.edit.0);
        encoder.raw(&answer.digest);
        let StoredVerdict::Rejected(json) = &answer.verdict else {
            unreachable!("only rejections are passed")
        };
        encoder.bytes(json.as_bytes());
    }
    answers.extend_from_slice(rejections);
    let at = commits.last().map_or(i64::MIN, |encoded| encoded.commit.at.as_millis());
    let terms = terms_of(commits.iter().map(|encoded| encoded.commit));
    let index = Index { at, bytes: encoder.0.len(), terms, answers };
    NewSegment { before, last, data: encoder.0, index }
}

/// Returns the stored form of a commit's changes, with the replaced value in each `set` and the removed row
/// in each `remove`.
fn stored_changes(new: &NewCommit) -> Vec<u8> {
    let mut replaced = new.replaced.iter();
    let mut removed = new.removed.iter();
    let with_replaced = |change: &Change| match change {
        Change::Set(set) => Change::Set(Set { was: replaced.next().cloned(), ..set.clone() }),
        Change::Remove(remove) => {
            Change::Remove(Remove { was: removed.next().cloned().map(Box::new), ..remove.clone() })
        }
        other => other.clone(),
    };
    let changes: Vec<Change> = new.commit.changes.iter().map(with_replaced).collect();
    Encoding::MessagePack.encode(&changes)
}

impl Segment {
    /// Decodes a segment and verifies its checksum.
    pub(in crate::journal) fn read(
        id: WatchlistId,
        place: Place,
        data: &[u8],
        stored_sum: i64,
    ) -> Result<Self, JournalError> {
        verify(segment_sum(id, place, data), stored_sum, || place.name())?;
        Self::decode(place, data).ok_or_else(|| damaged(format!("{} cannot be decoded", place.name())))
    }

    fn decode(place: Place, data: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(data);
        let mut segment = Self {
            name: decoder.text()?.into(),
            rows: usize::try_from(decoder.number()?).ok()?,
            ..Self::default()
        };
        let mut authors: Vec<(Sender, Arc<str>)> = Vec::new();
        for _ in 0..decoder.count()? {
            let user = UserId(Uuid::from_bytes(decoder.raw()?));
            let client = ClientId(Uuid::from_bytes(decoder.raw()?));
            authors.push((Sender { user, client }, decoder.text()?.into()));
        }
        let count = decoder.count()?;
        if place.last.0.checked_sub(place.before.0)? != count as u64 {
            return None;
        }
        let (mut at, mut revision) = (0_i64, place.before);
        for _ in 0..count {
            revision = revision.next();
            let (sender, name) = authors.get(usize::try_from(decoder.number()?).ok()?)?;
            let edit = EditId(decoder.number()?);
            at = at.wrapping_add(decoder.signed()?);
            if decoder.number()? == 1 {
                let verdict = StoredVerdict::Accepted(revision);
                segment.answers.push((*sender, StoredAnswer { edit, digest: decoder.raw()?, verdict }));
            }
            let changes = Encoding::MessagePack.decode(decoder.bytes()?).ok()?;
            let by = Author { user: sender.user, name: name.clone(), client: sender.client, edit };
            segment.commits.push(Commit { revision, by, at: Timestamp::from_millis(at), changes });
        }
        for _ in 0..decoder.count()? {
            let (sender, _) = authors.get(usize::try_from(decoder.number()?).ok()?)?;
            let (edit, digest) = (EditId(decoder.number()?), decoder.raw()?);
            let verdict = StoredVerdict::Rejected(decoder.text()?.into());
            segment.answers.push((*sender, StoredAnswer { edit, digest, verdict }));
        }
        decoder.end(segment)
    }

    /// Returns what is known of the segment without reading it. `bytes` is the size of its data.
    pub(in crate::journal) fn index(&self, bytes: usize) -> Index {
        let at = self.commits.last().map_or(i64::MIN, |commit| commit.at.as_millis());
        Index { at, bytes, terms: terms_of(self.commits.iter()), answers: self.answers.clone() }
    }
}

impl Place {
    /// Returns the name of the segment in messages.
    pub(in crate::journal) fn name(self) -> String {
        match (self.before.next(), self.last) {
            (first, last) if first == last => format!("revision {last}"),
            (first, last) if first < last => format!("revisions {first} to {last}"),
            _ => format!("the rejections after revision {}", self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::rejection::{Code, Rejection};

    use super::*;
    use crate::journal::record::AnswerRecord;

    const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));

    fn sender(number: u64) -> Sender {
        Sender { user: UserId(Uuid::from_u128(number.into())), client: ClientId(Uuid::nil()) }
    }

    /// Returns a batch after revision 5, with commits of a number of bytes each by two accounts, and
    /// rejections.
    fn batch(commits: u64, bytes: usize, rejections: u64) -> Batch {
        let mut batch = Batch { expected: Revision(5), name: "List".into(), rows: 3, ..Batch::default() };
        for number in 1..=commits {
            let (sender, revision) = (sender(number % 2), Revision(5 + number));
            let by =
                Author { user: sender.user, name: "ann".into(), client: sender.client, edit: EditId(number) };
            let changes = vec![Change::rename(&"x".repeat(bytes))];
            let at = Timestamp::from_millis(100 + i64::try_from(number).unwrap());
            let commit = Arc::new(Commit { revision, by, at, changes });
            batch.commits.push(NewCommit { commit, replaced: Vec::new(), removed: Vec::new() });
            let verdict = Verdict::Accepted(revision);
            batch.answers.push(AnswerRecord { sender, edit: EditId(number), digest: [1; 16], verdict });
        }
        for number in 1..=rejections {
            let (sender, edit) = (sender(2), EditId(number));
            let verdict = Verdict::Rejected(Rejection::new(Code::Conflict, "no").into());
            batch.answers.push(AnswerRecord { sender, edit, digest: [2; 16], verdict });
        }
        batch
    }

    /// Returns the first and last revision of each segment, and the number of its answers.
    fn segments(batch: &Batch) -> Vec<(u64, u64, usize)> {
        let segments = encode(batch);
        let summary = |new: &NewSegment| (new.before.0, new.last.0, new.index.answers.len());
        segments.iter().map(summary).collect()
    }

    #[test]
    fn a_batch_is_divided_into_segments_of_limited_size() {
        assert_eq!(segments(&batch(0, 0, 0)), []);
        assert_eq!(segments(&batch(3, 10, 0)), [(5, 8, 3)]);
        assert_eq!(segments(&batch(5, SEGMENT_BYTES / 2, 0)), [(5, 7, 2), (7, 9, 2), (9, 10, 1)]);
        assert_eq!(segments(&batch(2, SEGMENT_BYTES, 0)), [(5, 6, 1), (6, 7, 1)], "no segment is empty");
        assert_eq!(segments(&batch(2, SEGMENT_BYTES, 3)), [(5, 6, 1), (6, 7, 1), (7, 7, 3)]);
        assert_eq!(segments(&batch(0, 0, 300)), [(5, 5, 128), (5, 5, 128), (5, 5, 44)]);
        assert_eq!(segments(&batch(1, 10, 129)), [(5, 6, 129), (6, 6, 1)]);
    }

    #[test]
    fn a_segment_is_read_as_it_was_written_in_its_place_only() {
        for new in encode(&batch(3, SEGMENT_BYTES / 2, 2)) {
            let place = Place { seq: 4, before: new.before, last: new.last };
            let sum = segment_sum(LIST, place, &new.data);
            let read = Segment::read(LIST, place, &new.data, sum).unwrap();
            assert_eq!((&*read.name, read.rows, &read.answers), ("List", 3, &new.index.answers));
            let index = read.index(new.data.len());
            assert_eq!(
                (index.at, index.bytes, &index.terms),
                (new.index.at, new.data.len(), &new.index.terms)
            );
            assert_eq!(new.index.bytes, new.data.len());
            let by: Vec<(Revision, UserId, EditId)> =
                read.commits.iter().map(|commit| (commit.revision, commit.by.user, commit.by.edit)).collect();
            let revisions = new.before.0 + 1..=new.last.0;
            let expected =
                |revision: u64| (Revision(revision), sender((revision - 5) % 2).user, EditId(revision - 5));
            assert_eq!(by, revisions.map(expected).collect::<Vec<_>>());
            let elsewhere = Place { seq: 5, ..place };
            assert!(Segment::read(LIST, elsewhere, &new.data, sum).is_err());
            let longer = Place { last: place.last.next(), ..place };
            let sum = segment_sum(LIST, longer, &new.data);
            assert!(Segment::read(LIST, longer, &new.data, sum).is_err(), "a commit is missing");
        }
    }

    #[test]
    fn a_segment_is_found_by_the_rows_columns_and_accounts_of_its_commits() {
        let row = RowId(Uuid::from_u128(9));
        let (price, note) = (ColumnKey::from("price"), ColumnKey::from("note"));
        let mut batch = batch(2, 10, 0);
        let set = Change::set(row, &price, "1".into());
        Arc::make_mut(&mut batch.commits[0].commit).changes = vec![set];
        let index = encode(&batch).remove(0).index;
        let has = |term: Term<'_>| index.terms.binary_search(&term.hash()).is_ok();
        assert!(has(Term::Row(row)) && has(Term::Column(&price)));
        assert!(has(Term::User(sender(0).user)) && has(Term::User(sender(1).user)));
        assert!(!has(Term::Column(&note)) && !has(Term::User(sender(2).user)));
        assert!(!has(Term::Row(RowId(sender(1).user.0))), "an account is not a row");
    }

    #[test]
    fn a_segment_is_named_by_its_revisions() {
        let name = |before, last| Place { seq: 1, before: Revision(before), last: Revision(last) }.name();
        assert_eq!(name(2, 3), "revision 3");
        assert_eq!(name(2, 5), "revisions 3 to 5");
        assert_eq!(name(5, 5), "the rejections after revision 5");
    }
}
