//! Windows without a display, with the real store, network and embedded server behind them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::{
    app::join,
    command::Command,
    destination::Destination,
    host::Host,
    key_order::KeyOrder,
    net::Net,
    servers::{Joining, OWN, Servers},
    settings::{SavedWindow, WorkspaceFile},
    state::{AppState, OpenStore},
    store::Store,
    theme,
    wake::Wake,
    window::{Window, dispatch},
};
use egui::{
    Context, DroppedFile, Event, Key, Modifiers, OutputCommand, PlatformOutput, PointerButton, Pos2,
    RawInput, Rect, Shape, Vec2,
    accesskit::{Action, Node, NodeId, Role, TreeUpdate},
    pos2, vec2,
};
use server::files::write_atomically;
use shared::{value::Value, watchlist::Watchlist};

use crate::screen::wait_for;

pub struct Headless {
    pub state: AppState,
    pub window: Window,
    /// Additional windows of the same process.
    pub others: Vec<(Window, Context)>,
    /// The size of its windows.
    pub size: Vec2,
    ctx: Context,
    /// The accessibility tree of the first window, once a test has read it.
    tree: Option<TreeUpdate>,
    /// What the first window has outlined as focused.
    outlines: Vec<Rect>,
    /// The texts that the first window has copied.
    pub copied: Vec<String>,
    /// The embedded server, unless another one was joined.
    host: Option<Host>,
    started: Instant,
}

impl Headless {
    /// Opens a window on a data folder, which it serves or joins, and waits for the starting list.
    pub fn start(folder: &Path) -> Self {
        let host = Host::new(folder);
        let net = Net::start(host.clone(), Arc::new(|| {})).unwrap();
        let store = Store::open(&folder.join("outboxes"), Instant::now, write_atomically).unwrap();
        let mut headless = Self::open(folder, OWN, store, net, Some(host));
        wait_for("the starting list", || {
            headless.frame(Vec::new());
            headless.shown().filter(|list| list.rows().len() == 20).map(drop)
        });
        headless
    }

    /// Opens a window on a server outside this user's processes.
    pub fn join(folder: &Path, destination: Destination) -> Self {
        let joining = Joining::new(destination, Servers::read(folder, write_atomically));
        let stores = folder.join("outboxes");
        let open_store: OpenStore = Box::new(move |account| {
            let name = account.map_or_else(|| "none".to_owned(), |account| account.0.to_string());
            let store = Store::open(&stores.join(&name), Instant::now, write_atomically)?;
            store.with_copies(stores.join("copies").join(name), write_atomically, wake())
        });
        let store = open_store(joining.account().map(|known| known.id)).unwrap();
        let (remote, joined) = join(joining, open_store, &wake()).unwrap();
        let net = Net::start(remote, wake()).unwrap();
        let mut headless = Self::open(folder, "shared", store, net, None);
        headless.state.joined = Some(joined);
        headless
    }

    fn open(folder: &Path, server: &str, store: Store, net: Net, host: Option<Host>) -> Self {
        let ctx = Context::default();
        theme::install(&ctx);
        KeyOrder::install(&ctx);
        let (file, workspace, notice) = WorkspaceFile::claim(folder, server, write_atomically).unwrap();
        assert_eq!(notice, None);
        let saved = workspace.windows.first().cloned();
        let mut state = AppState::new(store, net, file, workspace, ctx.clone(), wake());
        let window = Window::new(&mut state.windows, saved.unwrap_or_default());
        Self {
            state,
            window,
            others: Vec::new(),
            size: vec2(1200.0, 800.0),
            ctx,
            tree: None,
            outlines: Vec::new(),
            copied: Vec::new(),
            host,
            started: Instant::now(),
        }
    }

    /// Opens another window in the same process.
    pub fn open_window(&mut self) {
        let ctx = Context::default();
        theme::install(&ctx);
        let saved = SavedWindow { watchlist: self.window.list(), ..SavedWindow::default() };
        let last_notice = self.state.store.last_notice();
        let window = Window::new(&mut self.state.windows, saved).without_notices_up_to(last_notice);
        self.others.push((window, ctx));
        self.frame(Vec::new());
    }

    /// Makes the second window the first, which gets the input and is drawn before the others.
    pub fn swap_windows(&mut self) {
        let (window, ctx) = &mut self.others[0];
        std::mem::swap(&mut self.window, window);
        std::mem::swap(&mut self.ctx, ctx);
    }

