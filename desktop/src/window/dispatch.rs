//! Executes the commands of a window, and passes those of the grid and of the program on.

use std::{sync::Arc, time::Duration};

use shared::{
    account::ListRole,
    column::{Column, ColumnKind},
};

use super::state::{AfterEditor, Window};
use crate::{
    account::AccountCommand,
    command::{AppCommand, Command, DialogKind, Menu, When, entry_of, refusal_of_role},
    follow::Link,
    panels::{
        account::AccountDialog, dialogs::Dialog, history::HistoryPanel, palette::CommandPalette,
        sharing::SharingDialog,
    },
    settings::SavedWindow,
    state::{ANOTHER_EDITS, AppState, Joined},
    store::{Direction, Notice},
};

/// Time within which a second undo or redo is made in another watchlist, and after which a person has read that.
const ELSEWHERE: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_millis(500);

/// Returns why the person's role on a command's watchlist does not suffice.
fn refusal(command: &Command, window: &Window, state: &AppState) -> Option<&'static str> {
    let (list, lowest) = match command {
        Command::Undo => (state.store.undo_list(window.id()), Some(ListRole::Editor)),
        Command::Redo => (state.store.redo_list(window.id()), Some(ListRole::Editor)),
        command => (command.named_list().or(window.list()), command.lowest_role()),
    };
    refusal_of_role(lowest, list.and_then(|list| state.store.role(list)))
}

/// Executes a command of a window.
pub fn dispatch(command: impl Into<Command>, window: &mut Window, state: &mut AppState, now: Duration) {
    let command = command.into();
    if let Some(why) = refusal(&command, window, state) {
        return state.store.notify_in(window.id(), why, now);
    }
    if command.removes_cells() {
        window.grid.expect_removal();
    }
    match command {
        Command::Undo => repeat(Direction::Undo, window, state, now),
        Command::Redo => repeat(Direction::Redo, window, state, now),
        Command::Show(watchlist) => window.show_list(watchlist),
        Command::ShowAdjacent { is_next } => {
            let lists = state.store.replica().summaries().unwrap_or_default();
            window.show_adjacent_list(lists, is_next);
        }
        Command::Grid(command) => window.grid.queue_command(command),
        Command::OpenDialog(kind) => open_dialog(kind, window, state),
        Command::RenameShownList => {
            if let Some(list) = window.list() {
                open_dialog(DialogKind::Rename(list), window, state);
            }
        }
        Command::DeleteShownList => {
            if let Some(list) = window.list() {
                open_dialog(DialogKind::Delete(list), window, state);
            }
        }
        Command::ShareShownList => {
            let list = window.list().filter(|_| state.joined.is_some());
            window.overlays.sharing = list.map(|list| SharingDialog::new(list, state.list_name(list)));
        }
        Command::OpenAccount => window.overlays.account = Some(AccountDialog::default()),
        Command::ToggleHistory => window.toggle_history(),
        Command::ShowHistoryOf(row, column) => {
            let watchlist = window.list().and_then(|list| state.store.watchlist(list));
            window.history = watchlist.map(|watchlist| HistoryPanel::of(row, column, watchlist));
        }
        Command::DismissNewestNotice => {
            // Values that exist nowhere else are not dismissed by a key that is pressed out of habit.
            let has_no_values = |notice: &&Notice| notice.rejected.is_empty();
            let newest = window.addressee().notices(state).rev().find(has_no_values).map(|notice| notice.id);
            newest.into_iter().for_each(|newest| state.store.dismiss(newest));
        }
        Command::OpenPalette => {
            state.execute(AppCommand::RequestDeleted, window.id(), now);
            window.overlays.palette = Some(CommandPalette::new());
        }
        Command::OpenListPicker => window.overlays.palette = Some(CommandPalette::of_watchlists()),
        Command::OpenMenu(menu) if window.grid.editor().is_some() => {
            window.leave_editor_then(AfterEditor::OpenMenu(menu));
        }
        // Without an account there is no menu.
        Command::OpenMenu(Menu::Account) if state.joined.as_ref().is_some_and(Joined::is_signed_out) => {
            dispatch(AppCommand::Account(AccountCommand::OpenSignIn), window, state, now);
        }
        Command::OpenMenu(menu) => window.keyboard.menu = Some(menu),
        Command::FocusRegion { is_next } if window.grid.editor().is_some() => {
            window.leave_editor_then(AfterEditor::FocusRegion { is_next });
        }
        Command::FocusRegion { is_next } => window.keyboard.next_region = Some(is_next),
        Command::ShowShortcuts => window.overlays.is_keys_open = true,
        Command::SetDensity(density) => window.grid.density = density,
        Command::SetFlash(flash) => window.grid.flash = flash,
        Command::SetOnTop(on_top) => window.viewport.on_top = on_top,
        Command::Link(group) => window.link = Link::new(group),
        Command::OpenWindow => {
            // What is typed next is for the same cell.
            let cursors = window.list().zip(window.grid.selection.cursor.clone()).into_iter().collect();
            let (watchlist, saved) = (window.list(), SavedWindow::default());
            state.open_window(SavedWindow { watchlist, cursors, ..saved });
        }
        Command::CloseWindow => window.close(),
        // A dialog may contain typed text, and an open editor is committed first.
        Command::App(AppCommand::Quit) if window.overlays.dialog.is_some() => {}
        Command::App(AppCommand::Quit) if window.grid.editor().is_some() => {
            window.leave_editor_then(AfterEditor::Quit);
        }
        Command::App(AppCommand::Account(AccountCommand::SignOut)) => sign_out(window, state, now),
        Command::App(command) => state.execute(command, window.id(), now),
    }
    state.flush();
}

