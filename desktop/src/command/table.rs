//! Every command that has a title or a key: its titles, where its keys work, and when it can run. Commands on
//! a named watchlist or column are not in the table; the constants are their titles. No other file contains a
//! title or a shortcut of a command.

use std::sync::LazyLock;

use egui::Key;

use super::{
    app::AppCommand,
    entry::{
        Entry, Scope, in_editor, in_field, in_picker, in_scope, in_window, on_clipboard, on_column, on_grid,
        on_row,
    },
    grid::{ColumnCommand, EditorCommand, GridCommand, PickerCommand, Step},
    shortcut::{Shortcut, alt, alt_letter, alt_shift, ctrl, ctrl_shift, modifiers_label, plain, shift},
    when::When,
    window::{Command, DialogKind, Menu},
};
use crate::{
    account::AccountCommand,
    follow::Group,
    preferences::{GlowSetting, Motion},
    theme::{Density, Flash, ThemeChoice},
};

/// Title of the commands that show a watchlist, whose name follows it.
pub const GO_TO: &str = "Go to";
/// Title of the commands that show a hidden column, for the menu of these columns.
pub const SHOW_HIDDEN_COLUMN: &str = "Show hidden column";
/// Title of the commands that restore a removed column, whose title follows it.
pub const RESTORE_COLUMN: &str = "Restore column";
/// Title of the commands that restore a deleted watchlist, whose name follows it.
pub const RESTORE_WATCHLIST: &str = "Restore watchlist";
/// Title of a button that restores what its notice or its row describes.
pub const RESTORE: &str = "Restore";
/// Title of a button that restores what a whole edit replaced.
pub const RESTORE_EDIT: &str = "Revert edit";
/// Title of a button that replaces a value that somebody else has set.
pub const OVERWRITE: &str = "Overwrite";
/// Title of a button that copies the values that a notice is about.
pub const COPY_VALUES: &str = "Copy values";
/// Title of the button that dismisses a notice.
pub const DISMISS: &str = "Dismiss";

/// Returns the commands in the order of the help.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let parts =
            [editing(), moving(), cells(), rows(), columns(), reading(), window(), account(), settings()];
        parts.into_iter().flatten().collect()
    });
    &ENTRIES
}

/// Returns the entry of a command that is in the table.
///
/// # Panics
/// Menus name commands of the table only.
pub fn entry_of(command: &Command) -> &'static Entry {
    let found = entries().iter().find(|entry| entry.command == *command);
    found.unwrap_or_else(|| panic!("{command:?} is not in the table of commands"))
}

