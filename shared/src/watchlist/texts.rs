//! Texts that rows share: a column often has the same few texts in thousands of rows, such as a sector or a
//! trader.

use std::sync::Arc;

use crate::value::Value;

/// Maximum number of texts that are remembered.
const REMEMBERED: usize = 8192;

/// The last texts, each at an index that its hash determines. It has about as many as there are rows, up to a
/// limit, so that unique texts do not make it grow.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedTexts {
    texts: Vec<Option<Arc<str>>>,
}

impl SharedTexts {
    /// Replaces a text by an equal one that another of the `rows` has, if it is remembered.
    pub(super) fn share(&mut self, value: &mut Value, rows: usize) {
        let Value::Text(text) = value else { return };
        let wanted = rows.clamp(1, REMEMBERED).next_power_of_two();
        if self.texts.len() < wanted {
            self.texts.resize(wanted, None);
        }
        let index = hash(text) % self.texts.len();
        match &mut self.texts[index] {
            Some(known) if known == text => *text = known.clone(),
            other => *other = Some(text.clone()),
        }
    }
}

/// Returns the FNV-1a hash of a text, folded. Texts that are chosen to collide are only not shared.
fn hash(text: &str) -> usize {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_stored_once_however_many_others_pass() {
        let mut texts = SharedTexts::default();
        let mut share = |text: &str, rows: usize| {
            let mut value = Value::Text(text.into());
            texts.share(&mut value, rows);
            let Value::Text(shared) = value else { panic!("still a text") };
            assert_eq!(&*shared, text);
            shared
        };
        assert!(Arc::ptr_eq(&share("Energy", 0), &share("Energy", 1)));
        (0..10 * REMEMBERED).for_each(|number| drop(share(&format!("SYM{number}"), number)));
        assert!(Arc::ptr_eq(&share("Banks", 100_000), &share("Banks", 100_001)));
        assert_eq!(texts.texts.len(), REMEMBERED);
    }
}
