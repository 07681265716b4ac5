//! The proof that a server knows a token. A client asks for it before it sends the token, so that a process
//! that has taken over the server's address does not get the token.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Number of bytes of a nonce.
pub const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Returns the HMAC-SHA-256 of a nonce under a token.
pub fn prove(token: &str, nonce: &[u8]) -> Vec<u8> {
    authenticator(token, nonce).finalize().into_bytes().to_vec()
}

/// Whether a proof is that of the nonce under the token. Takes the same time wherever two proofs differ.
pub fn is_proof(proof: &[u8], token: &str, nonce: &[u8]) -> bool {
    authenticator(token, nonce).verify_slice(proof).is_ok()
}

fn authenticator(token: &str, nonce: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(token.as_bytes()).expect("a key may have any length");
    mac.update(nonce);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_token_and_nonce_only() {
        let proof = prove("secret", b"0123456789abcdef");
        assert!(is_proof(&proof, "secret", b"0123456789abcdef"));
        assert!(!is_proof(&proof, "secreT", b"0123456789abcdef"));
        assert!(!is_proof(&proof, "secret", b"0123456789abcdeF"));
        assert!(!is_proof(&proof[..31], "secret", b"0123456789abcdef") && !is_proof(b"", "secret", b""));
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn a_proof_is_the_hmac_sha_256_of_the_nonce() {
        let proof = prove("Jefe", b"what do ya want for nothing?");
        assert_eq!(hex::encode(proof), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
