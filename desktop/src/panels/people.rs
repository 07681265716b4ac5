//! Initials and colours that represent people.

/// Number of distinct colours for people.
pub const SHADES: usize = 8;

/// Returns the first letters of the first and last word of a name, in upper case.
pub fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().and_then(|word| word.chars().next());
    let second = words.next_back().and_then(|word| word.chars().next());
    let second = second.or_else(|| name.chars().filter(|c| c.is_alphanumeric()).nth(1));
    first.into_iter().chain(second).flat_map(char::to_uppercase).collect()
}

/// Returns the colour index of a name: less than [`SHADES`], and the same in every window.
pub fn shade(name: &str) -> usize {
    let sum = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    sum % SHADES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_have_at_most_two_letters() {
        for (name, expected) in
            [("ann", "AN"), ("Bob Ross", "BR"), ("x", "X"), ("", ""), ("maria-del.mar", "MM")]
        {
            assert_eq!(initials(name), expected);
        }
    }
}
