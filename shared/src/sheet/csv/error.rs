//! Why a CSV file cannot be read.

/// Why a file cannot be read. Each message says where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The file has no header.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// A line with more or fewer fields than the header.
    #[error(
        "line {line} has {found} {fields}; {expected} expected, as in the first line (a field that contains a comma needs quotes)",
        fields = if *found == 1 { "field" } else { "fields" }
    )]
    Ragged {
        /// Number of the line, from 1.
        line: u64,
        /// Number of fields in the line.
        found: u64,
        /// Number of fields in the header.
        expected: u64,
    },
    /// A line that is not UTF-8.
    #[error("line {line} is not UTF-8 text; save the file as CSV in UTF-8")]
    NotUtf8 {
        /// Number of the line, from 1.
        line: u64,
    },
    /// A quote that is never closed.
    #[error("the quote opened on line {line} is never closed")]
    UnclosedQuote {
        /// Number of the line, from 1.
        line: u64,
    },
    /// A value in a standard number column that is not a number.
    #[error("line {line}, column {title}: {message}")]
    BadValue {
        /// Number of the line, from 1.
        line: u64,
        /// The column's title in the file.
        title: String,
        /// What is wrong with the value.
        message: String,
    },
    /// More rows or columns than a watchlist may have.
    #[error("the file has {found} {what}; the limit of a watchlist is {limit}")]
    TooLarge {
        /// `rows` or `columns`.
        what: &'static str,
        /// Number in the file.
        found: usize,
        /// Maximum number in a watchlist.
        limit: usize,
    },
}

impl CsvError {
    /// Returns the error of a file that has one line more before.
    pub(super) fn on_next_line(mut self) -> Self {
        match &mut self {
            Self::Ragged { line, .. }
            | Self::NotUtf8 { line }
            | Self::UnclosedQuote { line }
            | Self::BadValue { line, .. } => *line += 1,
            Self::Empty | Self::TooLarge { .. } => {}
        }
        self
    }
}

/// Returns the error of a value that its column cannot hold.
pub(super) fn bad_value(line: u64, title: &str, message: &str) -> CsvError {
    CsvError::BadValue { line, title: title.to_owned(), message: message.to_owned() }
}
