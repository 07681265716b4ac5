//! The function that replaces a file. Only `app` and `host` use the server, whose function it is, so it is passed to
//! everything else that saves a file.

use std::{io, path::Path};

/// Replaces a file by one with the given bytes. After a crash it has either the old bytes or the new ones. No two
/// processes may write the same file at once.
pub type WriteFile = fn(&Path, &[u8]) -> io::Result<()>;
