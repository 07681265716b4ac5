//! Reads a token from a file that a person or a data folder names.

use std::{fs::File, io::Read, path::Path};

/// Maximum length of a token file, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

/// Reads a token from its file.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub fn read_token(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("the token file {} cannot be read: {error}", file.display()))?;
    let token = text.trim();
    if text.len() as u64 > MAX_TOKEN_BYTES {
        return Err(format!("the file {} is too long to hold a token", file.display()));
    }
    if token.is_empty() {
        return Err(format!("the token file {} is empty", file.display()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "the file {} does not hold a token: a token is one word of ASCII characters",
            file.display()
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, text).unwrap();
        read_token(&file)
    }

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(read(b" secret\n"), Ok("secret".to_owned()));
        let longest = "x".repeat(4096);
        assert_eq!(read(longest.as_bytes()), Ok(longest));
    }

    #[test]
    fn an_error_says_what_is_wrong_with_the_file() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "is empty"),
            (b" \n", "is empty"),
            (b"two words", "one word"),
            ("sécret".as_bytes(), "one word"),
            (b"\xff", "cannot be read"),
            (&[b'x'; 4097], "too long"),
            (&[b' '; 5000], "too long"),
        ];
        for (text, message) in cases {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let error = read_token(Path::new("/no/such/file")).unwrap_err();
        assert!(error.contains("/no/such/file cannot be read"), "{error}");
    }
}
