//! Texts that are shown in part, where many or long ones would cover everything else.

/// Returns a text of at most a number of characters: a longer one ends with an ellipsis.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}
