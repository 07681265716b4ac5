//! How people are shown: initials, in a colour each.

/// Colours that people are told apart by.
pub const SHADES: usize = 8;

/// The first letters of a name's first and last word.
pub fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().and_then(|word| word.chars().next());
    let second = words.next_back().and_then(|word| word.chars().next());
    let second = second.or_else(|| name.chars().filter(|c| c.is_alphanumeric()).nth(1));
    first.into_iter().chain(second).flat_map(char::to_uppercase).collect()
}

/// Which colour a name has, the same in every window.
pub fn shade(name: &str) -> usize {
    let sum = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    sum % SHADES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_two_letters() {
        for (name, expected) in
            [("ann", "AN"), ("Bob Ross", "BR"), ("x", "X"), ("", ""), ("maria-del.mar", "MM")]
        {
            assert_eq!(initials(name), expected);
        }
    }
}
