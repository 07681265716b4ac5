//! Whether the system asks for less motion, as people set it in its accessibility settings.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mundy::{Interest, Preferences, Subscription};

use crate::Wake;

/// The system's wish, as it is now.
#[derive(Default)]
pub struct LessMotion {
    is_wished: Arc<AtomicBool>,
    /// Ends with it.
    subscription: Option<Subscription>,
}

impl LessMotion {
    /// Follows the system's wish; `wake` is called when it changes. A system that has no such setting wishes nothing.
    pub fn follow(wake: Wake) -> Self {
        let is_wished = Arc::new(AtomicBool::new(false));
        let noted = is_wished.clone();
        let subscription = Preferences::subscribe(Interest::ReducedMotion, move |preferences| {
            noted.store(preferences.reduced_motion.is_reduce(), Ordering::Relaxed);
            wake();
        });
        Self { is_wished, subscription: Some(subscription) }
    }

    /// Whether less motion is wished for.
    pub fn is_wished(&self) -> bool {
        self.subscription.is_some() && self.is_wished.load(Ordering::Relaxed)
    }
}
