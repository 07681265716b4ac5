//! A CSV file dropped on a window becomes a watchlist, on the way that every edit takes; no display is needed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use desktop::{
    dispatch::Core, host::Host, net::Net, settings::Workspace, store::Store, theme, window::Window,
};
use egui::{Context, DroppedFile, RawInput, Rect, pos2, vec2};
use shared::value::Value;

use crate::screen::wait_for;

#[derive(Debug)]
struct File(PathBuf);

impl DroppedFile for File {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn a_dropped_file_becomes_a_watchlist_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (ctx, host) = (Context::default(), Host::new(folder.path()));
    theme::install(&ctx);
    let net = Net::start(host.clone(), || {}).unwrap();
    let store = Store::open(&folder.path().join("outboxes")).unwrap();
    let mut core = Core::new(store, net, folder.path(), Workspace::default(), ctx.clone());
    let mut window = Window::new(core.next_window(), None, None);
    let started = Instant::now();
    let mut frame = |dropped: Option<&Path>| {
        let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1200.0, 800.0)));
        let mut input =
            RawInput { screen_rect, time: Some(started.elapsed().as_secs_f64()), ..RawInput::default() };
        input.dropped_files.extend(dropped.map(|path| Arc::new(File(path.to_owned())) as _));
        let mut output =
            ctx.run_ui(input, |ui| window.show(ui, &mut core, started.elapsed(), jiff::Timestamp::now()));
        output.textures_delta.clear();
        let shown = window.list().and_then(|list| core.store.watchlist(list))?;
        let symbols: Vec<String> = shown
            .rows()
            .iter()
            .filter_map(|row| match shown.cell(row.id, &"symbol".into()) {
                Value::Text(text) => Some(text.to_string()),
                _ => None,
            })
            .collect();
        Some((shown.name().to_string(), symbols, core.store.replica().waiting()))
    };
    wait_for("the starting list", || {
        frame(None).filter(|(name, symbols, _)| name == "Companies" && symbols.len() == 20)
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/data/sp500-constituents.csv");
    frame(Some(&file));
    let (name, symbols, _) = wait_for("the dropped file's rows", || {
        frame(None).filter(|(_, symbols, waiting)| symbols.len() == 503 && *waiting == 0)
    });
    assert_eq!(name, "sp500-constituents");
    let text = std::fs::read_to_string(&file).unwrap();
    let expected: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(symbols, expected);
    host.stop();
}
