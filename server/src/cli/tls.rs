//! The sub-command that creates certificates.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shared::address::{ENCRYPTED, address_for_host};

use super::{connection::Folder, output::print};
use crate::{
    clock,
    tls::{Created, create_self_signed},
};

#[derive(Args, Debug)]
pub(super) struct TlsArgs {
    #[command(subcommand)]
    command: TlsCommand,
}

#[derive(Subcommand, Debug)]
enum TlsCommand {
    /// Create a certificate, signed by an authority of its own. Another call creates a new certificate of the
    /// same authority.
    SelfSigned {
        /// Host name or address under which clients reach the server; several are separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        name: Vec<String>,
        /// Folder for the certificates [default: tls in the data folder]
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        folder: Folder,
    },
}

/// Returns a name as part of an address.
fn host_of(name: &str) -> anyhow::Result<String> {
    let bracketed = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let wildcard = bracketed.strip_prefix("*.").unwrap_or(&bracketed);
    match address_for_host(ENCRYPTED, Some(wildcard), DEFAULT_PORT) {
        Some(_) => Ok(bracketed),
        None => anyhow::bail!("{name:?} is neither a host name nor an address"),
    }
}

/// Port of a server unless its settings name another one.
const DEFAULT_PORT: u16 = 7878;

pub(super) fn tls(args: TlsArgs) -> anyhow::Result<()> {
    let TlsCommand::SelfSigned { name, out, folder } = args.command;
    let hosts: Vec<String> = name.iter().map(|name| host_of(name)).collect::<Result<_, _>>()?;
    // A name with a star stands for others, of which the person knows one.
    let host = hosts.iter().find(|host| !host.contains('*')).map_or("NAME", String::as_str);
    let out = out.map_or_else(|| Ok(folder.path()?.join("tls")), anyhow::Ok)?;
    let Created { certificate, key, authority, fingerprint } =
        create_self_signed(&out, &name, clock::system()())?;
    let lines = format!(
        "certificate: {}\nkey: {}\nauthority, which clients have to trust: {}\n\n\
         Give this to the people who connect, as a file such as desk.afterglow (adapt the port):\n\
         server = \"https://{host}:{DEFAULT_PORT}\"\nca_fingerprint = \"{fingerprint}\"\n",
        certificate.display(),
        key.display(),
        authority.display()
    );
    print(lines.as_bytes())
}
