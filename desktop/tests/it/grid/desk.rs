//! A grid on a watchlist of its own, without a server: what it asks for is done at once.

use std::{cell::Cell, time::Duration};

use desktop::{
    grid::{self, GridAction, GridState, GridView, PersonAt},
    panels::status::{self, Status},
    store::{glow::Glow, history::CellHistory, trails::Trails},
    theme::{self, Palette},
};
use egui::{Event, Key, Modifiers, OutputCommand, Panel, PointerButton, Pos2, Vec2};
use egui_kittest::{
    Harness, HarnessBuilder,
    kittest::{NodeT, Queryable},
};
use shared::{
    column::{Column, ColumnKey, ColumnKind, standard_columns},
    edit::Change,
    ids::{Revision, RowId, WindowId},
    limits::Limits,
    number::Separators,
    position::Position,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

/// What the grid shows, and what it asked for.
pub struct Desk {
    pub watchlist: Watchlist,
    pub grid: GridState,
    pub edits: Vec<Vec<Change>>,
    pub said: Vec<String>,
    pub copied: String,
    pub separators: Separators,
    pub trails: Option<Trails>,
    pub history: Option<CellHistory>,
    pub glow: Option<Glow>,
    pub people: Vec<PersonAt>,
    pub pending: Vec<(RowId, ColumnKey)>,
    pub look: Look,
    /// The present moment, and how far it goes on from frame to frame.
    pub now: Duration,
    pub pace: Duration,
    has_theme: bool,
    next_row: Cell<u128>,
}

/// How it looks.
#[derive(Clone, Copy)]
pub struct Look {
    pub theme: egui::Theme,
    pub colour_blind: bool,
    /// Whether nothing but the grid and the bar below it is shown.
    pub is_picture: bool,
}

pub struct Seat(pub Harness<'static, Desk>);

pub fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// A seat at rows 1, 2, 3 … with a symbol, a price and a note each.
pub fn seat(rows: &[(&str, &str, &str)]) -> Seat {
    let limits = Limits::default();
    let mut columns = standard_columns();
    columns.push(Column::new("done", "Done", ColumnKind::Flag));
    columns.push(Column::new(
        "side",
        "Side",
        ColumnKind::Choice(vec!["buy".into(), "hold".into(), "sell".into()]),
    ));
    columns.push(Column::new("due", "Due", ColumnKind::Time));
    let mut watchlist = Watchlist::new("Core book", columns, &limits).unwrap();
    let positions = Position::between(None, None, rows.len()).unwrap();
    for (((symbol, price, note), position), number) in rows.iter().zip(&positions).zip(1..) {
        let cells = [("symbol", symbol), ("price", price), ("note", note)]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.into(), Literal::from(*text)));
        let insert = Change::insert(row(number), position, cells.collect());
        watchlist.apply(&[insert], &Mode::Pending { limits: &limits }).unwrap();
    }
    let look = Look { theme: egui::Theme::Dark, colour_blind: false, is_picture: false };
    let builder = Harness::builder().with_size(Vec2::new(1500.0, 600.0)).with_step_dt(1.0 / 60.0);
    Seat::at(Desk::of(watchlist, look), builder)
}

/// Three rows as most tests use them.
pub fn three() -> Seat {
    seat(&[("AAA", "30", ""), ("BBB", "20", "second"), ("CCC", "10", "")])
}

impl Desk {
    pub fn of(watchlist: Watchlist, look: Look) -> Self {
        Self {
            watchlist,
            grid: GridState::default(),
            edits: Vec::new(),
            said: Vec::new(),
            copied: String::new(),
            separators: Separators::Point,
            trails: None,
            history: None,
            glow: None,
            people: Vec::new(),
            pending: Vec::new(),
            look,
            now: Duration::from_secs(100),
            pace: Duration::from_millis(300),
            has_theme: false,
            next_row: Cell::new(1_000),
        }
    }

    fn frame(ui: &mut egui::Ui, desk: &mut Self) {
        if !std::mem::replace(&mut desk.has_theme, true) {
            // The fonts are there from the next frame on.
            theme::install(ui.ctx());
            theme::paint(ui.ctx(), desk.look.colour_blind);
            ui.ctx().set_theme(desk.look.theme);
            return;
        }
        desk.now += desk.pace;
        let palette = Palette::of(desk.look.theme, desk.look.colour_blind);
        let new_row = || {
            desk.next_row.set(desk.next_row.get() + 1);
            row(desk.next_row.get())
        };
        let view = GridView {
            watchlist: &desk.watchlist,
            glow: desk.glow.as_ref(),
            window: WindowId(1),
            now: desk.now,
            pending: &|row, column| desk.pending.iter().any(|(at, of)| *at == row && of == column),
            trails: desk.trails.as_ref(),
            history: desk.history.as_ref(),
            author: Some("bob".to_owned()),
            people: &desk.people,
            palette,
            zone: &jiff::tz::TimeZone::UTC,
            today: jiff::civil::date(2026, 11, 22),
            separators: desk.separators,
            new_row: &new_row,
            takes_keys: true,
        };
        if desk.look.is_picture {
            ui.painter().rect_filled(ui.ctx().content_rect(), 0, palette.bars);
            status_bar(ui, &desk.watchlist, &desk.grid, palette);
        } else {
            // Something else that could take the keyboard.
            drop(ui.button("Elsewhere"));
        }
        let asked = grid::show(ui, &mut desk.grid, &view);
        for action in asked {
            match action {
                GridAction::Edit(changes) => {
                    desk.change(&changes);
                    desk.edits.push(changes);
                }
                GridAction::Say(text) => desk.said.push(text),
                other => desk.said.push(format!("{other:?}")),
            }
        }
        ui.output(|output| {
            for command in &output.commands {
                if let OutputCommand::CopyText(text) = command {
                    desk.copied.clone_from(text);
                }
            }
        });
    }

