//! One window: its state, its keys, how its commands are executed, and how it is drawn.

mod dispatch;
mod keys;
mod layouts;
mod pacing;
mod presence;
mod show;
mod speech;
mod state;
mod viewport;

pub use self::{dispatch::dispatch, state::Window};
