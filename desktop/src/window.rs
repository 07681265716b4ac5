//! One window: its state, its keys, how its actions are executed, and how it is drawn.

mod dispatch;
mod keys;
mod presence;
mod show;
mod state;

pub use self::{dispatch::dispatch, state::Window};
