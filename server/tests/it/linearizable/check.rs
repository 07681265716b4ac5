//! Checks a record against a model: cells that hold one text each, changed by the commits in the order of
//! their revisions.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::history::{Commit, Edit, Existence, Outcome, Read, Span, Text};

/// The state of every cell over time.
struct Model {
    /// The commits of each cell in order: the revision, and the text since.
    cells: BTreeMap<u128, Vec<(u64, String)>>,
    head: u64,
}

impl Model {
    /// Returns the text of a cell as of a revision.
    fn text(&self, cell: u128, revision: u64) -> Text {
        let commits = self.cells.get(&cell)?;
        let later = commits.partition_point(|(at, _)| *at <= revision);
        commits[..later].last().map(|(_, text)| text.clone())
    }
}

/// What was known at moments: the highest revision that an answer had shown before.
struct Known(Vec<(Instant, u64)>);

impl Known {
    fn new(edits: &[Edit], reads: &[Read]) -> Self {
        let accepted = edits.iter().filter_map(|edit| match edit.outcome {
            Outcome::Accepted(revision) => Some((edit.span.end, revision)),
            Outcome::Conflict(_) => None,
        });
        let mut known: Vec<_> =
            accepted.chain(reads.iter().map(|read| (read.span.end, read.revision))).collect();
        known.sort();
        let mut highest = 0;
        for (_, revision) in &mut known {
            highest = highest.max(*revision);
            *revision = highest;
        }
        Self(known)
    }

    /// Returns the highest revision that an answer had shown before a moment.
    fn before(&self, moment: Instant) -> u64 {
        let earlier = self.0.partition_point(|(end, _)| *end < moment);
        self.0[..earlier].last().map_or(0, |(_, revision)| *revision)
    }
}

/// What was possible at moments: the lowest revision that a call that began later shows to be in its future.
struct Possible(Vec<(Instant, u64)>);

impl Possible {
    fn new(edits: &[Edit], reads: &[Read], head: u64) -> Self {
        let accepted = edits.iter().filter_map(|edit| match edit.outcome {
            // The state before the edit can still have been current.
            Outcome::Accepted(revision) => Some((edit.span.start, revision - 1)),
            Outcome::Conflict(_) => None,
        });
        let current = reads.iter().filter(|read| read.is_current);
        let reads = current.map(|read| (read.span.start, read.revision));
        let mut possible: Vec<_> = accepted.chain(reads).collect();
        possible.sort();
        let mut lowest = head;
        for (_, revision) in possible.iter_mut().rev() {
            lowest = lowest.min(*revision);
            *revision = lowest;
        }
        Self(possible)
    }

    /// Returns the highest revision that can have been current at a moment.
    fn after(&self, moment: Instant, head: u64) -> u64 {
        let later = self.0.partition_point(|(start, _)| *start <= moment);
        self.0.get(later).map_or(head, |(_, revision)| *revision)
    }
}

/// Checks edits and reads against the commits that the watchlist has in the end.
pub(super) fn check(commits: &[Commit], edits: &[Edit], reads: &[Read]) -> Result<(), String> {
    let mut model = Model { cells: BTreeMap::new(), head: 1 };
    let mut by_name = BTreeMap::new();
    for commit in commits {
        if commit.revision != model.head + 1 {
            return Err(format!("revision {} follows {}", commit.revision, model.head));
        }
        model.head = commit.revision;
        model.cells.entry(commit.cell).or_default().push((commit.revision, commit.text.clone()));
        if by_name.insert(&commit.name, commit).is_some() {
            return Err(format!("{commit:?} was committed before"));
        }
    }
    let (known, possible) = (Known::new(edits, reads), Possible::new(edits, reads, model.head));
    for edit in edits {
        let commit = by_name.remove(&edit.name);
        let earliest = known.before(edit.span.start);
        match (&edit.outcome, commit) {
            (Outcome::Accepted(revision), Some(commit)) => {
                if (commit.revision, commit.cell, &commit.text) != (*revision, edit.cell, &edit.text) {
                    return Err(format!("{edit:?} is stored as {commit:?}"));
                }
                if *revision <= earliest {
                    return Err(format!("revision {earliest} was shown before {edit:?} began"));
                }
                let before = model.text(edit.cell, revision - 1);
                if edit.guard.as_ref().is_some_and(|guard| *guard != before) {
                    return Err(format!("{edit:?} was accepted over {before:?}"));
                }
            }
            (Outcome::Accepted(_), None) => return Err(format!("{edit:?} is not stored")),
            (Outcome::Conflict(_), Some(commit)) => return Err(format!("{edit:?} is stored as {commit:?}")),
            (Outcome::Conflict(current), None) => {
                let latest = possible.after(edit.span.end, model.head);
                let is_seen = |revision| model.text(edit.cell, revision) == *current;
                if edit.guard.as_ref() == Some(current) || !(earliest..=latest).any(is_seen) {
                    return Err(format!("{edit:?} has no reason in revisions {earliest} to {latest}"));
                }
            }
        }
    }
    if let Some((_, commit)) = by_name.first_key_value() {
        return Err(format!("{commit:?} was never answered"));
    }
    let epochs: BTreeSet<_> = reads.iter().map(|read| &read.epoch).collect();
    if epochs.len() > 1 {
        return Err(format!("there are several epochs: {epochs:?}"));
    }
    for read in reads {
        let earliest = if read.is_current { known.before(read.span.start) } else { 0 };
        if read.revision < earliest || read.revision > model.head {
            return Err(format!("revision {earliest} was shown before {read:?} began"));
        }
        for (cell, text) in &read.cells {
            let expected = model.text(*cell, read.revision);
            if *text != expected {
                return Err(format!("cell {cell} was {expected:?}: {read:?}"));
            }
        }
    }
    Ok(())
}