/// Signs out, once what this person is typing is committed.
fn sign_out(window: &mut Window, state: &mut AppState, now: Duration) {
    if window.grid.editor().is_some() {
        window.leave_editor_then(AfterEditor::SignOut);
    } else if state.windows.is_another_editing(window.id()) {
        state.store.notify_in(window.id(), ANOTHER_EDITS, now);
    } else {
        state.execute(AppCommand::Account(AccountCommand::SignOut), window.id(), now);
    }
}

/// Returns the name of the shown watchlist.
fn shown_name(window: &Window, state: &AppState) -> Arc<str> {
    window.list().map(|list| state.list_name(list)).unwrap_or_default()
}

/// Whether the last act may be undone or redone: in another watchlist only when the person, who has read that it is
/// there, asks a second time. What they type next would go there.
fn may_repeat(direction: Direction, window: &mut Window, state: &mut AppState, now: Duration) -> bool {
    let list = match (state.store.last_layout(window.id(), direction), direction) {
        (Some(layout), _) => window.layouts.list_of(layout),
        (None, Direction::Undo) => state.store.undo_list(window.id()),
        (None, Direction::Redo) => state.store.redo_list(window.id()),
    };
    let elsewhere = list.filter(|list| window.list().is_some_and(|shown| shown != *list));
    let told = std::mem::take(&mut window.keyboard.elsewhere);
    let Some(elsewhere) = elsewhere else { return true };
    match told.filter(|(list, at)| *list == elsewhere && now < *at + ELSEWHERE) {
        Some((_, at)) if at + READING <= now => return true,
        // It was pressed before the person could read it.
        Some(told) => window.keyboard.elsewhere = Some(told),
        None => {
            window.keyboard.elsewhere = Some((elsewhere, now));
            let (what, command) = match direction {
                Direction::Undo => ("undo", Command::Undo),
                Direction::Redo => ("redo", Command::Redo),
            };
            let (name, key) = (state.list_name(elsewhere), entry_of(&command).key());
            let text = format!(
                "The last change to {what} is in \u{201c}{name}\u{201d}. Press {key} again to {what} it there."
            );
            state.store.notify_in(window.id(), text, now);
        }
    }
    false
}

/// Undoes or redoes the last act if it is a change of the window's layout. Returns whether it was.
fn repeat_layout(window: &mut Window, state: &mut AppState, direction: Direction) -> bool {
    let Some(number) = state.store.repeat_layout(window.id(), direction) else { return false };
    if let Some((watchlist, config)) = window.layouts.repeat(number, direction) {
        window.show_list(watchlist);
        window.grid.config = config;
    }
    true
}

/// Undoes or redoes the last act, and shows it. If it is in another watchlist or not shown, a notice says what it
/// was.
fn repeat(direction: Direction, window: &mut Window, state: &mut AppState, now: Duration) {
    if !may_repeat(direction, window, state, now) {
        return;
    }
    if repeat_layout(window, state, direction) {
        return;
    }
    let (spot, done, when) = match direction {
        Direction::Undo => (state.store.undo(window.id(), now), "Undone", When::Undo),
        Direction::Redo => (state.store.redo(window.id(), now), "Redone", When::Redo),
    };
    let Some(spot) = spot else { return state.store.notify_in(window.id(), when.reason(), now) };
    let cell = match &spot.cell {
        Some((row, Some(column))) => state.store.cell_name(spot.watchlist, *row, column),
        Some((row, None)) => state.store.row_name(spot.watchlist, *row).map(|name| name.to_string()),
        None => None,
    };
    if window.list().is_some_and(|shown| shown != spot.watchlist) {
        let what = cell.as_ref().map(|cell| format!("{cell} ")).unwrap_or_default();
        let list = state.list_name(spot.watchlist);
        state.store.notify_in(window.id(), format!("{done}: {what}in \u{201c}{list}\u{201d}."), now);
    }
    let what = cell.unwrap_or_else(|| "a change".to_owned());
    window.go_to(spot, format!("{done}: {what}, which is not shown here."));
}

fn open_dialog(kind: DialogKind, window: &mut Window, state: &AppState) {
    window.overlays.dialog = Some(match kind {
        DialogKind::NewWatchlist => Dialog::new_watchlist(),
        DialogKind::Connect => Dialog::connect(state.joined_servers.clone()),
        DialogKind::Import => Dialog::import(),
        DialogKind::Export => Dialog::export(&shown_name(window, state)),
        DialogKind::Delete(list) => {
            let summaries = state.store.replica().summaries().unwrap_or_default();
            let summary = summaries.iter().find(|summary| summary.watchlist == list);
            let loaded = state.store.watchlist(list).map(|watchlist| watchlist.row_count());
            let rows = loaded.or(summary.map(|summary| summary.rows)).unwrap_or_default();
            Dialog::delete(
                list,
                &state.list_name(list),
                state.region.separators.format_count(rows, "row", "rows"),
            )
        }
        DialogKind::Rename(list) => Dialog::rename(list, &state.list_name(list)),
        DialogKind::AddColumn(list, after) => Dialog::add_column(list, after),
        DialogKind::RenameColumn(list, key) => {
            let columns = state.store.watchlist(list).map(|watchlist| watchlist.columns());
            let entry = columns.and_then(|columns| columns.get(&key));
            let title = entry.map(|entry| entry.column.title.clone()).unwrap_or_default();
            Dialog::rename_column(list, key, &title)
        }
        DialogKind::ColumnType(list, key) => {
            let columns = state.store.watchlist(list).map(|watchlist| watchlist.columns());
            let entry = columns.and_then(|columns| columns.get(&key));
            let column = entry.map(|entry| entry.column.clone());
            Dialog::column_type(list, &column.unwrap_or_else(|| Column::new(&key.0, "", ColumnKind::Text)))
        }
    });
}
