//! A virtual screen, the windows on it and their pixels.

use std::{
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ConnectionExt, ImageFormat},
    rust_connection::RustConnection,
};

/// Timeout of every wait, generous for busy machines.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A virtual X server with a window manager.
pub struct Screen {
    display: String,
    server: Child,
    manager: Child,
    connection: RustConnection,
    root: u32,
}

/// A colour on the screen: red, green, blue.
pub type Pixel = [u8; 3];

/// Colour of the cursor's frame in the dark theme.
pub const CURSOR: Pixel = [0x4C, 0x9B, 0xE8];
/// Left edge of the price column, after the row numbers, the symbol and the company.
pub const PRICE: i32 = 30 + 88 + 240;

/// Returns the y coordinate of a row, above its text. Rows of 22 points follow the top bar and the header.
pub fn row(index: i32) -> i32 {
    36 + 26 + 22 * index + 4
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Returns the names of missing tools, if any.
fn missing() -> Option<String> {
    let has =
        |tool: &&str| Command::new("which").arg(tool).output().is_ok_and(|found| found.status.success());
    let missing: Vec<&str> = ["Xvfb", "xdotool", "openbox"].into_iter().filter(|tool| !has(tool)).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

impl Screen {
    /// Opens a screen, or returns `None` if the tools are not installed. Panics if they are required.
    pub fn open() -> Option<Self> {
        if let Some(missing) = missing() {
            let required = std::env::var_os("AFTERGLOW_REQUIRE_SERVICES").is_some();
            assert!(!required, "required and not installed: {missing}");
            eprintln!("SKIPPED: not installed: {missing} (Debian: xvfb xdotool openbox)");
            return None;
        }
        let number = 200 + std::process::id() % 1_000 * 8 + NEXT.fetch_add(1, Ordering::Relaxed);
        let display = format!(":{number}");
        let server = Command::new("Xvfb")
            .args([&display, "-screen", "0", "1500x1000x24", "-nolisten", "tcp"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (connection, screen) = wait_for("the X server", || x11rb::connect(Some(&display)).ok());
        let root = connection.setup().roots[screen].root;
        let manager = Command::new("openbox")
            .env("DISPLAY", &display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A window opened before the window manager is ready may stay unmanaged.
        let check = connection.intern_atom(false, b"_NET_SUPPORTING_WM_CHECK").unwrap().reply().unwrap().atom;
        wait_for("the window manager", || {
            let property = connection.get_property(false, root, check, AtomEnum::WINDOW, 0, 1).unwrap();
            property.reply().ok().filter(|property| !property.value.is_empty()).map(drop)
        });
        Some(Self { display, server, manager, connection, root })
    }

    pub fn display(&self) -> &str {
        &self.display
    }

    /// Waits for the window of a process that shows the companies, then moves and sizes it.
    pub fn place(&self, process: u32, place: [i32; 4]) -> Window<'_> {
        self.place_showing(process, "Companies", place)
    }

    /// Waits for the window of a process that shows the named watchlist, then moves and sizes it.
    pub fn place_showing(&self, process: u32, list: &str, [x, y, width, height]: [i32; 4]) -> Window<'_> {
        let id = wait_for("the window", || {
            let process = process.to_string();
            let found =
                self.xdotool(&["search", "--all", "--onlyvisible", "--pid", &process, "--name", list]);
            found.lines().last().map(str::to_owned)
        });
        let window = Window { screen: self, id };
        wait_for("the position and size of the window", || {
            self.xdotool(&["windowmove", &window.id, &x.to_string(), &y.to_string()]);
            self.xdotool(&["windowsize", &window.id, &width.to_string(), &height.to_string()]);
            let size = self.connection.get_geometry(window.number()).unwrap().reply().unwrap();
            let is_sized = (i32::from(size.width), i32::from(size.height)) == (width, height);
            let (left, top) = window.corner();
            (is_sized && (left - x).abs() < 8 && (top - y).abs() < 40 && window.pixel(1, row(0)) != [0, 0, 0])
                .then_some(())
        });
        window
    }

    /// Returns the number of open windows of a process.
    pub fn windows_of(&self, process: u32) -> usize {
        self.search(process).lines().count()
    }

    /// Returns a window of a process without moving it.
    pub fn any_of(&self, process: u32) -> Window<'_> {
        let id = wait_for("a window", || self.search(process).lines().last().map(str::to_owned));
        Window { screen: self, id }
    }

    fn search(&self, process: u32) -> String {
        let process = process.to_string();
        self.xdotool(&["search", "--all", "--onlyvisible", "--pid", &process, "--name", "Afterglow"])
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let ran = Command::new("xdotool").env("DISPLAY", &self.display).args(arguments).output().unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// Returns a pixel of the screen.
    pub fn pixel(&self, x: i32, y: i32) -> Pixel {
        let (x, y) = (i16::try_from(x).unwrap(), i16::try_from(y).unwrap());
        let image = self
            .connection
            .get_image(ImageFormat::Z_PIXMAP, self.root, x, y, 1, 1, u32::MAX)
            .unwrap()
            .reply()
            .unwrap();
        let [blue, green, red, ..] = image.data[..] else { panic!("a pixel has four bytes") };
        [red, green, blue]
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for child in [&mut self.manager, &mut self.server] {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A window of the program.
pub struct Window<'a> {
    screen: &'a Screen,
    id: String,
}

impl Window<'_> {
    fn number(&self) -> u32 {
        self.id.parse().unwrap()
    }

    /// Moves the cursor to the price of a row and waits until it is drawn there.
    pub fn go_to_price(&self, index: i32) {
        let edge = || self.pixel(PRICE + 1, row(index));
        wait_for("the cursor", || {
            self.keys(&["ctrl+Home", "Right", "Right"]);
            (0..index).for_each(|_| self.keys(&["Down"]));
            let pressed = Instant::now();
            // If it does not appear, a key was pressed before the window had the focus; then try again.
            while edge() != CURSOR && pressed.elapsed() < Duration::from_millis(700) {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            (edge() == CURSOR).then_some(())
        });
    }

    fn focus(&self) {
        self.screen.xdotool(&["windowactivate", "--sync", &self.id]);
    }

    /// Presses keys, by their X names.
    pub fn keys(&self, keys: &[&str]) {
        self.focus();
        let mut arguments = vec!["key", "--delay", "30"];
        arguments.extend(keys);
        self.screen.xdotool(&arguments);
    }

    /// Types text.
    pub fn text(&self, text: &str) {
        self.focus();
        self.screen.xdotool(&["type", "--delay", "30", text]);
    }

    /// Closes it through the window manager, as a person does.
    pub fn close(&self) {
        self.keys(&["alt+F4"]);
    }

    /// Waits until it shows a watchlist.
    pub fn wait_for_list(&self, name: &str) {
        wait_for(name, || {
            let title = self.screen.xdotool(&["getwindowname", &self.id]);
            title.starts_with(name).then_some(())
        });
    }

    /// Returns the pixels of a part of the window: left, top, width and height.
    pub fn picture(&self, [x, y, width, height]: [u16; 4]) -> Vec<u8> {
        let (left, top) = self.corner();
        let (left, top) = (i16::try_from(left).unwrap(), i16::try_from(top).unwrap());
        let (x, y) = (left + i16::try_from(x).unwrap(), top + i16::try_from(y).unwrap());
        let connection = &self.screen.connection;
        let image =
            connection.get_image(ImageFormat::Z_PIXMAP, self.screen.root, x, y, width, height, u32::MAX);
        image.unwrap().reply().unwrap().data
    }

    /// Returns a pixel of the window.
    pub fn pixel(&self, x: i32, y: i32) -> Pixel {
        let (left, top) = self.corner();
        self.screen.pixel(left + x, top + y)
    }

    fn corner(&self) -> (i32, i32) {
        let (connection, root) = (&self.screen.connection, self.screen.root);
        let place = connection.translate_coordinates(self.number(), root, 0, 0).unwrap().reply().unwrap();
        (i32::from(place.dst_x), i32::from(place.dst_y))
    }

    /// Returns a function that reads a pixel of the window quickly: finding its corner takes as long as a
    /// frame.
    pub fn spot(&self, x: i32, y: i32) -> impl Fn() -> Pixel {
        let (left, top) = self.corner();
        move || self.screen.pixel(left + x, top + y)
    }
}

/// Polls until there is an answer, and panics after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "timed out after {PATIENCE:?} waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
