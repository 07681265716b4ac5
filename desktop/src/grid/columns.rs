//! Column commands, from the column menu or the command palette.

use egui::Ui;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{Change, ColumnRef, SetColumn},
    limits::Limits,
    value::{Literal, Value},
    watchlist::ColumnEntry,
};

use super::{
    config::GridConfig,
    filter::display_text,
    filters::Filters,
    layout::Layout,
    metrics::{ARROW, MAX_WIDTH, MIN_WIDTH, PADDING},
    order::SortKey,
    table::{guarded_set, is_editable},
    typed::read_typed,
    view::Frame,
    view_column::{ViewColumn, can_have_sparkline},
};
use crate::{
    command::{ColumnCommand, Command, DialogKind, When},
    theme,
};

/// Number of rows that a column is fitted to, around the visible ones.
const FITTED: usize = 2_000;
/// Step by which a command changes a column's width, in points.
const STEP: f32 = 16.0;
/// Maximum number of decimals.
const MAX_DECIMALS: u32 = 12;
/// Maximum number of decimals that a column of texts shows once they are numbers.
const MAX_GUESSED: u32 = 8;

/// Executes a column command. Returns a command for the application if it reaches beyond the window's own
/// columns.
pub(super) fn execute_column_command(
    ui: &Ui,
    (config, filters): (&mut GridConfig, &mut Filters),
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    command: ColumnCommand,
) -> Option<Command> {
    let table = frame.table;
    if command == ColumnCommand::Show {
        config.hidden.remove(key);
    }
    let column = table.column(key)?;
    // Commands that affect everyone apply to the column that a sparkline draws.
    let own = column.source().clone();
    let index = table.column_index(key).unwrap_or(0);
    match command {
        ColumnCommand::Sort { descending } => config.sort = vec![SortKey { column: own, descending }],
        ColumnCommand::CycleSort { keep_others } => config.sort_by(&own, keep_others),
        ColumnCommand::Filter => filters.open(config, own),
        ColumnCommand::Hide => match column {
            ViewColumn::Sparkline { of, .. } => drop(config.sparklines.remove(of)),
            ViewColumn::Data(_) if table.columns().len() > 1 => drop(config.hidden.insert(key.clone())),
            ViewColumn::Data(_) => return Some(Command::notify("The last column cannot be hidden.")),
        },
        // It is shown from the next frame on.
        ColumnCommand::Show => {}
        ColumnCommand::Freeze => config.frozen = index + 1,
        ColumnCommand::ToggleSparkline => {
            if column.data().is_some_and(can_have_sparkline) {
                config.toggle_sparkline(key);
            } else {
                return Some(Command::notify(When::Sparkline.reason()));
            }
        }
        ColumnCommand::Decimals { more } => set_decimals(config, column.data()?, more),
        ColumnCommand::Fit => fit(ui, config, frame, layout, key),
        ColumnCommand::Width { wider } => {
            let current = layout.column(key).map_or(MIN_WIDTH, |column| column.width);
            let width = if wider { current + STEP } else { current - STEP };
            config.widths.insert(key.clone(), width.clamp(MIN_WIDTH, MAX_WIDTH));
        }
        ColumnCommand::Move { right } => {
            let before = if right { index + 2 } else { index.saturating_sub(1) };
            if right || index > 0 {
                let before = table.columns().get(before).map(|column| column.key().clone());
                config.place(frame.view.watchlist, key, before.as_ref());
            }
        }
        ColumnCommand::Add => return Some(Command::OpenDialog(DialogKind::AddColumn(frame.view.id, own))),
        ColumnCommand::Rename => {
            return Some(Command::OpenDialog(DialogKind::RenameColumn(frame.view.id, own)));
        }
        ColumnCommand::ChangeType => {
            return Some(Command::OpenDialog(DialogKind::ColumnType(frame.view.id, own)));
        }
        ColumnCommand::Remove => {
            if !column.data().is_some_and(is_editable) {
                let text = format!(
                    "{} is a computed column and cannot be removed. Hide it instead.",
                    column.title()
                );
                return Some(Command::notify(text));
            }
            return Some(frame.view.edit(vec![Change::RemoveColumn(ColumnRef { key: key.clone() })]));
        }
    }
    None
}

