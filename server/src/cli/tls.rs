//! The sub-command that creates certificates.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Create a certificate, signed by an authority of its own. Another call creates a new certificate of the same authority.
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

pub(super) fn tls(args: TlsArgs) -> anyhow::Result<()> {
    let TlsCommand::SelfSigned { name, out, folder } = args.command;
    let out = out.map_or_else(|| Ok(folder.path()?.join("tls")), anyhow::Ok)?;
    let Created { certificate, key, authority, fingerprint } =
        create_self_signed(&out, &name, clock::system()())?;
    let lines = format!(
        "--tls-cert {}\n--tls-key {}\nclients have to trust {}\nSHA-256 {fingerprint}\n",
        certificate.display(),
        key.display(),
        authority.display()
    );
    print(lines.as_bytes())
}
