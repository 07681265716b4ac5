//! Starting, and the windows of this process: the root is the first, the others are deferred viewports of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use egui::{Context, Ui, ViewportBuilder, ViewportCommand, ViewportId};
use server::data_folder;
use shared::ids::{WatchlistId, WindowId};

use crate::{
    Wake,
    args::Args,
    destination::Destination,
    dispatch::Core,
    host::{Host, Named},
    less_motion::LessMotion,
    net::Net,
    servers::{self, Joining, Servers},
    settings::{self, SavedWindow, Workspace, WorkspaceFile},
    store::Store,
    theme,
    updates::{Updates, update_url},
    window::Window,
};

const SIZE: [f32; 2] = [1240.0, 760.0];
const SMALLEST: [f32; 2] = [640.0, 400.0];
const ICON: &[u8] = include_bytes!("../../assets/icon/afterglow-256.png");

type Shared<T> = Arc<Mutex<T>>;

/// Runs the desktop until its last window is closed.
///
/// # Errors
/// One sentence: what is missing and what to do.
pub fn run(args: Args) -> anyhow::Result<()> {
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => server::cli::default_data_dir()?,
    };
    data_folder::enter(&data_dir)?;
    let unwritable = || {
        format!("the data folder {} cannot be written; choose another with --data-dir", data_dir.display())
    };
    let (joining, wrong) = match joining(&args, &data_dir) {
        Ok(joining) => (joining, None),
        // What can be shown is this user's own data.
        Err(wrong) => (None, Some(wrong)),
    };
    let server = servers::file_name(joining.as_ref().map(|joining| &*joining.destination.base));
    let (file, workspace, said) = WorkspaceFile::take(&data_dir, &server).with_context(unwritable)?;
    let first = workspace.windows.first().map(|saved| saved.placement.clone()).unwrap_or_default();
    let icon = eframe::icon_data::from_png_bytes(ICON).context("the icon is damaged")?;
    let viewport = as_program(first.builder(SIZE, settings::zoom(workspace.zoom))).with_icon(icon);
    let options =
        eframe::NativeOptions { viewport, persist_window: false, ..eframe::NativeOptions::default() };
    // It serves nothing until it is asked, which it is not where another server is joined.
    let host = Host::new(&data_dir);
    let own_host = host.clone();
    let ran = eframe::run_native(
        "afterglow",
        options,
        Box::new(move |creation| {
            let outbox = data_dir.join("outboxes").join(server);
            let app = App::new(&args, &outbox, (file, workspace), (own_host, joining), &creation.egui_ctx)?;
            app.say(said, wrong);
            Ok(Box::new(app))
        }),
    );
    host.stop();
    ran.map_err(|error| anyhow::anyhow!("{}", in_words(&error)))
}

/// The server that the command line asks to join, where it does.
fn joining(args: &Args, data_dir: &Path) -> Result<Option<Joining>, String> {
    let destination = match (&args.open, &args.connect) {
        (Some(named), _) => Destination::read(named, data_dir)?,
        (None, Some(base)) => {
            Destination { base: base.clone(), token_file: args.token_file.clone(), ..Destination::default() }
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(Joining::new(destination, Servers::read(data_dir))))
}

/// Why no window opens, and which packages are missing.
fn in_words(error: &eframe::Error) -> String {
    match error {
        eframe::Error::WinitEventLoop(_) | eframe::Error::Winit(_) => format!(
            "there is no display to open a window on{}. Start it in a graphical session, or set DISPLAY; on a machine \
             without the X11 libraries install libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0",
            reason(error)
        ),
        // Of what was asked for in vain only the reason is for people.
        eframe::Error::NoGlutinConfigs(_, reason) => no_opengl(reason),
        eframe::Error::Glutin(_) | eframe::Error::OpenGL(_) => no_opengl(error),
        eframe::Error::AppCreation(error) => {
            // With what caused it, in one line.
            let causes = std::iter::successors(error.source(), |cause| cause.source());
            causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
        }
    }
}

fn no_opengl(reason: &dyn std::fmt::Display) -> String {
    format!(
        "OpenGL cannot be used here ({reason}). Install libgl1 libegl1 libgl1-mesa-dri, which also draw without a graphics \
         card"
    )
}

/// What the window system says, without the place in its source that it names first.
fn reason(error: &eframe::Error) -> String {
    let said = error.to_string();
    let plain = said.rsplit(".rs:").next().unwrap_or_default();
    let plain = plain.split_once(": ").map_or(plain, |(_, reason)| reason);
    let reason = if plain.is_empty() { &*said } else { plain };
    format!(" ({})", reason.trim_end_matches('.'))
}

/// What all windows of the program have in common.
fn as_program(builder: ViewportBuilder) -> ViewportBuilder {
    builder
        .with_title("Afterglow")
        .with_app_id("afterglow")
        .with_min_inner_size(SMALLEST)
        .with_drag_and_drop(true)
}

/// The windows of this process.
struct App {
    core: Shared<Core>,
    root: Shared<Window>,
    clock: Clock,
    /// The viewports that show something, which the network wakes.
    awake: Shared<Vec<ViewportId>>,
    /// Whether the first window is still open.
    root_open: bool,
    /// How the others were opened.
    opened: BTreeMap<WindowId, ViewportBuilder>,
}

/// Time since the start, and the time of day.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Duration {
        self.0.elapsed()
    }
}

