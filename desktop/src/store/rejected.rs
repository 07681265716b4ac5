//! Rejected edits: what remains of one is sent again, and a notice says what does not, with every value that
//! the person would otherwise lose.

use std::time::Duration;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{EditId, RowId, WatchlistId, WindowId},
    rejection::{Code, Rejection},
    replica::ListReplica,
    wire::server::{ClosedReason, Error, ErrorCode, ServerMessage},
};

use super::{
    notices::Offer,
    rest::{Dropped, LostEdits, MAX_LISTED, Report, Rest, Rules, overwriting, rest_of},
    state::{Absence, Store},
    words::{Names, not_entered_text, rejection_text, rest_text},
};

impl Store {
    /// Handles the rejection of an edit: sends what remains of it, and says what does not.
    pub(super) fn handle_rejection(
        &mut self,
        (watchlist, window): (WatchlistId, WindowId),
        edit: EditId,
        rejection: &Rejection,
        changes: &[Change],
        now: Duration,
    ) {
        self.notices.withdraw_undo(window);
        let list = self.replica.list(watchlist);
        let is_set_later =
            |row, column: &ColumnKey| list.is_some_and(|list| list.is_set_after(edit, row, column));
        let rest = self.watchlist(watchlist).and_then(|state| {
            let is_prompt = self.edits.is_prompt_removal(edit);
            let rules = Rules { superseded: &self.superseded, is_set_later: &is_set_later, is_prompt };
            rest_of((watchlist, state), &rules, rejection, changes)
        });
        self.superseded.record(watchlist, changes, &is_set_later);
        let is_whole = rest.is_none();
        let Rest { changes: left, dropped } = rest.unwrap_or_else(|| Rest::nothing(rejection, changes));
        let made = left.len();
        let sent = if left.is_empty() {
            None
        } else {
            self.edits.send_rest(&mut self.replica, (window, watchlist), edit, left).ok()
        };
        let repeated = match &sent {
            Some((_, repeated)) => *repeated,
            None => self.edits.undo.remove_rejected(window, edit),
        };
        let earlier = self.resent.remove(&edit).filter(|report| self.notices.is_shown(report.notice));
        if earlier.is_none() && dropped.is_empty() {
            // Nothing that the person would miss.
            return;
        }

        let is_lost = sent.is_none()
            && repeated.is_none()
            && (is_whole || rejection.code == Code::Conflict && earlier.is_none());
        let same_reason = self
            .lost_edits
            .take_if(|lost| is_lost && lost.is_about(watchlist, rejection, now))
            .filter(|lost| self.notices.is_shown(lost.report.notice));
        let since = same_reason.as_ref().map_or(now, |lost| lost.since);
        let same_reason = same_reason.map(|lost| lost.report);
        let row_name = |row| self.row_name(watchlist, row);
        let names = Names { state: self.last_state(watchlist), row_name: &row_name };
        // A person who undoes an edit has typed nothing that could be lost.
        let values = match repeated {
            None => dropped.iter().flat_map(|(change, _)| names.values_of(change)).collect(),
            Some(_) => Vec::new(),
        };
        let text = || rejection_text(&names, rejection, changes, repeated);
        let (notice, text, dropped) = match (earlier, same_reason) {
            // What was left of an edit is rejected for a reason of its own.
            (Some(earlier), _) if is_whole => {
                (Some(earlier.notice), text(), joined(dropped, earlier.dropped))
            }
            (Some(earlier), _) | (None, Some(earlier)) => {
                (Some(earlier.notice), earlier.text, joined(earlier.dropped, dropped))
            }
            (None, None) => (None, text(), dropped),
        };
        let others = dropped.iter().skip(1);
        let listed: Vec<String> =
            others.clone().take(MAX_LISTED).map(|dropped| names.dropped(dropped)).collect();
        let further = others.len() - listed.len();
        let made = if sent.is_some() { made } else { 0 };
        let shown = format!("{text}{}", rest_text(&listed, further, made, repeated));
        let overwriting = overwriting(&dropped);
        let offer =
            (repeated.is_none() && !overwriting.is_empty()).then(|| Offer::Overwrite(watchlist, overwriting));
        // The notice of a typed edit contains what was typed, so it stays until it is dismissed.
        let at = repeated.map(|_| now);
        let kept = repeated.is_none().then(|| (shown.clone(), values.clone()));
        let notice = self.notices.extend(notice, (shown, offer, at), values);
        if let Some((text, values)) = kept {
            self.edits.outbox.keep_notice(notice, &text, values);
        }
        let report = Report { notice, text, dropped };
        match sent {
            Some((sent, _)) => drop(self.resent.insert(sent, report)),
            None if is_lost => {
                self.lost_edits = Some(LostEdits { watchlist, reason: rejection.clone(), report, since });
            }
            None => {}
        }
    }

    /// Tells this account, when it signs in again, what was typed in a cell and not entered: another account
    /// takes its place.
    pub fn keep_draft(&mut self, watchlist: WatchlistId, row: RowId, column: &ColumnKey, text: &str) {
        let typed = Change::set(row, column, text.into());
        let row_name = |row| self.row_name(watchlist, row);
        let names = Names { state: self.last_state(watchlist), row_name: &row_name };
        let (values, text) = (names.values_of(&typed), not_entered_text(&names, &typed));
        let notice = self.notices.extend(None, (text.clone(), None, None), values.clone());
        self.edits.outbox.keep_notice(notice, &text, values);
    }

    /// Keeps the state of a watchlist that the server closes, because its rows name the edits that are
    /// rejected next, and why it is gone.
    pub(super) fn keep_closed(&mut self, message: &ServerMessage) {
        let closed = match message {
            ServerMessage::Closed(closed) => Some(closed.watchlist),
            ServerMessage::Error(Error { code: ErrorCode::UnknownWatchlist, watchlist, .. }) => *watchlist,
            _ => None,
        };
        // Unless it was deleted here.
        if let ServerMessage::Closed(closed) = message
            && let Some(Some(absence)) = self.absences.get_mut(&closed.watchlist)
        {
            *absence = match closed.reason {
                ClosedReason::Deleted => Absence::Deleted,
                ClosedReason::Forbidden => Absence::Forbidden,
            };
        }
        let is_needed = |list: &&ListReplica| list.unanswered_count() > 0;
        let list = closed.and_then(|closed| self.replica.list(closed)).filter(is_needed);
        if let (Some(closed), Some(state)) = (closed, list.and_then(ListReplica::state)) {
            self.closed.insert(closed, state.clone());
        }
    }
}

fn joined(mut dropped: Vec<Dropped>, further: Vec<Dropped>) -> Vec<Dropped> {
    dropped.extend(further);
    dropped
}
