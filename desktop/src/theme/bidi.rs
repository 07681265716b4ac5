//! The order in which the words of a line are drawn. egui draws the letters of a word in their own direction,
//! but the words from left to right.

use std::borrow::Cow;

use unicode_bidi::{BidiClass, BidiInfo, bidi_class};

/// Returns one line with its words from left to right, as they are to be drawn: words in Arabic or Hebrew
/// follow each other from right to left. The letters of a word keep their order, because the font's shaper
/// reverses them.
pub fn in_visual_order(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(is_right_to_left) {
        return Cow::Borrowed(text);
    }
    let bidi = BidiInfo::new(text, None);
    let Some(line) = bidi.paragraphs.first() else { return Cow::Borrowed(text) };
    let (levels, runs) = bidi.visual_runs(line, line.range.clone());
    let mut visual = String::with_capacity(text.len());
    for run in runs {
        if levels[run.start].is_rtl() {
            push_reversed(&text[run], &mut visual);
        } else {
            visual.push_str(&text[run]);
        }
    }
    // A line has no other paragraphs; if it has, they follow as they are.
    visual.push_str(&text[line.range.end..]);
    Cow::Owned(visual)
}

fn is_right_to_left(c: char) -> bool {
    matches!(bidi_class(c), BidiClass::R | BidiClass::AL)
}

/// Adds the words and signs of a run in reverse order. The letters of a word and their marks stay together.
fn push_reversed(run: &str, visual: &mut String) {
    let chars: Vec<char> = run.chars().collect();
    let is_letter = |c: &char| is_right_to_left(*c) || bidi_class(*c) == BidiClass::NSM;
    for part in chars.chunk_by(|one, next| is_letter(one) && is_letter(next)).rev() {
        if is_letter(&part[0]) {
            visual.extend(part);
        } else {
            visual.extend(part.iter().copied().map(mirrored));
        }
    }
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
    fn words_from_right_to_left_follow_each_other_in_that_direction() {
        for (text, visual) in [
            ("AT&T Inc.", "AT&T Inc."),
            ("caf\u{e9}", "caf\u{e9}"),
            ("\u{5d0}\u{5d1}\u{5d2}", "\u{5d0}\u{5d1}\u{5d2}"),
            ("\u{5d0}\u{5d1} \u{5d2}\u{5d3}", "\u{5d2}\u{5d3} \u{5d0}\u{5d1}"),
            ("Teva \u{5d8}\u{5d1}\u{5e2} 12", "Teva 12 \u{5d8}\u{5d1}\u{5e2}"),
            ("\u{5d0}\u{5b8}\u{5d1}(\u{5d2}) 71.5", "71.5 (\u{5d2})\u{5d0}\u{5b8}\u{5d1}"),
            ("\u{627}\u{628} Inc", "Inc \u{627}\u{628}"),
            ("", ""),
        ] {
            assert_eq!(in_visual_order(text), visual, "{text:?}");
        }
    }
}