/// Changes the type of a column. A text that the new type stores in another form is converted in the same edit.
/// If a value cannot be converted, nothing is changed, and a notice shows the first such value.
pub(super) fn change_type(frame: &Frame<'_>, mut set: SetColumn) -> Command {
    let view = frame.view;
    let (Some(kind), Ok(entry)) = (&mut set.kind, view.watchlist.columns().visible_column(&set.key)) else {
        return view.edit(vec![Change::SetColumn(set)]);
    };
    let limits = Limits::default();
    let (mut changes, mut lost, mut scale) = (Vec::new(), Vec::new(), None);
    for row in view.watchlist.rows().iter() {
        let value = row.stored(entry.slot);
        if value.is_empty() {
            continue;
        }
        let converted = kind.convert(value, &limits);
        let is_exact = converted.is_some();
        let typed = || match (&entry.column.kind, value) {
            (ColumnKind::Text, Value::Text(text)) => read_typed(kind, text, None, view).ok(),
            _ => None,
        };
        let Some(converted) = converted.or_else(typed) else {
            lost.push((row, value));
            continue;
        };
        scale = scale.max(converted.as_number().map(|number| number.normalize().scale()));
        if !is_exact {
            // The column still has texts at this moment of the edit.
            let written = match converted.to_literal() {
                Literal::Flag(flag) => Literal::Text(flag.to_string().into()),
                other => other,
            };
            changes.push(guarded_set(row.id, entry, written, value));
        }
    }
    if let ColumnKind::Number { decimals } | ColumnKind::Percent { decimals } = kind {
        let guessed = || scale.unwrap_or(2).min(MAX_GUESSED);
        *decimals = u8::try_from(entry.column.kind.decimals().unwrap_or_else(guessed)).unwrap_or(u8::MAX);
    }
    if let Some((row, value)) = lost.first() {
        let first = frame.table.columns().first().map(|first| frame.text(row, first)).unwrap_or_default();
        let others = match lost.len() - 1 {
            0 => String::new(),
            count => format!(" and {}", view.separators.format_count(count, "other", "others")),
        };
        let text = display_text(value, view.value_format(&entry.column.kind));
        return Command::notify(format!(
            "The type was not changed: \u{201c}{text}\u{201d} of {first}{others} cannot be converted. Change or clear it \
             first."
        ));
    }
    if changes.len() >= limits.changes {
        return Command::notify("The type was not changed: too many values would have to be converted.");
    }
    changes.push(Change::SetColumn(set));
    view.edit(changes)
}

fn set_decimals(config: &mut GridConfig, entry: &ColumnEntry, more: bool) {
    let Some(current) = entry.column.kind.decimals() else { return };
    let decimals = if more { (current + 1).min(MAX_DECIMALS) } else { current.saturating_sub(1) };
    config.decimals.extend(u8::try_from(decimals).ok().map(|decimals| (entry.column.key.clone(), decimals)));
}

/// Fits a column's width to its content.
pub(super) fn fit(ui: &Ui, config: &mut GridConfig, frame: &Frame<'_>, layout: &Layout, key: &ColumnKey) {
    let Some(column) = frame.table.column(key) else { return };
    let first = layout.visible_rows().start.saturating_sub(FITTED / 2);
    let rows = (first..(first + FITTED).min(frame.table.len())).filter_map(|index| frame.table.row_at(index));
    // A section title spans the list, so it does not need a wide first column.
    let rows = rows.filter(|row| !frame.table.is_section(row));
    let texts = rows.map(|row| frame.text(row, column));
    let width_of = |text: String, font: egui::FontId| {
        ui.painter().layout_no_wrap(text, font, egui::Color32::PLACEHOLDER).size().x
    };
    let longest = texts.max_by_key(|text| text.chars().count()).unwrap_or_default();
    let title = width_of(column.title().to_string(), theme::small());
    let arrow = if column.is_numeric() { ARROW } else { 0.0 };
    let width = width_of(longest, theme::strong()).max(title) + 2.0 * PADDING + arrow + 4.0;
    config.widths.insert(key.clone(), width.clamp(MIN_WIDTH, MAX_WIDTH));
}
