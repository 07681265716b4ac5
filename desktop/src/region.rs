//! The system's regional settings, which are read once at the start.

use jiff::tz::TimeZone;
use shared::number::Separators;

/// Time zone and number format of the person.
#[derive(Clone, Debug)]
pub struct Region {
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// How numbers are shown and typed.
    pub separators: Separators,
}

impl Default for Region {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, separators: Separators::Point }
    }
}

impl Region {
    /// Reads the settings of the system. The variables of POSIX decide where they are set.
    pub fn of_system() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|locale| !locale.is_empty());
        let locale = ["LC_ALL", "LC_NUMERIC", "LANG"].into_iter().find_map(variable);
        let locale = locale.or_else(sys_locale::get_locale).unwrap_or_default();
        Self { zone: TimeZone::system(), separators: Separators::for_locale(&locale) }
    }
}