impl App {
    fn new(
        args: &Args,
        outbox: &Path,
        (file, workspace): (WorkspaceFile, Workspace),
        (host, joining): (Host, Option<Joining>),
        ctx: &Context,
    ) -> anyhow::Result<Self> {
        theme::install(ctx);
        theme::choose(ctx, workspace.theme);
        theme::paint(ctx, workspace.colour_blind);
        ctx.set_zoom_factor(settings::zoom(workspace.zoom));
        let awake: Shared<Vec<ViewportId>> = Arc::new(Mutex::new(vec![ViewportId::ROOT]));
        let wake: Wake = {
            let (ctx, awake) = (ctx.clone(), awake.clone());
            Arc::new(move || lock(&awake).iter().for_each(|viewport| ctx.request_repaint_of(*viewport)))
        };
        let store =
            Store::open(outbox).with_context(|| format!("the outbox {} cannot be used", outbox.display()))?;
        let net = match &joining {
            Some(joining) => {
                let Destination { base, token_file, .. } = joining.destination.clone();
                Net::start(Named { base, token_file, agreed: joining.agreed() }, wake.clone())
            }
            None => Net::start(host, wake.clone()),
        };
        let saved = workspace.windows.clone();
        let net = net.context("the network thread cannot start")?;
        let mut core = Core::new(store, net, file, workspace, ctx.clone(), wake.clone());
        core.less_motion = LessMotion::follow(wake.clone());
        match args.update_url.as_deref().map(update_url).transpose() {
            Ok(url) => {
                let updates = url.map(|url| Updates::follow(url, wake)).transpose();
                core.updates = updates.context("the thread that looks for a newer version cannot start")?;
            }
            // It keeps nobody from working.
            Err(why) => {
                core.store.say(format!("Newer versions are not looked for: {why}."), None, Duration::ZERO)
            }
        }
        let asked = joining.as_ref().and_then(|joining| joining.destination.watchlist);
        let windows = windows(&mut core, &saved, args.windows.map(usize::from), asked);
        core.windows = windows.into_iter().map(|window| Arc::new(Mutex::new(window))).collect();
        let root = core.windows[0].clone();
        core.joining = joining;
        let clock = Clock(Instant::now());
        Ok(Self {
            core: Arc::new(Mutex::new(core)),
            root,
            clock,
            awake,
            root_open: true,
            opened: BTreeMap::new(),
        })
    }

    /// Says what was noticed before there were windows; what is wrong stays until it is read.
    fn say(&self, noticed: Option<String>, wrong: Option<String>) {
        let store = &mut lock(&self.core).store;
        noticed.into_iter().for_each(|noticed| store.say(noticed, None, Duration::ZERO));
        wrong.into_iter().for_each(|wrong| store.say_until_read(wrong));
    }

