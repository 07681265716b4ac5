//! Accounts: who a request comes from. Until there are accounts, everyone who can read the token file of the data folder acts
//! as its local user.

mod local;
mod proof;
mod token_file;

pub use local::LocalAccount;
pub use proof::{NONCE_BYTES, is_proof, prove};
pub use token_file::read_token;

pub use crate::files::TOKEN_FILE;
