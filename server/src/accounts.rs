//! Accounts: who a request comes from. Until there are accounts, everyone who can read the token file of the data folder acts
//! as its local user.

mod local;

pub use local::{LocalAccount, TOKEN_FILE, system_user_name};
