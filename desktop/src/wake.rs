//! Wakes the windows from other threads.

use std::sync::Arc;

/// Repaints every window. It may be called from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;