fn editing() -> Vec<Entry> {
    use EditorCommand as E;
    use GridCommand as G;
    use PickerCommand as P;
    let next = "Move to the next editable cell";
    let previous = "Move to the previous editable cell";
    vec![
        on_grid("Replace the value", [], G::Type(String::new()))
            .gesture("any printable key")
            .not_in_palette(),
        on_grid("Edit cell", [plain(Key::Enter)], G::OpenAll)
            .gesture("double click")
            .describe("Enter and double click select the text; F2 puts the caret at its end"),
        on_grid("Edit cell", [plain(Key::F2)], G::Open).not_in_palette(),
        in_editor("Commit and move down", [plain(Key::Enter)], E::Commit(Step::Down)),
        in_editor("Commit and move up", [shift(Key::Enter)], E::Commit(Step::Up)),
        in_editor("Commit to all selected cells", [ctrl(Key::Enter)], E::CommitToSelection),
        in_editor(next, [plain(Key::Tab)], E::Commit(Step::Next))
            .describe("An open editor is committed first"),
        on_grid(next, [plain(Key::Tab)], G::Move(Step::Next)).not_in_palette(),
        in_editor(previous, [shift(Key::Tab)], E::Commit(Step::Previous)),
        on_grid(previous, [shift(Key::Tab)], G::Move(Step::Previous)).not_in_palette(),
        in_editor("Discard the edit", [plain(Key::Escape)], E::Discard),
        on_grid("Toggle yes/no", [plain(Key::Space)], G::Type(" ".to_owned())).not_in_palette(),
        on_grid("Open list or calendar", [alt(Key::ArrowDown)], G::OpenList),
        in_editor("Open list or calendar", [alt(Key::ArrowDown)], E::OpenList),
        in_editor("Close list or calendar", [alt(Key::ArrowUp)], E::CloseList),
        in_picker(Scope::List, "Next choice", [plain(Key::ArrowDown)], P::Choose { is_next: true }),
        in_picker(Scope::List, "Previous choice", [plain(Key::ArrowUp)], P::Choose { is_next: false }),
        in_picker(Scope::Calendar, "Go to another day", [plain(Key::ArrowLeft)], P::Days(-1)),
        in_picker(Scope::Calendar, "Go to another day", [plain(Key::ArrowRight)], P::Days(1)),
        in_picker(Scope::Calendar, "Go to another day", [plain(Key::ArrowUp)], P::Days(-7)),
        in_picker(Scope::Calendar, "Go to another day", [plain(Key::ArrowDown)], P::Days(7)),
        in_picker(Scope::Calendar, "Previous month", [plain(Key::PageUp)], P::Months(-1)),
        in_picker(Scope::Calendar, "Next month", [plain(Key::PageDown)], P::Months(1)),
        in_editor("Increase the edited number by one step", [ctrl(Key::ArrowUp)], E::StepNumber { up: true }),
        in_editor(
            "Decrease the edited number by one step",
            [ctrl(Key::ArrowDown)],
            E::StepNumber { up: false },
        ),
    ]
}

fn moving() -> Vec<Entry> {
    use Step as S;
    let steps = [
        (Key::ArrowUp, S::Up),
        (Key::ArrowDown, S::Down),
        (Key::ArrowLeft, S::Left),
        (Key::ArrowRight, S::Right),
        (Key::Home, S::RowStart),
        (Key::End, S::RowEnd),
        (Key::PageUp, S::PageUp),
        (Key::PageDown, S::PageDown),
    ];
    let edges = [
        (Key::ArrowUp, S::Top),
        (Key::ArrowDown, S::Bottom),
        (Key::ArrowLeft, S::FarLeft),
        (Key::ArrowRight, S::FarRight),
    ];
    let keys = |title, shortcut, command| on_grid(title, [shortcut], command).not_in_palette();
    let mut entries = Vec::new();
    for (key, step) in steps {
        entries.push(keys("Move the cursor", plain(key), GridCommand::Move(step)));
        entries.push(keys("Extend the selection", shift(key), GridCommand::Extend(step)));
    }
    // In an editor that was opened by typing, the arrows leave the cell.
    for (key, step) in steps.into_iter().take(4) {
        entries.push(in_editor("Move the cursor", [plain(key)], EditorCommand::Leave(step)));
    }
    for (key, step) in edges {
        entries.push(keys("Move to the edge of the data", ctrl(key), GridCommand::Move(step)));
        let title = "Extend the selection to the edge of the data";
        entries.push(keys(title, ctrl_shift(key), GridCommand::Extend(step)));
    }
    entries.push(on_grid("Go to first cell", [ctrl(Key::Home)], GridCommand::Move(S::First)));
    entries.push(on_grid("Go to last cell", [ctrl(Key::End)], GridCommand::Move(S::Last)));
    let first = "Extend the selection to the first cell";
    entries.push(on_grid(first, [ctrl_shift(Key::Home)], GridCommand::Extend(S::First)));
    let last = "Extend the selection to the last cell";
    entries.push(on_grid(last, [ctrl_shift(Key::End)], GridCommand::Extend(S::Last)));
    entries
}

