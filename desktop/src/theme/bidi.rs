//! The order in which the characters of a line are drawn. egui draws them from left to right.

use std::borrow::Cow;

use unicode_bidi::{BidiClass, BidiInfo, bidi_class};

/// Returns the characters of one line from left to right, as they are to be drawn: words in Arabic or Hebrew run from right to
/// left.
pub fn in_visual_order(text: &str) -> Cow<'_, str> {
    let is_right_to_left = |c| matches!(bidi_class(c), BidiClass::R | BidiClass::AL | BidiClass::AN);
    if text.is_ascii() || !text.chars().any(is_right_to_left) {
        return Cow::Borrowed(text);
    }
    let bidi = BidiInfo::new(text, None);
    let Some(line) = bidi.paragraphs.first() else { return Cow::Borrowed(text) };
    let (levels, runs) = bidi.visual_runs(line, line.range.clone());
    let mut visual = String::with_capacity(text.len());
    for run in runs {
        if levels[run.start].is_rtl() {
            visual.extend(text[run].chars().rev().map(mirrored));
        } else {
            visual.push_str(&text[run]);
        }
    }
    // A line has no other paragraphs; if it has, they follow as they are.
    visual.push_str(&text[line.range.end..]);
    Cow::Owned(visual)
}

/// Returns a bracket that opens in the other direction.
fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '\u{ab}' => '\u{bb}',
        '\u{bb}' => '\u{ab}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_right_to_left_are_reversed_and_numbers_in_them_are_not() {
        for (text, visual) in [
            ("AT&T Inc.", "AT&T Inc."),
            ("caf\u{e9}", "caf\u{e9}"),
            ("\u{5d0}\u{5d1}\u{5d2}", "\u{5d2}\u{5d1}\u{5d0}"),
            ("Teva \u{5d8}\u{5d1}\u{5e2} 12", "Teva 12 \u{5e2}\u{5d1}\u{5d8}"),
            ("\u{5d0}(\u{5d1}) 71.5", "71.5 (\u{5d1})\u{5d0}"),
            ("\u{627}\u{628} Inc", "Inc \u{628}\u{627}"),
            ("", ""),
        ] {
            assert_eq!(in_visual_order(text), visual, "{text:?}");
        }
    }
}
