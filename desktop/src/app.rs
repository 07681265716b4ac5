//! Start of the program and its native windows: the first is eframe's root, the others are deferred
//! viewports.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use egui::{Context, Ui, ViewportBuilder, ViewportCommand, ViewportId};
use server::{files::write_atomically, folder};
use shared::ids::{UserId, WatchlistId, WindowId};
use ureq::Proxy;

use crate::{
    account::{Account, Identity},
    args::Args,
    destination::Destination,
    host::{Host, RemoteServer},
    key_order::KeyOrder,
    less_motion::ReducedMotion,
    net::Net,
    region::Region,
    remote::Server,
    servers::{self, Joining, Servers},
    settings::{self, SavedWindow, Workspace, WorkspaceFile},
    state::{AppState, Joined, OpenStore, OpenWindows, wake_root},
    store::Store,
    theme,
    updates::{Updates, update_url},
    wake::Wake,
    window::Window,
};

const DEFAULT_SIZE: [f32; 2] = [1240.0, 760.0];
const MIN_SIZE: [f32; 2] = [640.0, 400.0];
const ICON: &[u8] = include_bytes!("../../assets/icon/afterglow-256.png");

type Shared<T> = Arc<Mutex<T>>;

/// Runs the desktop until its last window is closed.
///
/// # Errors
/// The program cannot start. The error says what is missing and how to fix it.
pub fn run(args: Args) -> anyhow::Result<()> {
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => folder::default_data_dir()
            .context("this user has no home folder; name a data folder with --data-dir")?,
    };
    folder::enter(&data_dir)?;
    let unwritable =
        || format!("cannot write to the data folder {}; choose another with --data-dir", data_dir.display());
    let (joining, error) = match joining(&args, &data_dir) {
        Ok(joining) => (joining, None),
        // Falls back to the local data folder.
        Err(error) => (None, Some(error)),
    };
    let server = servers::file_name(joining.as_ref().map(|joining| &*joining.destination.base));
    let (file, workspace, notice) =
        WorkspaceFile::claim(&data_dir, &server, write_atomically).with_context(unwritable)?;
    let first = workspace.windows.first().map(|saved| saved.placement.clone()).unwrap_or_default();
    let icon = eframe::icon_data::from_png_bytes(ICON).context("cannot decode the icon")?;
    let viewport = with_program_defaults(first.builder(DEFAULT_SIZE, settings::clamp_zoom(workspace.zoom)))
        .with_icon(icon);
    let options =
        eframe::NativeOptions { viewport, persist_window: false, ..eframe::NativeOptions::default() };
    // Serves only if located, which does not happen when another server is joined.
    let host = Host::new(&data_dir);
    let own_host = host.clone();
    let ran = eframe::run_native(
        "afterglow",
        options,
        Box::new(move |creation| {
            let folders = Folders { data_dir, server };
            let app = App::new(&args, folders, (file, workspace), (own_host, joining), &creation.egui_ctx)?;
            app.add_start_notices(notice, error);
            Ok(Box::new(app))
        }),
    );
    host.stop();
    ran.map_err(|error| anyhow::anyhow!("{}", startup_error(&error)))
}

/// Returns the server to join from the command line, if it names one.
fn joining(args: &Args, data_dir: &Path) -> Result<Option<Joining>, String> {
    let mut destination = match (&args.open, &args.connect) {
        (Some(named), _) => Destination::read(named, data_dir)?,
        (None, Some(base)) => {
            Destination { base: base.clone(), token_file: args.token_file.clone(), ..Destination::default() }
        }
        (None, None) => return Ok(None),
    };
    if let (Some(ca), true) = (&args.ca, destination.fingerprint.is_some()) {
        return Err(format!(
            "The connection file names the only authority that the server's certificate may be from. Start without --ca {}.",
            ca.display()
        ));
    }
    destination.ca_file = args.ca.clone();
    Ok(Some(Joining::new(destination, Servers::read(data_dir, write_atomically))))
}

