//! The type of the server's `write_atomically`, which `app` passes to the modules that save files.

use std::{io, path::Path};

/// Replaces a file by one with the given bytes. After a crash it has either the old bytes or the new ones. No
/// two processes may write the same file at once.
pub type WriteFile = fn(&Path, &[u8]) -> io::Result<()>;
