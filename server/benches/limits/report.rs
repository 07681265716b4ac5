//! Prints what was measured, beside the limit.

use std::process::ExitCode;

/// What was measured.
#[derive(Default)]
pub struct Report {
    missed: usize,
}

impl Report {
    /// Prints something that has no limit.
    pub fn note(&mut self, what: &str, measured: f64, unit: &str) {
        self.print(what, (measured, unit), "");
    }

    /// Prints something that must not be more than a limit.
    pub fn at_most(&mut self, what: &str, measured: f64, limit: f64, unit: &str) {
        self.compare(what, (measured, unit), measured <= limit, &format!("at most {}", shown(limit)));
    }

    /// Prints something that must not be less than a limit.
    pub fn at_least(&mut self, what: &str, measured: f64, limit: f64, unit: &str) {
        self.compare(what, (measured, unit), measured >= limit, &format!("at least {}", shown(limit)));
    }

    /// Returns success if every limit was kept.
    pub fn exit_code(&self) -> ExitCode {
        println!("{} limits missed", self.missed);
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn compare(&mut self, what: &str, measured: (f64, &str), is_kept: bool, limit: &str) {
        self.missed += usize::from(!is_kept);
        self.print(what, measured, &format!("{limit}{}", if is_kept { "" } else { "  MISSED" }));
    }

    fn print(&self, what: &str, (measured, unit): (f64, &str), limit: &str) {
        println!("{what:<78} {:>9} {unit:<8} {limit}", shown(measured));
    }
}

fn shown(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}