/// Prepares the connection to a server outside this user's processes, and the account there.
///
/// # Errors
/// No thread can be started.
pub fn join(joining: Joining, open_store: OpenStore, wake: &Wake) -> anyhow::Result<(RemoteServer, Joined)> {
    let base = joining.destination.base.clone();
    let server = Server { base, trust: joining.trust(), proxy: Proxy::try_from_env() };
    let known = joining.account().cloned();
    let identity = Identity::new(known.as_ref().filter(|known| known.stays).map(|known| known.id));
    let name = known.map(|known| known.name);
    let has_session = joining.destination.token_file.is_none();
    let account = Account::start(server.clone(), identity.clone(), name, has_session, wake.clone())
        .context("cannot start the thread of the account")?;
    let token_file = joining.destination.token_file.clone();
    let remote = RemoteServer { server, token_file, has_consent: joining.consent(), identity };
    Ok((remote, Joined::new(joining, account, open_store)))
}

/// Opens windows on another server, in a process of its own.
fn open_server(base: &str, data_dir: &Path, ca: Option<&Path>) -> io::Result<()> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["--connect", base, "--data-dir"]).arg(data_dir);
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    // It goes on when this one ends.
    command.stdin(std::process::Stdio::null()).spawn().map(drop)
}

/// Describes why no window can be opened, and which packages may be missing.
fn startup_error(error: &eframe::Error) -> String {
    match error {
        eframe::Error::WinitEventLoop(_) | eframe::Error::Winit(_) => format!(
            "no display available{}. Start Afterglow in a graphical session or set DISPLAY; if the X11 \
             libraries are missing, install libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0",
            reason(error)
        ),
        // Omits the requested configuration, which does not help the person.
        eframe::Error::NoGlutinConfigs(_, reason) => no_opengl(reason),
        eframe::Error::Glutin(_) | eframe::Error::OpenGL(_) => no_opengl(error),
        eframe::Error::AppCreation(error) => {
            // Joins the error and its sources in one line.
            let causes = std::iter::successors(error.source(), |cause| cause.source());
            causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
        }
    }
}

fn no_opengl(reason: &dyn std::fmt::Display) -> String {
    format!(
        "OpenGL is not available ({reason}). Install libgl1 libegl1 libgl1-mesa-dri, which also work \
         without a graphics card"
    )
}

/// Returns the window system's message without the source location at its start.
fn reason(error: &eframe::Error) -> String {
    let message = error.to_string();
    let plain = message.rsplit(".rs:").next().unwrap_or_default();
    let plain = plain.split_once(": ").map_or(plain, |(_, reason)| reason);
    let reason = if plain.is_empty() { &*message } else { plain };
    format!(" ({})", reason.trim_end_matches('.'))
}

/// Applies the properties that all windows of the program share.
fn with_program_defaults(builder: ViewportBuilder) -> ViewportBuilder {
    builder
        .with_title("Afterglow")
        .with_app_id("afterglow")
        .with_min_inner_size(MIN_SIZE)
        .with_drag_and_drop(true)
}

/// The folders of one server in the data folder.
#[derive(Clone)]
struct Folders {
    data_dir: PathBuf,
    /// File name part for the server.
    server: String,
}

impl Folders {
    /// Opens the store of an account: the edits that the server has not answered, and the last copies of its
    /// watchlists.
    fn open_store(&self, account: Option<UserId>, wake: &Wake) -> io::Result<Store> {
        let name = match account {
            Some(account) => format!("{}_as_{}", self.server, account.0.simple()),
            None => self.server.clone(),
        };
        let folder = |kind| self.data_dir.join(kind).join(&name);
        let store = Store::open(&folder("outboxes"), Instant::now, write_atomically)?;
        store.with_copies(folder("copies"), write_atomically, wake.clone())
    }
}

/// The eframe application.
struct App {
    state: Shared<AppState>,
    root: OpenWindow,
    /// The other windows, oldest first.
    others: Vec<OpenWindow>,
    clock: Clock,
    /// The open windows, which the network thread repaints.
    awake: Shared<Vec<Awake>>,
    /// Whether the root's window is still open.
    root_open: bool,
    /// Builders that the other windows were opened with.
    opened: BTreeMap<WindowId, ViewportBuilder>,
}

/// A window with its id, which is known without a lock: a window is locked before the shared state, never
/// after it.
#[derive(Clone)]
struct OpenWindow {
    id: WindowId,
    window: Shared<Window>,
}

impl OpenWindow {
    fn new(window: Window) -> Self {
        Self { id: window.id(), window: Arc::new(Mutex::new(window)) }
    }
}

/// An open window, as the network thread sees it.
#[derive(Clone, Copy)]
struct Awake {
    viewport: ViewportId,
    /// When its next frame may start.
    next_frame_at: Duration,
}

