//! Connections to a server outside this user's processes: through a proxy where the system names one, and
//! over TLS. The WebSocket client takes neither a proxy nor a TLS configuration, so a relay on the loopback
//! interface gives it a connection that is already open.

mod call;
mod dial;
mod relay;
mod trust;

pub use self::{
    call::{Answer, CallError, Credential, Request, call},
    dial::{DialError, Server, dial},
    relay::{Relay, relay},
    trust::{Fingerprint, Trust},
};