fn cells() -> Vec<Entry> {
    use GridCommand as G;
    vec![
        on_grid("Select all", [ctrl(Key::A)], G::SelectAll),
        on_grid("Select entire rows", [shift(Key::Space)], G::SelectRows).describe(format!(
            "Dragging, Shift+click, {}click and the row numbers also select",
            modifiers_label(egui::Modifiers::COMMAND)
        )),
        on_grid("Select entire columns", [ctrl(Key::Space)], G::SelectColumns),
        on_grid("Clear the selection", [plain(Key::Escape)], G::Escape)
            .describe("Without a selection, dismisses the newest notice")
            .not_in_palette(),
        on_row("Clear selected cells", [plain(Key::Delete), plain(Key::Backspace)], G::Clear)
            .short("Clear cells")
            .also("delete values, empty"),
        on_clipboard("Cut", [ctrl(Key::X)], G::Cut),
        on_clipboard("Copy", [ctrl(Key::C)], G::Copy),
        on_clipboard("Paste", [ctrl(Key::V)], G::RequestPaste)
            .describe("Excel, LibreOffice and Google Sheets can copy and paste the same cells"),
        on_row("Fill down", [ctrl(Key::D)], G::FillDown),
        on_row("Fill right", [ctrl(Key::R)], G::FillRight),
        on_grid("Undo", [ctrl(Key::Z)], Command::Undo)
            .describe("Undoes and redoes your own edits in this window")
            .also("revert, take back")
            .when(When::Undo),
        on_grid("Redo", [ctrl_shift(Key::Z), ctrl(Key::Y)], Command::Redo).when(When::Redo),
    ]
}

fn rows() -> Vec<Entry> {
    use GridCommand as G;
    vec![
        on_grid("Insert row above", [plain(Key::Insert)], G::InsertAbove)
            .describe("Typing in the empty last row also adds a row"),
        on_grid("Insert row below", [alt(Key::Insert)], G::InsertBelow),
        on_grid("Insert section above", [ctrl_shift(Key::Enter)], G::InsertSection)
            .describe("A section is a title across the list, within which rows are sorted")
            .when(When::ListOrder),
        on_row("Duplicate selected rows", [ctrl_shift(Key::D)], G::Duplicate),
        on_row("Move selected rows up", [alt_shift(Key::ArrowUp)], G::MoveRows { up: true })
            .describe("Dragging their row numbers also moves them"),
        on_row("Move selected rows down", [alt_shift(Key::ArrowDown)], G::MoveRows { up: false }),
        on_row("Remove selected rows", [ctrl(Key::Delete)], G::RemoveRows)
            .short("Remove rows")
            .also("delete rows"),
        on_grid("Open the menu of the selected rows", [shift(Key::F10), plain(Key::Menu)], G::OpenMenu)
            .describe("If entire columns are selected, the menu of the column")
            .not_in_palette(),
    ]
}