/// Monotonic time since the start of the program.
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
        folders: Folders,
        (file, workspace): (WorkspaceFile, Workspace),
        (host, joining): (Host, Option<Joining>),
        ctx: &Context,
    ) -> anyhow::Result<Self> {
        theme::install(ctx);
        KeyOrder::install(ctx);
        theme::set_preference(ctx, workspace.theme);
        theme::set_palette(ctx, workspace.colour_blind);
        ctx.set_zoom_factor(settings::clamp_zoom(workspace.zoom));
        let clock = Clock(Instant::now());
        let root = Awake { viewport: ViewportId::ROOT, next_frame_at: Duration::ZERO };
        let awake: Shared<Vec<Awake>> = Arc::new(Mutex::new(vec![root]));
        let wake: Wake = {
            let (ctx, awake) = (ctx.clone(), awake.clone());
            Arc::new(move || {
                let now = clock.now();
                for Awake { viewport, next_frame_at } in lock(&awake).iter() {
                    ctx.request_repaint_after_for(next_frame_at.saturating_sub(now), *viewport);
                }
            })
        };
        let account = joining.as_ref().and_then(|joining| joining.account()).map(|known| known.id);
        let store = folders.open_store(account, &wake).with_context(|| {
            format!("cannot keep edits and copies in the data folder {}", folders.data_dir.display())
        })?;
        let requested = joining.as_ref().and_then(|joining| joining.destination.watchlist);
        let (net, joined) = match joining {
            Some(joining) => {
                let open = folders.clone();
                let wake_store = wake.clone();
                let open_store: OpenStore = Box::new(move |account| open.open_store(account, &wake_store));
                let (remote, joined) = join(joining, open_store, &wake)?;
                (Net::start(remote, wake.clone()), Some(joined))
            }
            None => (Net::start(host, wake.clone()), None),
        };
        let saved = workspace.windows.clone();
        let net = net.context("cannot start the network thread")?;
        let mut state = AppState::new(store, net, file, workspace, ctx.clone(), wake.clone());
        state.region = Region::of_system();
        state.reduced_motion = ReducedMotion::subscribe(wake.clone());
        match args.update_url.as_deref().map(update_url).transpose() {
            Ok(url) => {
                let updates = url.map(|url| Updates::start(url, wake)).transpose();
                state.updates = updates.context("cannot start the update check")?;
            }
            // An invalid address must not prevent the start.
            Err(why) => state.store.notify(format!("The update check is disabled: {why}."), Duration::ZERO),
        }
        let mut windows = windows(&mut state.windows, saved, args.windows.map(usize::from), requested)
            .into_iter()
            .map(OpenWindow::new);
        let root = windows.next().expect("a window is opened at every start");
        let others = windows.collect();
        state.joined = joined;
        state.joined_servers = Servers::read(&folders.data_dir, write_atomically).bases();
        let (data_dir, ca) = (folders.data_dir.clone(), args.ca.clone());
        state.open_server = Some(Box::new(move |base| open_server(base, &data_dir, ca.as_deref())));
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
            root,
            others,
            clock,
            awake,
            root_open: true,
            opened: BTreeMap::new(),
        })
    }

    /// Adds the notices from before the start; `error` stays until it is dismissed.
    fn add_start_notices(&self, notice: Option<String>, error: Option<String>) {
        let store = &mut lock(&self.state).store;
        notice.into_iter().for_each(|notice| store.notify(notice, Duration::ZERO));
        error.into_iter().for_each(|error| store.notify_all_accounts(error));
    }

    /// Opens the requested windows, and shows all but the root, each in its own viewport.
    fn show_others(&mut self, ui: &Ui) {
        let mut state = lock(&self.state);
        let requested = state.windows.take_requested();
        let last_notice = state.store.last_notice();
        let opened = requested
            .into_iter()
            .map(|saved| Window::new(&mut state.windows, saved).without_notices_up_to(last_notice));
        self.others.extend(opened.map(OpenWindow::new));
        self.others.retain(|window| state.windows.is_open(window.id));
        drop(state);
        let mut viewports: Vec<ViewportId> = if self.root_open { vec![ViewportId::ROOT] } else { Vec::new() };
        for OpenWindow { id, window } in self.others.clone() {
            // The initial builder, because a changed one would move or resize the window again.
            let opened = self
                .opened
                .entry(id)
                .or_insert_with(|| {
                    with_program_defaults(lock(&window).viewport.placement.builder(DEFAULT_SIZE, 1.0))
                })
                .clone();
            let viewport = viewport_of(id);
            viewports.push(viewport);
            let (state, clock, awake) = (self.state.clone(), self.clock, self.awake.clone());
            let draw = move |ui: &mut Ui, _class: egui::ViewportClass| {
                draw(ui, &window, &state, (clock, &awake));
                if ui.input(|input| input.viewport().close_requested()) {
                    if !lock(&window).can_close() {
                        ui.send_viewport_cmd(ViewportCommand::CancelClose);
                        ui.request_repaint();
                        return;
                    }
                    lock(&state).close_window(id, clock.now());
                    wake_root(ui);
                }
            };
            ui.show_viewport_deferred(viewport, opened, draw);
        }
        self.opened.retain(|id, _| viewports.contains(&viewport_of(*id)));
        let mut awake = lock(&self.awake);
        awake.retain(|open| viewports.contains(&open.viewport));
        for viewport in viewports {
            if awake.iter().all(|open| open.viewport != viewport) {
                awake.push(Awake { viewport, next_frame_at: Duration::ZERO });
            }
        }
    }

    /// Handles the close of the root: it is hidden while other windows are open, because closing it ends the
    /// program.
    fn close_root(&mut self, ui: &Ui) {
        let mut state = lock(&self.state);
        if state.windows.is_quitting() {
            // All windows are saved as they are.
            return;
        }
        if self.root_open {
            state.close_window(self.root.id, self.clock.now());
        }
        self.root_open = false;
        if !state.windows.is_empty() {
            ui.send_viewport_cmd(ViewportCommand::CancelClose);
            ui.send_viewport_cmd(ViewportCommand::Visible(false));
        }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if ui.input(|input| input.viewport().close_requested()) {
            let is_quitting = lock(&self.state).windows.is_quitting();
            if self.root_open && !is_quitting && !lock(&self.root.window).can_close() {
                ui.send_viewport_cmd(ViewportCommand::CancelClose);
                ui.request_repaint();
            } else {
                self.close_root(ui);
            }
        }
        if self.root_open {
            draw(ui, &self.root.window, &self.state, (self.clock, &self.awake));
        } else if lock(&self.state).windows.is_empty() {
            ui.send_viewport_cmd(ViewportCommand::Close);
        }
        self.show_others(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        if !state.windows.is_empty() {
            state.save_workspace(now, true);
        }
        state.store.finish_copies(now);
    }
}

