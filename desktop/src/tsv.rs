//! Tab-separated text as Excel, LibreOffice Calc and Google Sheets put it on the clipboard: a cell that
//! contains a tab or a line break, or starts with a quote, is quoted, and quotes inside it are doubled.

/// Writes rows of cells. Several cells end with a line break, as in those programs. A single cell does not,
/// so that it can be pasted into a line of text.
pub(crate) fn write<'a>(rows: impl IntoIterator<Item = impl IntoIterator<Item = &'a str>>) -> String {
    let mut text = String::new();
    let mut cells = 0;
    for row in rows {
        for (index, cell) in row.into_iter().enumerate() {
            if index > 0 {
                text.push('\t');
            }
            write_cell(&mut text, cell);
            cells += 1;
        }
        text.push('\n');
    }
    if cells == 1 {
        text.pop();
    }
    text
}

fn write_cell(text: &mut String, cell: &str) {
    if cell.contains(['\t', '\n', '\r']) || cell.starts_with('"') {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(cell);
    }
}

/// Reads rows of cells, which may have different lengths. An unclosed quote is ordinary text.
pub(crate) fn read(text: &str) -> Vec<Vec<String>> {
    let mut reader = Reader { rest: text, may_quote: true };
    let mut rows = Vec::new();
    while !reader.rest.is_empty() {
        rows.push(reader.row());
    }
    rows
}

struct Reader<'a> {
    rest: &'a str,
    /// False once an unclosed quote was found: later quotes cannot open a cell either.
    may_quote: bool,
}

impl Reader<'_> {
    fn row(&mut self) -> Vec<String> {
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell());
            if let Some(rest) = self.rest.strip_prefix('\t') {
                self.rest = rest;
                continue;
            }
            self.rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
            self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
            return cells;
        }
    }

    fn cell(&mut self) -> String {
        let mut cell = String::new();
        if let Some(quoted) = self.rest.strip_prefix('"').filter(|_| self.may_quote) {
            match closing(quoted) {
                Some(end) => {
                    cell = quoted[..end].replace("\"\"", "\"");
                    self.rest = &quoted[end + 1..];
                }
                None => self.may_quote = false,
            }
        }
        let end = self.rest.find(['\t', '\n', '\r']).unwrap_or(self.rest.len());
        cell.push_str(&self.rest[..end]);
        self.rest = &self.rest[end..];
        cell
    }
}

/// Returns the index of the quote that ends a quoted cell: the first that is not doubled.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'"')?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_cells_are_read_back_unchanged() {
        let rows = [
            vec!["MMM", "3M \"Co\"", "71.72"],
            vec!["", "two\nlines\tand a tab", ""],
            vec!["\"quoted\"", "\r\n", "é"],
        ];
        assert_eq!(read(&write(rows.clone())), rows);
        assert_eq!(write([["one"]]), "one");
        assert_eq!(write([["a\"b"], [""]]), "a\"b\n\n");
        assert_eq!(read("a\"b\n\n"), [["a\"b"], [""]]);
    }

    #[test]
    fn text_from_other_programs_is_read_correctly() {
        assert_eq!(read(""), Vec::<Vec<String>>::new());
        assert_eq!(read("1\r\n2\r\n"), [["1"], ["2"]]);
        assert_eq!(read("1\r2"), [["1"], ["2"]]);
        assert_eq!(read("a\tb\nc"), [vec!["a", "b"], vec!["c"]], "ragged rows stay ragged");
        assert_eq!(read("\"a\"\"b\"c\td"), [["a\"bc", "d"]]);
    }

    #[test]
    fn an_unclosed_quote_is_text() {
        assert_eq!(read("\"a\tb\n\"c\td"), [["a\tb\nc", "d"]], "two quotes delimit a cell");
        assert_eq!(read("\"a\tb\nc\td"), [["\"a", "b"], ["c", "d"]]);
        let many = format!("\"a\n{}", "b\"\"\tc\n".repeat(100_000));
        assert_eq!(read(&many).len(), 100_001);
    }

    /// Any text can be read, and written cells are read back unchanged.
    /// To run it for longer: `cargo bolero test -p desktop tsv::tests::fuzz --engine libfuzzer`.
    #[test]
    fn fuzz() {
        bolero::check!().with_type::<(String, Vec<Vec<String>>)>().with_iterations(20_000).for_each(
            |(text, cells)| {
                let read_cells = read(text);
                assert!(read_cells.iter().map(Vec::len).sum::<usize>() <= text.len() + 1);
                let cells: Vec<_> = cells.iter().filter(|row| !row.is_empty()).collect();
                let is_plain = cells.iter().flat_map(|row| row.iter()).all(|cell| !cell.contains('\r'));
                if is_plain && !cells.is_empty() {
                    let written = write(cells.iter().map(|row| row.iter().map(String::as_str)));
                    let again = read(&written);
                    let is_one_empty = cells.len() == 1 && cells[0].len() == 1 && cells[0][0].is_empty();
                    assert!(is_one_empty || again.iter().eq(cells), "{written:?} is read as {again:?}");
                }
            },
        );
    }
}
