//! The desktop: windows on shared watchlists. `main` is only the command line around [`app::run`].

pub mod action;
pub mod app;
pub mod args;
pub mod destination;
pub mod dispatch;
pub mod follow;
pub mod grid;
pub mod host;
pub mod less_motion;
pub mod net;
pub mod panels;
pub mod placement;
pub mod servers;
pub mod settings;
pub mod store;
pub mod theme;
pub mod updates;
pub mod window;

/// Has every window drawn again, from any thread.
pub type Wake = std::sync::Arc<dyn Fn() + Send + Sync>;
