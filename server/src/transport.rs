//! Transports: the kinds of connection that a session speaks over.

pub mod websocket;