/// Checks that the watchlist was missing after a deletion until a restoration began, and found after a
/// restoration until a deletion began. They come one after the other.
pub(super) fn check_existence(existence: &Existence) -> Result<(), String> {
    let Existence { deletions, restorations, found, missing } = existence;
    let is_within = |span: &Span, after: &[Span], until: &[Span]| {
        let Some(began) = after.iter().filter(|event| event.end < span.start).map(|event| event.end).max()
        else {
            return false;
        };
        // Nothing that changes it again had begun.
        !until.iter().any(|event| event.end > began && event.start < span.end)
    };
    if let Some(span) = found.iter().find(|span| is_within(span, deletions, restorations)) {
        return Err(format!("a deleted watchlist was found: {span:?}"));
    }
    if let Some(span) = missing.iter().find(|span| is_within(span, restorations, deletions)) {
        return Err(format!("a restored watchlist was missing: {span:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A span from one second to another of the same run.
    fn span(origin: Instant, start: u64, end: u64) -> Span {
        Span { start: origin + Duration::from_secs(start), end: origin + Duration::from_secs(end) }
    }

    /// Two commits of one cell, the edits that made them one after the other, a conflict and a read in
    /// between.
    fn record(origin: Instant) -> (Vec<Commit>, Vec<Edit>, Vec<Read>) {
        let name = |number| ("client".to_owned(), number);
        let commit = |revision, number, text: &str| Commit {
            revision,
            name: name(number),
            cell: 1,
            text: text.into(),
        };
        let edit = |number, span, text: &str, guard, outcome| Edit {
            name: name(number),
            span,
            cell: 1,
            text: text.into(),
            guard,
            outcome,
        };
        let text = |text: &str| Some(text.to_owned());
        let edits = vec![
            edit(1, span(origin, 0, 2), "a", None, Outcome::Accepted(2)),
            edit(2, span(origin, 3, 4), "x", Some(None), Outcome::Conflict(text("a"))),
            edit(3, span(origin, 8, 9), "b", Some(text("a")), Outcome::Accepted(3)),
        ];
        let cells = BTreeMap::from([(1, text("a"))]);
        let is_current = true;
        let reads =
            vec![Read { span: span(origin, 5, 6), is_current, epoch: "e".into(), revision: 2, cells }];
        (vec![commit(2, 1, "a"), commit(3, 3, "b")], edits, reads)
    }

    #[test]
    fn a_record_of_one_order_passes_and_each_kind_of_fault_is_found() {
        let origin = Instant::now();
        let (commits, edits, reads) = record(origin);
        check(&commits, &edits, &reads).unwrap();
        type Fault = fn(&mut Vec<Commit>, &mut Vec<Edit>, &mut Vec<Read>, Instant);
        let faults: [(&str, Fault); 11] = [
            ("is not stored", |commits, _, _, _| drop(commits.pop())),
            ("follows", |commits, _, _, _| commits[1].revision = 4),
            ("committed before", |commits, _, _, _| commits[1].name = commits[0].name.clone()),
            ("never answered", |_, edits, _, _| drop(edits.remove(0))),
            ("is stored as", |_, edits, _, _| edits[2].text = "c".into()),
            ("was accepted over", |_, edits, _, _| edits[2].guard = Some(None)),
            ("was shown before", |_, edits, _, origin| edits[0].span = span(origin, 7, 8)),
            ("has no reason", |_, edits, _, _| edits[1].outcome = Outcome::Conflict(Some("b".into()))),
            ("has no reason", |_, edits, _, _| edits[1].guard = Some(Some("a".into()))),
            ("was shown before", |_, _, reads, origin| reads[0].span = span(origin, 10, 11)),
            ("cell 1 was", |_, _, reads, _| drop(reads[0].cells.insert(1, None))),
        ];
        for (message, fault) in faults {
            let (mut commits, mut edits, mut reads) = record(origin);
            fault(&mut commits, &mut edits, &mut reads, origin);
            let error = check(&commits, &edits, &reads).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
        let mut other = reads[0].clone();
        other.epoch = "f".into();
        assert!(check(&commits, &edits, &[reads[0].clone(), other]).unwrap_err().contains("epochs"));
    }

    #[test]
    fn a_watchlist_that_is_served_while_it_is_deleted_is_found() {
        let origin = Instant::now();
        let of = |start, end| span(origin, start, end);
        let existence = |found: Vec<Span>, missing: Vec<Span>| {
            let (deletions, restorations) = (vec![of(2, 3), of(8, 9)], vec![of(5, 6)]);
            Existence { deletions, restorations, found, missing }
        };
        let correct =
            (vec![of(0, 2), of(2, 4), of(4, 6), of(7, 8), of(8, 10)], vec![of(3, 4), of(10, 11), of(5, 7)]);
        check_existence(&existence(correct.0, correct.1)).unwrap();
        for wrong in [of(4, 5), of(10, 11)] {
            check_existence(&existence(vec![wrong], vec![])).unwrap_err();
        }
        check_existence(&existence(vec![], vec![of(7, 8)])).unwrap_err();
    }
}
