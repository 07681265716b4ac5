//! Accounts: who makes a request, and what they may use.
//!
//! The data folder's own user always has an account, proved by the token in the folder. Other accounts sign
//! in with a password, which starts a session, or use a token. Everything is kept in memory; a change is
//! stored first.

pub mod audit;
mod denials;
mod directory;
mod local;
mod manage;
mod name;
mod password;
mod proof;
mod record;
mod refusal;
mod secret;
mod sharing;
mod sign_in;
mod state;
pub mod store;
mod throttle;
mod token_file;

pub use self::{
    directory::Lifetimes,
    local::LocalAccount,
    proof::{NONCE_BYTES, is_proof, prove},
    sharing::AccessList,
    sign_in::{SignInError, SignedIn},
    state::{Accounts, Origin, Presented},
    store::StoreError,
    token_file::read_token,
};
pub use crate::files::TOKEN_FILE;