fn columns() -> Vec<Entry> {
    use ColumnCommand as C;
    use GridCommand as G;
    let ctrl_alt_shift_s =
        Shortcut { modifiers: egui::Modifiers::ALT | ctrl_shift(Key::S).modifiers, key: Key::S };
    vec![
        on_grid("Open the menu of the column", [alt_letter(Key::C)], G::OpenColumnMenu)
            .when(When::Column)
            .not_in_palette(),
        on_column("Sort by this column", [ctrl_shift(Key::S)], C::CycleSort { keep_others: false })
            .describe("A click on its header does the same"),
        on_column("Add this column to the sort", [ctrl_alt_shift_s], C::CycleSort { keep_others: true })
            .describe("Shift and a click on its header do the same"),
        on_column("Sort ascending", [], C::Sort { descending: false }).also("order, smallest first, A to Z"),
        on_column("Sort descending", [], C::Sort { descending: true }).also("order, largest first, Z to A"),
        on_grid("Clear sort", [], G::ClearSort).when(When::Sorted).also("reset order, list order, unsort"),
        on_grid("Sort again", [plain(Key::F5)], G::SortAgain)
            .describe("Sorts once while live sorting is paused")
            .when(When::PausedSort),
        on_grid("Pause live sorting", [], G::PauseSort(true)).when(When::LiveSort).also("hold, freeze order"),
        on_grid("Resume live sorting", [], G::PauseSort(false)).when(When::PausedSort),
        on_column("Filter rows", [ctrl_shift(Key::L)], C::Filter)
            .describe("By text, =text, !text, >70, 70..80 or empty"),
        on_grid("Clear filters", [], G::ClearFilters)
            .when(When::Filtered)
            .also("remove, reset, show all rows"),
        in_field(Scope::FilterRow, "Close the filter row", [ctrl_shift(Key::L)], G::ClearFilters),
        in_field(
            Scope::FilterRow,
            "Return to the rows",
            [plain(Key::Enter), plain(Key::ArrowDown)],
            G::LeaveFilter,
        ),
        in_field(
            Scope::FilterRow,
            "Clear the filter of the column and return to the rows",
            [plain(Key::Escape)],
            G::ClearFilter,
        ),
        on_column("Hide column", [], C::Hide).when(When::OtherColumns).also("remove column from this window"),
        on_grid("Show hidden columns", [], G::ShowAllColumns).when(When::HiddenColumns),
        on_column("Freeze columns up to this one", [], C::Freeze).also("pin, lock, split"),
        on_grid("Freeze only the first column", [], G::FreezeFirst)
            .when(When::FrozenColumns)
            .also("unfreeze, unpin"),
        on_column("Auto-fit column width", [], C::Fit).also("fit to content, resize"),
        on_column("Widen column", [], C::Width { wider: true }),
        on_column("Narrow column", [], C::Width { wider: false }),
        on_column("Move column left", [], C::Move { right: false }),
        on_column("Move column right", [], C::Move { right: true }),
        on_column("More decimals", [], C::Decimals { more: true })
            .when(When::Decimals)
            .also("digits, precision"),
        on_column("Fewer decimals", [], C::Decimals { more: false }).when(When::Decimals),
        on_column("Show or hide sparkline", [], C::ToggleSparkline)
            .when(When::Sparkline)
            .also("chart, trend"),
        on_column("Add column\u{2026}", [], C::Add).also("new, insert column"),
        on_column("Rename column\u{2026}", [], C::Rename),
        on_column("Change column type\u{2026}", [], C::ChangeType)
            .when(When::StoredColumn)
            .also("kind, format, convert, number, text, percent"),
        on_column("Remove column for everyone", [], C::Remove).when(When::StoredColumn).also("delete column"),
    ]
}

fn reading() -> Vec<Entry> {
    use GridCommand as G;
    let (next, previous) = ("Find next", "Find previous");
    vec![
        on_grid("Find", [ctrl(Key::F)], G::Find)
            .also("search, quick filter, look for")
            .describe("Finds text in all columns, or =text in whole cells. A switch in the find bar shows only the rows that match"),
        on_grid(next, [plain(Key::F3)], G::FindAdjacent { is_next: true })
            .short("Next")
            .describe("Enter works in the find bar only"),
        in_field(Scope::FindBar, next, [plain(Key::F3), plain(Key::Enter)], G::FindAdjacent { is_next: true }),
        on_grid(previous, [shift(Key::F3)], G::FindAdjacent { is_next: false })
            .short("Previous")
            .describe("Shift+Enter works in the find bar only"),
        in_field(Scope::FindBar, previous, [shift(Key::F3), shift(Key::Enter)], G::FindAdjacent { is_next: false }),
        in_field(Scope::FindBar, "Show only matching rows", [alt_letter(Key::F)], G::ToggleFindFilter),
        in_field(Scope::FindBar, "Close find bar", [plain(Key::Escape)], G::CloseFind).short("Close"),
        on_row("Show recent changes", [shift(Key::F2)], G::History).describe(
            "The last five changes of the cell: who, when, the old and the new value. Hovering over a cell also shows \
             them, and a value that does not fit in its cell",
        ),
        on_row("Show cell history", [], G::ShowHistory),
        in_window("Show or hide history", [ctrl(Key::H)], Command::ToggleHistory)
            .short("History")
            .also("log, audit, changes, who")
            .describe(
                "All changes, or those of a row, a column or a person. Old values and removed rows have a Restore \
                 button",
            )
            .when(When::List),
        in_window("Show newer changes", [], AppCommand::RequestLog { older: false }).not_in_palette(),
        in_window("Show older changes", [], AppCommand::RequestLog { older: true }).not_in_palette(),
    ]
}

