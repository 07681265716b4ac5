//! One window with everything behind it but a display: the store, the network, and the server in this process.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::{
    dispatch::Core, host::Host, net::Net, servers::OWN, settings::WorkspaceFile, store::Store, theme,
    window::Window,
};
use egui::{Context, DroppedFile, Event, Key, Modifiers, RawInput, Rect, pos2, vec2};
use shared::{value::Value, watchlist::Watchlist};

use crate::screen::wait_for;

pub struct Headless {
    pub core: Core,
    pub window: Window,
    /// Further windows of the same process.
    pub others: Vec<(Window, Context)>,
    ctx: Context,
    host: Host,
    started: Instant,
}

impl Headless {
    /// Serves a data folder and shows its starting list.
    pub fn start(folder: &Path) -> Self {
        let (ctx, host) = (Context::default(), Host::new(folder));
        theme::install(&ctx);
        let net = Net::start(host.clone(), Arc::new(|| {})).unwrap();
        let store = Store::open(&folder.join("outboxes")).unwrap();
        let (file, workspace, said) = WorkspaceFile::take(folder, OWN).unwrap();
        assert_eq!(said, None);
        let saved = workspace.windows.first().cloned();
        let mut core = Core::new(store, net, file, workspace, ctx.clone(), Arc::new(|| {}));
        let window = Window::new(core.next_window(), None, saved.as_ref());
        let mut headless = Self { core, window, others: Vec::new(), ctx, host, started: Instant::now() };
        wait_for("the starting list", || {
            headless.frame(Vec::new());
            headless.shown().filter(|list| list.rows().len() == 20).map(drop)
        });
        headless
    }

    /// Opens another window in the same process.
    pub fn open_window(&mut self) {
        let ctx = Context::default();
        theme::install(&ctx);
        let window = Window::new(self.core.next_window(), self.window.list(), None);
        self.others.push((window, ctx));
        self.frame(Vec::new());
    }

    /// Draws a frame of every window, in which these files are dropped on the first.
    pub fn frame(&mut self, dropped: Vec<Arc<dyn DroppedFile + Send + Sync>>) {
        let input = RawInput { dropped_files: dropped, ..RawInput::default() };
        self.draw(input);
    }

    /// Draws a frame of every window, in which these keys are typed in the first.
    pub fn typed(&mut self, events: Vec<Event>) {
        // The window that has the keyboard has it by the frame before.
        self.draw(RawInput::default());
        self.draw(RawInput { events, ..RawInput::default() });
        self.draw(RawInput::default());
    }

    /// Presses a key in the first window.
    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.typed(vec![event(true), event(false)]);
    }

    /// Types text in the first window, and Enter.
    pub fn enter(&mut self, text: &str) {
        self.typed(vec![Event::Text(text.to_owned())]);
        self.key(Modifiers::NONE, Key::Enter);
    }

    fn draw(&mut self, input: RawInput) {
        let now = self.started.elapsed();
        let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1200.0, 800.0)));
        let input = RawInput { screen_rect, time: Some(now.as_secs_f64()), ..input };
        let quiet = RawInput { screen_rect, time: Some(now.as_secs_f64()), ..RawInput::default() };
        show(&mut self.window, &self.ctx, &mut self.core, input, now);
        for (window, ctx) in &mut self.others {
            show(window, ctx, &mut self.core, quiet.clone(), now);
        }
    }

    /// Draws frames until every edit is answered.
    pub fn settle(&mut self) {
        wait_for("the answers", || {
            self.frame(Vec::new());
            (self.core.store.replica().waiting() == 0).then_some(())
        });
    }

    /// The present moment on its clock.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the window shows.
    pub fn shown(&self) -> Option<&Watchlist> {
        self.window.list().and_then(|list| self.core.store.watchlist(list))
    }

    /// The symbols shown, in their order.
    pub fn symbols(&self) -> Vec<String> {
        let Some(shown) = self.shown() else { return Vec::new() };
        let symbol = |row| match shown.cell(row, &"symbol".into()) {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        };
        shown.rows().iter().filter_map(|row| symbol(row.id)).collect()
    }

    /// Ends it as a closed window does: what it remembers is written.
    pub fn stop(mut self) {
        let window = std::sync::Mutex::new(self.window);
        self.core.windows = vec![Arc::new(window)];
        self.core.remember(None, self.started.elapsed(), true);
        drop(self.core);
        self.host.stop();
    }
}

fn show(window: &mut Window, ctx: &Context, core: &mut Core, input: RawInput, now: Duration) {
    let mut output = ctx.run_ui(input, |ui| window.show(ui, core, now, jiff::Timestamp::now()));
    output.textures_delta.clear();
}
