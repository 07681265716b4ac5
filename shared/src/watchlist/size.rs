//! Estimates of the size of cells and texts once they are encoded as JSON, the larger of the encodings.

use crate::value::Value;

/// Estimates the encoded size of a text in bytes. A control character is escaped as six characters, a quote
/// as two.
pub(super) fn encoded_bytes(text: &str) -> usize {
    let escapes = |byte: u8| match byte {
        b'"' | b'\\' => 1,
        byte if byte.is_ascii_control() => 5,
        _ => 0,
    };
    2 + text.len() + text.bytes().map(escapes).sum::<usize>()
}

/// Returns the length of a cell's text in bytes, or 0 if it is no text.
pub(super) fn text_bytes(value: &Value) -> usize {
    if let Value::Text(text) = value { text.len() } else { 0 }
}

/// Estimates the encoded size of a cell in bytes, its key included.
pub(super) fn cell_bytes(value: &Value) -> usize {
    match value {
        Value::Empty => 0,
        Value::Text(text) => 16 + encoded_bytes(text),
        Value::Number(_) => 22,
        Value::Flag(_) => 20,
        Value::Time(_) => 40,
    }
}
