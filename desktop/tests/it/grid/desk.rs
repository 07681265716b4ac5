//! A test harness with a grid and a watchlist but no server: requested edits are applied immediately.

use std::{cell::Cell, time::Duration};

use desktop::{
    command::{AppCommand, Command},
    grid::{self, GridState, GridView, PersonAt},
    panels::status::{self, Status},
    store::{
        glow::Glow,
        history::CellHistory,
        recent::{REACTION, Recent},
        sparklines::SparklineValues,
    },
    theme::{self, Palette},
};
use egui::{Color32, Event, Key, Modifiers, OutputCommand, Panel, PointerButton, Pos2, Rect, Vec2};
use egui_kittest::{
    Harness, HarnessBuilder,
    kittest::{NodeT, Queryable},
};
use shared::{
    account::ListRole,
    column::{Column, ColumnKey, ColumnKind, standard_columns},
    edit::Change,
    ids::{Revision, RowId, WatchlistId, WindowId},
    limits::Limits,
    number::Separators,
    position::Position,
    replica::Effect,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

/// Id of the watchlist under test.
pub const LIST: WatchlistId = WatchlistId(Uuid::from_u128(1));

/// The application under test: one field for each thing that the grid shows or has requested, so that a test
/// can set or read it.
pub struct TestApp {
    pub watchlist: Watchlist,
    pub grid: GridState,
    pub edits: Vec<Vec<Change>>,
    pub notices: Vec<String>,
    pub copied: String,
    pub separators: Separators,
    pub sparklines: Option<SparklineValues>,
    pub history: Option<CellHistory>,
    pub glow: Option<Glow>,
    pub recent: Recent,
    pub people: Vec<PersonAt>,
    pub pending: Vec<(RowId, ColumnKey)>,
    /// The role on the watchlist, if there are accounts.
    pub role: Option<ListRole>,
    pub look: Look,
    /// The current time.
    pub now: Duration,
    /// Time that passes between two frames.
    pub pace: Duration,
    has_theme: bool,
    next_row: Cell<u128>,
}

/// The appearance of the grid.
#[derive(Clone, Copy)]
pub struct Look {
    pub theme: egui::Theme,
    pub colour_blind: bool,
    /// Whether only the grid and the status bar are shown, for a snapshot.
    pub is_picture: bool,
}

/// The test harness, with helpers for input and for reading the accessibility tree.
pub struct GridHarness(pub Harness<'static, TestApp>);

pub fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// Returns a grid of rows 1, 2, 3 …, each with a symbol, a price and a note.
pub fn harness(rows: &[(&str, &str, &str)]) -> GridHarness {
    let limits = Limits::default();
    let mut columns = standard_columns();
    columns.push(Column::new("done", "Done", ColumnKind::Flag));
    columns.push(Column::new(
        "side",
        "Side",
        ColumnKind::Choice(["buy".into(), "hold".into(), "sell".into()].into()),
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
    GridHarness::at(TestApp::of(watchlist, look), builder)
}

/// Returns a grid of the three rows that most tests use.
pub fn three_rows() -> GridHarness {
    harness(&[("AAA", "30", ""), ("BBB", "20", "second"), ("CCC", "10", "")])
}

impl TestApp {
    pub fn of(watchlist: Watchlist, look: Look) -> Self {
        Self {
            watchlist,
            grid: GridState::default(),
            edits: Vec::new(),
            notices: Vec::new(),
            copied: String::new(),
            separators: Separators::ENGLISH,
            sparklines: None,
            history: None,
            glow: None,
            recent: Recent::default(),
            people: Vec::new(),
            pending: Vec::new(),
            role: None,
            look,
            now: Duration::from_secs(100),
            pace: Duration::from_millis(300),
            has_theme: false,
            next_row: Cell::new(1_000),
        }
    }

    fn frame(ui: &mut egui::Ui, app: &mut Self) {
        if !std::mem::replace(&mut app.has_theme, true) {
            // The fonts are available from the next frame on.
            theme::install(ui.ctx());
            theme::set_palette(ui.ctx(), app.look.colour_blind);
            ui.ctx().set_theme(app.look.theme);
            return;
        }
        app.now += app.pace;
        let palette = Palette::of(app.look.theme, app.look.colour_blind);
        let new_row = || {
            app.next_row.set(app.next_row.get() + 1);
            row(app.next_row.get())
        };
        let view = GridView {
            id: LIST,
            watchlist: &app.watchlist,
            glow: app.glow.as_ref(),
            recent: Some(&app.recent),
            window: WindowId(1),
            now: app.now,
            pending: &|row, column| app.pending.iter().any(|(at, of)| *at == row && of == column),
            sparklines: app.sparklines.as_ref(),
            history: app.history.as_ref(),
            author: Some("bob".to_owned()),
            role: app.role,
            people: &app.people,
            palette,
            zone: &jiff::tz::TimeZone::UTC,
            today: jiff::civil::date(2026, 11, 22),
            separators: app.separators,
            new_row: &new_row,
            can_undo: false,
            can_redo: false,
            accepts_keyboard: true,
            flash: app.grid.flash,
        };
        if app.look.is_picture {
            ui.painter().rect_filled(ui.ctx().content_rect(), 0, palette.bars);
            status_bar(ui, &app.grid, palette);
        } else {
            // Another widget that could have focus.
            drop(ui.button("Elsewhere"));
        }
        for command in grid::show(ui, &mut app.grid, &view) {
            match command {
                Command::App(AppCommand::Edit { watchlist: LIST, changes }) => {
                    app.change(&changes);
                    app.edits.push(changes);
                }
                Command::App(AppCommand::Notify(text)) => app.notices.push(text),
                other => app.notices.push(format!("{other:?}")),
            }
        }
        ui.output(|output| {
            for command in &output.commands {
                if let OutputCommand::CopyText(text) = command {
                    app.copied.clone_from(text);
                }
            }
        });
    }

    /// Applies changes to the watchlist, as an accepted edit does.
    pub fn change(&mut self, changes: &[Change]) {
        let limits = Limits { changes: usize::MAX, ..Limits::default() };
        self.watchlist.apply(changes, &Mode::Pending { limits: &limits }).unwrap();
    }
}

/// Returns what a change does to a cell or a row.
fn effect(watchlist: &Watchlist, change: &Change) -> Option<Effect> {
    match change {
        Change::Set(set) => {
            let before = watchlist.cell(set.row, &set.column);
            let kind = &watchlist.columns().get(&set.column)?.column.kind;
            let after = kind.read(&set.value, &Limits::default()).ok()?;
            Some(Effect::Cell { row: set.row, column: set.column.clone(), before, after })
        }
        Change::Insert(insert) => Some(Effect::Inserted { row: insert.row }),
        Change::Remove(remove) => Some(Effect::Removed { row: remove.row, index: 0, name: None }),
        Change::Move(moved) => Some(Effect::Moved { row: moved.row }),
        _ => Some(Effect::Structure),
    }
}

fn status_bar(ui: &mut egui::Ui, grid: &GridState, palette: &Palette) {
    let bar = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 0));
    let panel = Panel::bottom("status bar").exact_size(theme::STATUS_BAR).show_separator_line(false);
    let status = Status {
        unavailable_reason: None,
        rows: Some(grid.row_counts()),
        copied_at: None,
        sums: grid.sums().get(),
        shared_by: None,
        hidden: None,
        is_sort_paused: false,
        waiting: 0,
        revision: Some(Revision(44)),
        separators: Separators::ENGLISH,
    };
    panel.frame(bar).show(ui, |ui| status::show(ui, &status, palette));
}

impl GridHarness {
    pub fn at(app: TestApp, builder: HarnessBuilder<TestApp>) -> Self {
        let mut harness = builder.build_ui_state(TestApp::frame, app);
        harness.run_steps(3);
        Self(harness)
    }

    pub fn app(&mut self) -> &mut TestApp {
        self.0.state_mut()
    }

    pub fn frames(&mut self) {
        self.0.run_steps(3);
    }

    /// Applies changes by another user.
    pub fn others(&mut self, changes: &[Change]) {
        self.others_at_once(changes);
        self.frames();
    }

    /// Applies changes by another user, and lets the person read them.
    pub fn others_read(&mut self, changes: &[Change]) {
        self.others(changes);
        self.app().now += REACTION;
        self.frames();
    }

    /// Applies changes by another user, which the next frame shows.
    pub fn others_at_once(&mut self, changes: &[Change]) {
        let app = self.app();
        let effects: Vec<Effect> =
            changes.iter().filter_map(|change| effect(&app.watchlist, change)).collect();
        app.change(changes);
        app.recent.record(&effects, None, app.now);
    }

    /// The insertion of a row with this symbol between the rows at `index - 1` and `index`.
    pub fn insertion_at(&self, index: usize, symbol: &str) -> Change {
        let rows = self.app_ref().watchlist.rows();
        let at = |index: usize| Some(&rows.at(index).unwrap().position);
        let between = Position::between(at(index - 1), at(index), 1).unwrap().remove(0);
        Change::insert(row(99), &between, [("symbol".into(), symbol.into())].into())
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

    /// Presses and releases the button within one frame.
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

    /// Drags from one point to another.
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

    /// Moves the cursor to a cell, by row and column index.
    pub fn go(&mut self, rows: usize, columns: usize) {
        self.keys(Modifiers::COMMAND, Key::Home);
        self.repeat(rows, Key::ArrowDown);
        self.repeat(columns, Key::ArrowRight);
    }

    /// Returns a cell, as "Price of MMM".
    pub fn node(&self, cell: &str) -> egui_kittest::Node<'_> {
        let cell = cell.to_owned();
        let is_cell = move |node: &egui_kittest::kittest::AccessKitNode<'_>| {
            node.label().is_some_and(|label| value_in(&label, &cell).is_some())
        };
        self.0.get(egui_kittest::kittest::By::new().predicate(is_cell))
    }

    /// Returns the value of a cell, as "Price of MMM", from its accessible name.
    pub fn cell(&self, cell: &str) -> String {
        let label = self.node(cell).accesskit_node().label().unwrap();
        value_in(&label, cell).unwrap().to_owned()
    }

    /// Returns the symbols from top to bottom, from the accessibility tree.
    pub fn symbols(&self) -> Vec<String> {
        let mut headers: Vec<_> = self.0.get_all_by_role(egui::accesskit::Role::RowHeader).collect();
        headers.sort_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
        let labels = headers.iter().filter_map(|header| header.accesskit_node().label());
        let values = labels.filter_map(|label| Some(label.split(", ").nth(1)?.to_owned()));
        values.filter(|value| value != "empty").collect()
    }

    /// Returns the text of the open editor.
    pub fn editor(&self) -> Option<String> {
        self.app_ref().grid.editor().map(|editor| editor.text.clone())
    }

    pub fn app_ref(&self) -> &TestApp {
        self.0.state()
    }

    /// Returns the cursor's cell, as "Price of MMM", from its accessible name.
    pub fn focused(&self) -> Option<String> {
        let grid = self.0.get_by_role(egui::accesskit::Role::Grid);
        let label = grid.accesskit_node().active_descendant()?.label()?;
        let (title, row) = (label.split(", ").next()?, label.rsplit(", ").next()?);
        Some(format!("{title} of {}", row.trim_start_matches("row ").trim_start_matches("section ")))
    }
}

/// Returns the value in the accessible name of a cell, such as "Price, 71.72, row MMM", if it is this one, as
/// "Price of MMM".
fn value_in<'l>(label: &'l str, cell: &str) -> Option<&'l str> {
    let (title, row) = cell.split_once(" of ")?;
    let rest = label.strip_prefix(title)?.strip_prefix(", ")?;
    let (value, place) = rest.rsplit_once(", ")?;
    let is_row = ["row ", "section ", ""].iter().any(|kind| place.strip_prefix(kind) == Some(row));
    is_row.then_some(if value == "empty" { "" } else { value })
}

/// A text that was painted.
pub struct PaintedText {
    pub text: String,
    /// Its colour.
    pub color: Option<Color32>,
    /// The rectangle around its glyphs.
    pub extent: Rect,
    /// The rectangle that clips it.
    pub clip: Rect,
}

/// Returns the texts painted in the last frame, with where they are.
pub fn painted_texts(harness: &GridHarness) -> Vec<PaintedText> {
    fn collect(shape: &egui::Shape, clip: Rect, into: &mut Vec<PaintedText>) {
        match shape {
            egui::Shape::Text(shape) => {
                let extent = shape.galley.mesh_bounds.translate(shape.pos.to_vec2());
                let glyphs = shape.galley.rows.iter().flat_map(|row| row.glyphs.iter());
                let (text, color) = (glyphs.map(|glyph| glyph.chr).collect(), shape.override_text_color);
                into.push(PaintedText { text, color, extent, clip });
            }
            egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, clip, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for clipped in &harness.0.output().shapes {
        collect(&clipped.shape, clipped.clip_rect, &mut found);
    }
    found
}

/// Returns all texts painted in the last frame.
pub fn painted(harness: &GridHarness) -> Vec<String> {
    painted_texts(harness).into_iter().map(|painted| painted.text).collect()
}
