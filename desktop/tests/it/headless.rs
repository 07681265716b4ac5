//! One window with everything behind it but a display: the store, the network, and the server in this process.

use std::{path::Path, sync::Arc, time::Instant};

use desktop::{
    dispatch::Core, host::Host, net::Net, settings::Workspace, store::Store, theme, window::Window,
};
use egui::{Context, DroppedFile, RawInput, Rect, pos2, vec2};
use shared::{value::Value, watchlist::Watchlist};

use crate::screen::wait_for;

pub struct Headless {
    pub core: Core,
    pub window: Window,
    ctx: Context,
    host: Host,
    started: Instant,
}

impl Headless {
    /// Serves a data folder and shows its starting list.
    pub fn start(folder: &Path) -> Self {
        let (ctx, host) = (Context::default(), Host::new(folder));
        theme::install(&ctx);
        let net = Net::start(host.clone(), || {}).unwrap();
        let store = Store::open(&folder.join("outboxes")).unwrap();
        let mut core = Core::new(store, net, folder, Workspace::default(), ctx.clone());
        let window = Window::new(core.next_window(), None, None);
        let mut headless = Self { core, window, ctx, host, started: Instant::now() };
        wait_for("the starting list", || {
            headless.frame(Vec::new());
            headless.shown().filter(|list| list.rows().len() == 20).map(drop)
        });
        headless
    }

    /// Draws a frame in which these files are dropped on the window.
    pub fn frame(&mut self, dropped: Vec<Arc<dyn DroppedFile + Send + Sync>>) {
        let now = self.started.elapsed();
        let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1200.0, 800.0)));
        let mut input = RawInput { screen_rect, time: Some(now.as_secs_f64()), ..RawInput::default() };
        input.dropped_files.extend(dropped);
        let (window, core) = (&mut self.window, &mut self.core);
        let mut output = self.ctx.run_ui(input, |ui| window.show(ui, core, now, jiff::Timestamp::now()));
        output.textures_delta.clear();
    }

    /// Draws frames until every edit is answered.
    pub fn settle(&mut self) {
        wait_for("the answers", || {
            self.frame(Vec::new());
            (self.core.store.replica().waiting() == 0).then_some(())
        });
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

    /// Ends it as a closed window does.
    pub fn stop(self) {
        drop(self.core);
        self.host.stop();
    }
}