    /// Changes the watchlist, as an accepted edit does.
    pub fn change(&mut self, changes: &[Change]) {
        let limits = Limits { changes: usize::MAX, ..Limits::default() };
        self.watchlist.apply(changes, &Mode::Pending { limits: &limits }).unwrap();
    }
}

fn status_bar(ui: &mut egui::Ui, watchlist: &Watchlist, grid: &GridState, palette: &Palette) {
    let bar = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 0));
    let panel = Panel::bottom("status bar").exact_size(theme::STATUS_BAR).show_separator_line(false);
    let status = Status {
        unserved: None,
        rows: Some((watchlist.rows().len(), grid.table(watchlist).len())),
        sums: grid.sums().get(),
        is_held: false,
        waiting: 0,
        revision: Some(Revision(44)),
        separators: Separators::Point,
    };
    panel.frame(bar).show(ui, |ui| status::show(ui, &status, palette));
}

impl Seat {
    pub fn at(desk: Desk, builder: HarnessBuilder<Desk>) -> Self {
        let mut harness = builder.build_ui_state(Desk::frame, desk);
        harness.run_steps(3);
        Self(harness)
    }

    pub fn desk(&mut self) -> &mut Desk {
        self.0.state_mut()
    }

    pub fn frames(&mut self) {
        self.0.run_steps(3);
    }

    /// Somebody else changes the watchlist.
    pub fn others(&mut self, changes: &[Change]) {
        self.desk().change(changes);
        self.frames();
    }

    pub fn key(&mut self, key: Key) {
        self.keys(Modifiers::NONE, key);
    }

    pub fn keys(&mut self, modifiers: Modifiers, key: Key) {
        self.0.key_press_modifiers(modifiers, key);
        self.frames();
    }

    pub fn repeat(&mut self, times: usize, key: Key) {
        (0..times).for_each(|_| self.key(key));
    }

    pub fn text(&mut self, text: &str) {
        self.0.event(Event::Text(text.to_owned()));
        self.frames();
    }

    pub fn event(&mut self, event: Event) {
        self.0.event(event);
        self.frames();
    }

    pub fn paste(&mut self, text: &str) {
        self.event(Event::Paste(text.to_owned()));
    }

    /// Clicks so quickly that it is pressed and released within one frame.
    pub fn quick_click(&mut self, at: Pos2) {
        let button = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        self.0.input_mut().events.extend([Event::PointerMoved(at), button(true), button(false)]);
        self.frames();
    }

    /// Drags what is at a point to another.
    pub fn drag(&mut self, from: Pos2, to: Pos2) {
        self.0.drag_at(from);
        self.frames();
        for share in [0.5, 1.0] {
            self.0.hover_at(from + (to - from) * share);
            self.frames();
        }
        self.0.drop_at(to);
        self.frames();
    }

    /// Puts the cursor on a cell by its place.
    pub fn go(&mut self, rows: usize, columns: usize) {
        self.keys(Modifiers::COMMAND, Key::Home);
        self.repeat(rows, Key::ArrowDown);
        self.repeat(columns, Key::ArrowRight);
    }

    /// What a screen reader says of a cell.
    pub fn cell(&self, name: &str) -> String {
        self.0.get_by_label(name).value().unwrap_or_default()
    }

    /// The symbols from the top, as a screen reader goes through them.
    pub fn symbols(&self) -> Vec<String> {
        let mut headers: Vec<_> = self.0.get_all_by_role(egui::accesskit::Role::RowHeader).collect();
        headers.sort_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
        headers.iter().filter_map(|header| header.value()).collect()
    }

    /// What is typed in the open editor, if one is open.
    pub fn editor(&self) -> Option<String> {
        self.desk_ref().grid.editor.as_ref().map(|editor| editor.text.clone())
    }

    pub fn desk_ref(&self) -> &Desk {
        self.0.state()
    }

    /// The cell that the cursor is on, by name, as a screen reader is told.
    pub fn focused(&self) -> Option<String> {
        let grid = self.0.get_by_role(egui::accesskit::Role::Grid);
        let active = grid.accesskit_node().active_descendant()?;
        active.label()
    }
}

/// Every text that the last frame painted.
pub fn painted(seat: &Seat) -> Vec<String> {
    fn texts(shape: &egui::Shape, into: &mut Vec<String>) {
        match shape {
            egui::Shape::Text(text) => {
                let rows = text.galley.rows.iter();
                into.push(rows.flat_map(|row| row.glyphs.iter().map(|glyph| glyph.chr)).collect());
            }
            egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| texts(shape, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    seat.0.output().shapes.iter().for_each(|clipped| texts(&clipped.shape, &mut found));
    found
}