/// Creates the windows to open: the requested number or the saved ones, and another one if none of them shows
/// the watchlist of the link or file.
fn windows(
    open: &mut OpenWindows,
    saved: Vec<SavedWindow>,
    count: Option<usize>,
    requested: Option<WatchlistId>,
) -> Vec<Window> {
    let count = count.unwrap_or(saved.len());
    let saved = saved.into_iter().chain(std::iter::repeat_with(SavedWindow::default)).take(count);
    let mut windows: Vec<Window> = saved.map(|saved| Window::new(open, saved)).collect();
    if windows.is_empty() || requested.is_some() && windows.iter().all(|window| window.list() != requested) {
        let mut added = Window::new(open, SavedWindow::default());
        requested.into_iter().for_each(|requested| added.show_requested_list(requested));
        windows.push(added);
    }
    windows
}

fn draw(
    ui: &mut Ui,
    window: &Shared<Window>,
    state: &Shared<AppState>,
    (clock, awake): (Clock, &Shared<Vec<Awake>>),
) {
    let mut window = lock(window);
    let mut state = lock(state);
    state.cpu_time = cpu_time();
    window.show(ui, &mut state, clock.now(), jiff::Timestamp::now());
    drop(state);
    let viewport = ui.ctx().viewport_id();
    let mut awake = lock(awake);
    for open in awake.iter_mut().filter(|open| open.viewport == viewport) {
        open.next_frame_at = window.next_frame_at();
    }
}

/// Returns the processor time that the program has used, in all its threads.
#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(used.tv_sec.try_into().ok()?, used.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

fn viewport_of(window: WindowId) -> ViewportId {
    ViewportId::from_hash_of(("window", window.0))
}

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
