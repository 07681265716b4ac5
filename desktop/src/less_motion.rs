//! The reduced-motion setting of the system's accessibility settings.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mundy::{Interest, Preferences, Subscription};

use crate::wake::Wake;

/// The current reduced-motion setting, kept up to date.
#[derive(Default)]
pub struct ReducedMotion {
    is_on: Arc<AtomicBool>,
    /// Ends the updates when dropped.
    subscription: Option<Subscription>,
}

impl ReducedMotion {
    /// Subscribes to the setting and calls `wake` when it changes. It counts as off on systems without it.
    pub fn subscribe(wake: Wake) -> Self {
        let is_on = Arc::new(AtomicBool::new(false));
        let updated = is_on.clone();
        let subscription = Preferences::subscribe(Interest::ReducedMotion, move |preferences| {
            updated.store(preferences.reduced_motion.is_reduce(), Ordering::Relaxed);
            wake();
        });
        Self { is_on, subscription: Some(subscription) }
    }

    /// Returns whether reduced motion is on.
    pub fn is_on(&self) -> bool {
        self.subscription.is_some() && self.is_on.load(Ordering::Relaxed)
    }
}