    /// Draws a frame of every window and drops these files on the first.
    pub fn frame(&mut self, dropped: Vec<Arc<dyn DroppedFile + Send + Sync>>) {
        let input = RawInput { dropped_files: dropped, ..RawInput::default() };
        self.draw(input);
    }

    /// Draws frames of every window and sends these events to the first.
    pub fn typed(&mut self, events: Vec<Event>) {
        // A focus request takes effect in the next frame.
        self.draw(RawInput::default());
        self.draw(RawInput { events, ..RawInput::default() });
        self.draw(RawInput::default());
    }

    /// Executes a command of the first window.
    pub fn execute(&mut self, command: impl Into<Command>) {
        dispatch(command, &mut self.window, &mut self.state, self.started.elapsed());
    }

    /// Presses a key in the first window.
    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.typed(vec![event(true), event(false)]);
    }

    /// Types text and Enter in the first window.
    pub fn enter(&mut self, text: &str) {
        self.typed(vec![Event::Text(text.to_owned())]);
        self.key(Modifiers::NONE, Key::Enter);
    }

    /// Returns the centre of what the first window shows under this name.
    pub fn find(&mut self, name: &str) -> Option<Pos2> {
        self.ctx.enable_accesskit();
        (0..2).for_each(|_| self.draw(RawInput::default()));
        let nodes = &self.tree.as_ref()?.nodes;
        Self::center_of(nodes, |text| text.trim_end_matches([' ', '\u{23f5}']) == name)
    }

    /// Returns the centre of what the first window shows with a text in its name.
    pub fn find_containing(&mut self, part: &str) -> Option<Pos2> {
        self.find("");
        Self::center_of(&self.tree.as_ref()?.nodes, |text| text.contains(part))
    }

    fn center_of(nodes: &[(NodeId, Node)], is_named: impl Fn(&str) -> bool) -> Option<Pos2> {
        let named = |text: Option<&str>| text.is_some_and(&is_named);
        let (_, node) = nodes.iter().find(|(_, node)| named(node.label()) || named(node.value()))?;
        rect_of(node).map(|rect| rect.center())
    }

    /// Returns the name of what has the keyboard focus in the first window.
    pub fn focused(&mut self) -> Option<String> {
        self.ctx.enable_accesskit();
        (0..2).for_each(|_| self.draw(RawInput::default()));
        let tree = self.tree.as_ref()?;
        let (_, node) = tree.nodes.iter().find(|(id, _)| *id == tree.focus)?;
        node.label().or(node.value()).map(str::to_owned)
    }

    /// Presses Tab until a control of the first window has the focus.
    pub fn tab_to(&mut self, control: &str) {
        wait_for(control, || {
            let is_there = self.focused().as_deref() == Some(control);
            if !is_there {
                self.key(Modifiers::NONE, Key::Tab);
            }
            is_there.then_some(())
        });
    }

    /// Returns every control of the first window that can have the keyboard focus, with its name. What is
    /// typed into a field is not its name.
    pub fn controls(&mut self) -> BTreeMap<NodeId, String> {
        self.ctx.enable_accesskit();
        (0..3).for_each(|_| self.draw(RawInput::default()));
        let nodes = self.tree.iter().flat_map(|tree| &tree.nodes);
        let is_unnamed = |node: &Node| node.role() == Role::Dialog && node.label().is_none();
        assert!(!nodes.clone().any(|(_, node)| is_unnamed(node)), "a dialog has no name");
        let controls = nodes.filter(|(_, node)| node.supports_action(Action::Focus) && !node.is_disabled());
        let name = |node: &Node| {
            let value = node.value().filter(|_| node.role() != Role::TextInput);
            node.label().or(value).unwrap_or_default().to_owned()
        };
        controls.map(|(id, node)| (*id, name(node))).collect()
    }

    /// Returns the controls that have appeared since `before` was read.
    pub fn controls_since(&mut self, before: &BTreeMap<NodeId, String>) -> BTreeMap<NodeId, String> {
        let mut controls = self.controls();
        controls.retain(|control, _| !before.contains_key(control));
        controls
    }

    /// Returns what has the keyboard focus in the first window, and what is selected in it, which a screen
    /// reader takes for focused.
    pub fn focused_controls(&mut self) -> Vec<NodeId> {
        self.focused();
        let Some(tree) = &self.tree else { return Vec::new() };
        let focused = tree.nodes.iter().find(|(id, _)| *id == tree.focus);
        let selected = focused.and_then(|(_, node)| node.active_descendant());
        [Some(tree.focus), selected].into_iter().flatten().collect()
    }

    /// Whether the first window outlines what has the keyboard focus, or that marks it by itself, as text fields and
    /// the rows do.
    pub fn is_focus_shown(&mut self) -> bool {
        self.focused();
        let Some(tree) = &self.tree else { return false };
        let Some((_, node)) = tree.nodes.iter().find(|(id, _)| *id == tree.focus) else { return false };
        if matches!(
            node.role(),
            Role::TextInput | Role::PasswordInput | Role::MultilineTextInput | Role::Grid
        ) {
            return true;
        }
        let Some(bounds) = rect_of(node) else { return false };
        self.outlines.iter().any(|outline| {
            outline.expand(2.0).contains_rect(bounds) && bounds.expand(2.0).contains_rect(*outline)
        })
    }

    /// Clicks what the first window shows under this name.
    pub fn click(&mut self, name: &str) {
        let at = wait_for(name, || self.find(name));
        let button = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        self.typed(vec![Event::PointerMoved(at)]);
        self.typed(vec![button(true)]);
        self.typed(vec![button(false)]);
    }

    fn draw(&mut self, input: RawInput) {
        let now = self.started.elapsed();
        let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), self.size));
        let input = RawInput { screen_rect, time: Some(now.as_secs_f64()), ..input };
        let quiet = RawInput { screen_rect, time: Some(now.as_secs_f64()), ..RawInput::default() };
        let (output, outlines) = show(&mut self.window, &self.ctx, &mut self.state, input, now);
        self.outlines = outlines;
        self.tree = output.accesskit_update;
        self.copied.extend(output.commands.into_iter().filter_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text),
            _ => None,
        }));
        for (window, ctx) in &mut self.others {
            drop(show(window, ctx, &mut self.state, quiet.clone(), now));
        }
    }

    /// Draws frames until every edit is answered.
    pub fn settle(&mut self) {
        wait_for("every edit to be answered", || {
            self.frame(Vec::new());
            (self.state.store.replica().unanswered_count() == 0).then_some(())
        });
    }

    /// Advances its clock.
    pub fn advance(&mut self, by: Duration) {
        self.started -= by;
    }

    /// Returns the current time of its clock.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the watchlist that the first window shows.
    pub fn shown(&self) -> Option<&Watchlist> {
        self.window.list().and_then(|list| self.state.store.watchlist(list))
    }

    /// Returns the symbols of the shown watchlist, in order.
    pub fn symbols(&self) -> Vec<String> {
        let Some(shown) = self.shown() else { return Vec::new() };
        let symbol = |row| match shown.cell(row, &"symbol".into()) {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        };
        shown.rows().iter().filter_map(|row| symbol(row.id)).collect()
    }

    /// Saves the workspace and stops, as closing the last window does.
    pub fn stop(mut self) {
        let now = self.now();
        self.state.store.finish_copies(now);
        self.state.close_window(self.window.id(), self.started.elapsed());
        drop(self.state);
        self.host.iter().for_each(Host::stop);
    }
}

/// Returns where a node is shown.
#[expect(clippy::cast_possible_truncation, reason = "egui's coordinates have 32 bits")]
fn rect_of(node: &Node) -> Option<Rect> {
    let bounds = node.bounds()?;
    let (min, max) = ((bounds.x0 as f32, bounds.y0 as f32), (bounds.x1 as f32, bounds.y1 as f32));
    Some(Rect::from_min_max(min.into(), max.into()))
}

fn wake() -> Wake {
    Arc::new(|| {})
}

fn show(
    window: &mut Window,
    ctx: &Context,
    state: &mut AppState,
    input: RawInput,
    now: Duration,
) -> (PlatformOutput, Vec<Rect>) {
    let mut output = ctx.run_ui(input, |ui| window.show(ui, state, now, jiff::Timestamp::now()));
    output.textures_delta.clear();
    let accent = ctx.global_style().visuals.hyperlink_color;
    let outlines = output.shapes.iter().filter_map(|clipped| match &clipped.shape {
        Shape::Rect(shape) if shape.stroke.color == accent && shape.stroke.width >= 2.0 => Some(shape.rect),
        _ => None,
    });
    let outlines = outlines.collect();
    (output.platform_output, outlines)
}
