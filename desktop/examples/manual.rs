//! Generates the man pages and shell completions of both programs from their command-line definitions.
//!
//! `cargo run -p desktop --example manual -- FOLDER`

use std::{fs, io, path::Path};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

fn main() -> io::Result<()> {
    let folder =
        std::env::args_os().nth(1).ok_or_else(|| io::Error::other("missing argument: output folder"))?;
    for program in [desktop::args::Args::command(), server::cli::Cli::command()] {
        write(program, Path::new(&folder))?;
    }
    Ok(())
}

fn write(mut program: Command, folder: &Path) -> io::Result<()> {
    let name = program.get_name().to_owned();
    let pages = folder.join("man/man1");
    fs::create_dir_all(&pages)?;
    // Must run before the completions, which build the help subcommands that would get pages of their own.
    clap_mangen::generate_to(program.clone().disable_help_subcommand(true), pages)?;
    for (shell, place) in [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Zsh, format!("zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
    ] {
        let path = folder.join(place);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        clap_complete::generate(shell, &mut program, &name, &mut fs::File::create(path)?);
    }
    Ok(())
}