    /// The other windows, each a viewport of its own.
    fn show_others(&mut self, ui: &Ui) {
        let others: Vec<Shared<Window>> = lock(&self.core)
            .windows
            .iter()
            .filter(|window| !Arc::ptr_eq(window, &self.root))
            .cloned()
            .collect();
        let mut awake: Vec<ViewportId> = if self.root_open { vec![ViewportId::ROOT] } else { Vec::new() };
        for window in others {
            let id = lock(&window).id();
            // As it was when it was opened: what it has become since is the person's doing.
            let opened = self
                .opened
                .entry(id)
                .or_insert_with(|| as_program(lock(&window).placement.builder(SIZE, 1.0)))
                .clone();
            let viewport = viewport_of(id);
            awake.push(viewport);
            let (core, clock) = (self.core.clone(), self.clock);
            let draw = move |ui: &mut Ui, _class: egui::ViewportClass| {
                draw(ui, &window, &core, clock);
                if ui.input(|input| input.viewport().close_requested()) {
                    if !lock(&window).may_close() {
                        ui.send_viewport_cmd(ViewportCommand::CancelClose);
                        ui.request_repaint();
                        return;
                    }
                    let mut core = lock(&core);
                    core.windows.retain(|open| !Arc::ptr_eq(open, &window));
                    core.store.forget_window(id);
                    wake_root(ui);
                }
            };
            ui.show_viewport_deferred(viewport, opened, draw);
        }
        self.opened.retain(|id, _| awake.contains(&viewport_of(*id)));
        *lock(&self.awake) = awake;
    }

    /// The root's window was closed: it hides while others are open, and ends the program after the last.
    fn close_root(&mut self, ui: &Ui) {
        let mut core = lock(&self.core);
        if core.is_quitting {
            // All windows are remembered as they are.
            return;
        }
        if self.root_open {
            let is_last = core.windows.len() == 1;
            core.remember(None, self.clock.now(), is_last);
            core.windows.retain(|open| !Arc::ptr_eq(open, &self.root));
            core.store.forget_window(lock(&self.root).id());
        }
        self.root_open = false;
        if !core.windows.is_empty() {
            ui.send_viewport_cmd(ViewportCommand::CancelClose);
            ui.send_viewport_cmd(ViewportCommand::Visible(false));
        }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if ui.input(|input| input.viewport().close_requested()) {
            let is_quitting = lock(&self.core).is_quitting;
            if self.root_open && !is_quitting && !lock(&self.root).may_close() {
                ui.send_viewport_cmd(ViewportCommand::CancelClose);
                ui.request_repaint();
            } else {
                self.close_root(ui);
            }
        }
        if self.root_open {
            draw(ui, &self.root, &self.core, self.clock);
        } else if lock(&self.core).windows.is_empty() {
            ui.send_viewport_cmd(ViewportCommand::Close);
        }
        self.show_others(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        let now = self.clock.now();
        let mut core = lock(&self.core);
        if !core.windows.is_empty() {
            core.remember(None, now, true);
        }
    }
}

/// The windows to open: as many as are asked for, or those that were open last; and one that shows the watchlist that a
/// link or a file names, where none of them does.
fn windows(
    core: &mut Core,
    saved: &[SavedWindow],
    count: Option<usize>,
    asked: Option<WatchlistId>,
) -> Vec<Window> {
    let mut windows: Vec<Window> = (0..count.unwrap_or(saved.len()))
        .map(|index| Window::new(core.next_window(), None, saved.get(index)))
        .collect();
    if windows.is_empty() || asked.is_some() && windows.iter().all(|window| window.list() != asked) {
        windows.push(Window::new(core.next_window(), None, None));
        let last = windows.last_mut().expect("it was just there");
        asked.into_iter().for_each(|asked| last.show_list_once_there(asked));
    }
    windows
}

fn draw(ui: &mut Ui, window: &Shared<Window>, core: &Shared<Core>, clock: Clock) {
    let mut window = lock(window);
    window.show(ui, &mut lock(core), clock.now(), jiff::Timestamp::now());
}

fn viewport_of(window: WindowId) -> ViewportId {
    ViewportId::from_hash_of(("window", window.0))
}

/// The root opens and closes the other windows, also while it is hidden.
pub(crate) fn wake_root(ctx: &Context) {
    ctx.send_viewport_cmd_to(ViewportId::ROOT, ViewportCommand::RequestPaintWhileHidden);
    ctx.request_repaint_of(ViewportId::ROOT);
}

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
