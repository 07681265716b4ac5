//! Texts that rows share: a column often has the same few texts in thousands of rows, such as a sector or a trader.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::value::Value;

/// Number of texts that are remembered.
const REMEMBERED: usize = 1024;

/// The last texts by hash. It is a cache of fixed size, so that unique texts do not make it grow.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedTexts {
    /// Empty until the first text.
    texts: Vec<Option<Arc<str>>>,
}

impl SharedTexts {
    /// Replaces a text by an equal one that another row has, if it is remembered.
    pub(super) fn share(&mut self, value: &mut Value) {
        let Value::Text(text) = value else { return };
        if self.texts.is_empty() {
            self.texts.resize(REMEMBERED, None);
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % REMEMBERED as u64).unwrap_or_default();
        match &mut self.texts[index] {
            Some(known) if known == text => *text = known.clone(),
            other => *other = Some(text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_stored_once_however_many_others_pass() {
        let mut texts = SharedTexts::default();
        let mut share = |text: &str| {
            let mut value = Value::Text(text.into());
            texts.share(&mut value);
            let Value::Text(shared) = value else { panic!("still a text") };
            assert_eq!(&*shared, text);
            shared
        };
        let energy = share("Energy");
        assert!(Arc::ptr_eq(&energy, &share("Energy")));
        (0..10 * REMEMBERED).for_each(|number| drop(share(&format!("SYM{number}"))));
        assert!(Arc::ptr_eq(&share("Banks"), &share("Banks")));
        assert_eq!(texts.texts.len(), REMEMBERED);
    }
}