fn window() -> Vec<Entry> {
    let (next, previous) = (ctrl(Key::PageDown), ctrl(Key::PageUp));
    let (next_tab, previous_tab) = (ctrl(Key::Tab), ctrl_shift(Key::Tab));
    vec![
        in_window("Next watchlist", [next, next_tab], Command::ShowAdjacent { is_next: true })
            .when(When::OtherLists),
        in_window("Previous watchlist", [previous, previous_tab], Command::ShowAdjacent { is_next: false })
            .when(When::OtherLists),
        in_window("Go to watchlist\u{2026}", [ctrl(Key::G)], Command::OpenListPicker)
            .also("all watchlists, open, switch, tabs")
            .when(When::OtherLists),
        in_window("New watchlist\u{2026}", [], Command::OpenDialog(DialogKind::NewWatchlist))
            .also("create, add tab"),
        in_window("Import CSV file\u{2026}", [], Command::OpenDialog(DialogKind::Import))
            .also("open file, load, Excel"),
        in_window("Export to file\u{2026}", [ctrl(Key::E)], Command::OpenDialog(DialogKind::Export))
            .also("save as CSV or TSV, download, Excel, backup")
            .when(When::List),
        in_window("Rename watchlist\u{2026}", [], Command::RenameShownList).when(When::List),
        in_window("Share watchlist\u{2026}", [], Command::ShareShownList)
            .when(When::SharedList)
            .also("access, permissions, rights, people"),
        in_window("Delete watchlist\u{2026}", [], Command::DeleteShownList)
            .short("Delete watchlist")
            .also("remove tab, close watchlist")
            .when(When::List),
        in_window("Command palette", [ctrl(Key::K)], Command::OpenPalette).not_in_palette(),
        in_window("Keyboard shortcuts", [plain(Key::F1)], Command::ShowShortcuts).also("help, keys, manual"),
        in_window(
            "Move to the next part of the window",
            [plain(Key::F6)],
            Command::FocusRegion { is_next: true },
        )
        .describe("Tabs, bar, find bar, filter row, rows, history and notices. Esc returns to the rows")
        .not_in_palette(),
        in_window(
            "Move to the previous part of the window",
            [shift(Key::F6)],
            Command::FocusRegion { is_next: false },
        )
        .not_in_palette(),
        in_window("Settings", [plain(Key::F10), alt_letter(Key::S)], Command::OpenMenu(Menu::Settings))
            .also("options, preferences, configure"),
        in_window("New, import or restore watchlist", [alt_letter(Key::N)], Command::OpenMenu(Menu::New))
            .not_in_palette(),
        in_window("Link windows", [alt_letter(Key::L)], Command::OpenMenu(Menu::Link))
            .describe("Windows of the same colour follow each other's list and row")
            .also("group, colour, follow"),
        in_scope(
            Scope::WindowWithoutText,
            "Keyboard shortcuts",
            [plain(Key::Questionmark)],
            Command::ShowShortcuts,
        )
        .not_in_palette(),
        in_scope(Scope::Program, "New window", [ctrl(Key::N)], Command::OpenWindow).also("second, another"),
        in_window("Close window", [ctrl(Key::W)], Command::CloseWindow),
        in_window("Keep this window on top", [], Command::SetOnTop(true)).when(When::NotOnTop),
        in_window("Do not keep this window on top", [], Command::SetOnTop(false)).when(When::OnTop),
        in_scope(Scope::Program, "Zoom in", [ctrl(Key::Plus), ctrl(Key::Equals)], AppCommand::Zoom(0.1))
            .also("larger, bigger, font size"),
        in_scope(Scope::Program, "Zoom out", [ctrl(Key::Minus)], AppCommand::Zoom(-0.1))
            .also("smaller, font size"),
        in_scope(Scope::Program, "Reset zoom", [ctrl(Key::Num0)], AppCommand::ResetZoom).also("100 %"),
        in_window("Reconnect now", [], AppCommand::Reconnect).when(When::Offline).also("retry, connect"),
        in_window("Join", [], AppCommand::Join).not_in_palette(),
        in_scope(Scope::Program, "Quit", [ctrl(Key::Q)], AppCommand::Quit)
            .also("exit, close program")
            .describe("All windows open again at the next start"),
    ]
}

fn account() -> Vec<Entry> {
    vec![
        in_window("Account", [alt_letter(Key::A)], Command::OpenMenu(Menu::Account))
            .when(When::SignedIn)
            .not_in_palette(),
        in_window("My account\u{2026}", [], Command::OpenAccount)
            .when(When::SignedIn)
            .also("sessions, password, devices"),
        in_window("Sign in\u{2026}", [], AppCommand::Account(AccountCommand::OpenSignIn))
            .when(When::SignedOut)
            .also("log in, account"),
        in_window("Sign out", [], AppCommand::Account(AccountCommand::SignOut))
            .when(When::SignedIn)
            .also("log out, leave"),
        in_window("Not now", [], AppCommand::Account(AccountCommand::CloseSignIn))
            .describe(
                "You can look at the last copies and edit them; your edits are sent once you have signed in",
            )
            .not_in_palette(),
        in_window("Connect to another server\u{2026}", [], Command::OpenDialog(DialogKind::Connect))
            .also("join, desk, remote"),
    ]
}

fn settings() -> Vec<Entry> {
    let plain = |title, command: Command| in_window(title, [], command).also("settings");
    let glow = |title, short, setting| {
        in_window(title, [], AppCommand::SetGlow(setting)).short(short).also("settings")
    };
    let link = |title, short, group| in_window(title, [], Command::Link(Some(group))).short(short);
    vec![
        plain("Compact rows", Command::SetDensity(Density::Compact)),
        plain("Comfortable rows", Command::SetDensity(Density::Comfortable)),
        plain("System theme", AppCommand::SetTheme(ThemeChoice::System).into()),
        plain("Dark theme", AppCommand::SetTheme(ThemeChoice::Dark).into()),
        plain("Light theme", AppCommand::SetTheme(ThemeChoice::Light).into()),
        plain("Toggle colour-blind palette", AppCommand::ToggleColourBlind.into())
            .short("Colour-blind palette")
            .also("settings, accessibility, red, green"),
        plain("Announce cells changed by others", AppCommand::ToggleAnnouncements.into())
            .also("settings, accessibility, screen reader"),
        glow("Glow: Off", "Off", GlowSetting::Seconds(0)),
        glow("Glow: 1 s", "1 s", GlowSetting::Seconds(1)),
        glow("Glow: 2 s", "2 s", GlowSetting::Seconds(2)),
        glow("Glow: 5 s", "5 s", GlowSetting::Seconds(5)),
        glow("Glow: 10 s", "10 s", GlowSetting::Seconds(10)),
        plain("Glow: Highlight row in this window", Command::SetFlash(Flash::Row))
            .short("Highlight row in this window")
            .also("settings, flash"),
        plain("Glow: Highlight cell only in this window", Command::SetFlash(Flash::Cell))
            .short("Highlight cell only in this window")
            .also("settings, flash"),
        glow(
            "Glow: Follow system motion setting",
            "Follow system motion setting",
            GlowSetting::Motion(Motion::System),
        ),
        glow("Glow: Always fade", "Always fade", GlowSetting::Motion(Motion::Fade)),
        glow("Glow: Never fade", "Never fade", GlowSetting::Motion(Motion::Still)),
        link("Link this window to group blue", "Blue", Group::Blue),
        link("Link this window to group green", "Green", Group::Green),
        link("Link this window to group orange", "Orange", Group::Orange),
        link("Link this window to group purple", "Purple", Group::Purple),
        plain("Unlink this window", Command::Link(None)).short("Not linked").when(When::Linked),
    ]
}
