//! The sub-commands about accounts, tokens and the audit log. They work on a data folder, through its server
//! if one runs.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use shared::{
    account::{Role, Scope},
    column::ColumnKey,
    ids::{UserId, WatchlistId},
    time::{MILLIS_PER_DAY, Timestamp},
    wire::{
        account_api::{
            AccountSummary, AddAccount, AddToken, AddedAccount, AddedToken, AuditLog, ChangeAccount, Hidden,
            TokenSummary,
        },
        api::List,
    },
};
use uuid::Uuid;

use super::{
    connection::{Folder, Missing, with_folder},
    output::{print, printable},
};
use crate::{client::Client, clock};

/// Maximum number of bytes of a line with a password.
const MAX_PASSWORD_LINE: u64 = 8 * 1024;

#[derive(Args, Debug)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Subcommand, Debug)]
enum UserCommand {
    /// Add accounts and print their ids; the password of each is one line of stdin, or asked for at a
    /// terminal.
    Add {
        /// Names of the accounts.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Make them administrators, who may use every watchlist and manage the accounts.
        #[arg(long)]
        admin: bool,
    },
    /// Print every account: id, name, role and whether it is active, separated by tabs.
    List,
    /// Change the password of an account, and end its sessions.
    Passwd {
        /// Name of the account.
        name: String,
    },
    /// Disable an account, and end its sessions.
    Disable {
        /// Name of the account.
        name: String,
    },
    /// Enable an account again.
    Enable {
        /// Name of the account.
        name: String,
    },
    /// Make an account an administrator.
    Admin {
        /// Name of the account.
        name: String,
        /// Make it an ordinary account again.
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Add a token for a program and print it. It is not shown again.
    Add(AddTokenArgs),
    /// Print every token: id, name, account, scope, end and last use, separated by tabs.
    List,
    /// Revoke a token, by its id or its name.
    Revoke {
        /// Id or name of the token.
        token: String,
    },
}

#[derive(Args, Debug)]
struct AddTokenArgs {
    /// Name of the token, which others see as the author of its edits.
    #[arg(long)]
    name: String,
    /// Account whose rights the token has [default: the user of the data folder]
    #[arg(long)]
    user: Option<String>,
    /// The only watchlists that it may use, by id.
    #[arg(long, value_delimiter = ',')]
    lists: Option<Vec<Uuid>>,
    /// It may only send ticks of a feed, which this version does not support yet, and read nothing.
    #[arg(long)]
    ticks_only: bool,
    /// The only columns whose cells it may set, by key.
    #[arg(long, value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Days after which it ends, such as 90d [default: never]
    #[arg(long, value_parser = read_days)]
    expires: Option<i64>,
}

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    folder: Folder,
}

fn read_days(text: &str) -> Result<i64, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse::<u16>().ok().filter(|days| *days > 0);
    days.map(i64::from).ok_or_else(|| "use a number of days, such as 90d".to_owned())
}

pub(super) fn user(args: UserArgs) -> anyhow::Result<()> {
    // Asked for before the server is started or locked.
    let names = match &args.command {
        UserCommand::Add { names, .. } => names.as_slice(),
        UserCommand::Passwd { name } => std::slice::from_ref(name),
        _ => &[],
    };
    let mut passwords = names.iter().map(|name| read_password(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let missing = match args.command {
        UserCommand::Add { .. } => Missing::Created,
        _ => Missing::Rejected,
    };
    with_folder(&args.folder, missing, |client| match args.command {
        UserCommand::Add { names, admin } => {
            for (name, password) in names.into_iter().zip(passwords.drain(..)) {
                let add = AddAccount { name, password, admin };
                let added: AddedAccount = client
                    .send("POST", "/api/v1/accounts", &add)
                    .with_context(|| format!("the account {:?} was not added", add.name))?;
                print(format!("{}\n", added.id).as_bytes())?;
            }
            Ok(())
        }
        UserCommand::Passwd { name } => {
            change(client, &name, &ChangeAccount { password: passwords.pop(), ..ChangeAccount::default() })
        }
        UserCommand::Disable { name } => {
            change(client, &name, &ChangeAccount { disabled: Some(true), ..ChangeAccount::default() })
        }
        UserCommand::Enable { name } => {
            change(client, &name, &ChangeAccount { disabled: Some(false), ..ChangeAccount::default() })
        }
        UserCommand::Admin { name, revoke } => {
            change(client, &name, &ChangeAccount { admin: Some(!revoke), ..ChangeAccount::default() })
        }
        UserCommand::List => {
            let line = |account: &AccountSummary| {
                let role = if account.role == Role::Admin { "admin" } else { "user" };
                let state = if account.disabled { "disabled" } else { "active" };
                format!("{}\t{}\t{role}\t{state}\n", account.id, account.name)
            };
            print(accounts(client)?.iter().map(line).collect::<String>().as_bytes())
        }
    })
}

pub(super) fn token(args: TokenArgs) -> anyhow::Result<()> {
    with_folder(&args.folder, Missing::Rejected, |client| match args.command {
        TokenCommand::Add(add) => add_token(client, add),
        TokenCommand::List => {
            let tokens: List<TokenSummary> = client.get("/api/v1/tokens")?;
            print(tokens.list.iter().map(token_line).collect::<String>().as_bytes())
        }
        TokenCommand::Revoke { token } => {
            let tokens: List<TokenSummary> = client.get("/api/v1/tokens")?;
            let id = token.parse::<Uuid>().ok();
            let mut found = tokens.list.iter().filter(|known| Some(known.id) == id || *known.name == *token);
            match (found.next(), found.next()) {
                (Some(known), None) => Ok(client.remove(&format!("/api/v1/tokens/{}", known.id))?),
                (Some(_), Some(_)) => bail!("several tokens have the name {token:?}; name one by its id"),
                (None, _) => bail!("there is no token {token:?}"),
            }
        }
    })
}

fn add_token(client: &Client, args: AddTokenArgs) -> anyhow::Result<()> {
    let user = args.user.map(|name| account(client, &name)).transpose()?;
    if let Some(lists) = &args.lists {
        let known = client.list()?.list;
        let is_known = |list: &Uuid| known.iter().any(|summary| summary.watchlist.0 == *list);
        if let Some(unknown) = lists.iter().find(|list| !is_known(list)) {
            bail!("there is no watchlist {unknown}; `afterglow-server list` prints the ids");
        }
    }
    if args.columns.iter().flatten().any(|key| key.trim().is_empty()) {
        bail!("--columns has an empty key; name columns by their keys, such as price,volume");
    }
    let is_restricted = user.is_some() || args.lists.is_some() || args.columns.is_some() || args.ticks_only;
    let now = clock::system()();
    let add = AddToken {
        name: args.name,
        user,
        lists: args.lists.map(|lists| lists.into_iter().map(WatchlistId).collect()),
        ticks_only: args.ticks_only,
        columns: args.columns.map(|keys| keys.iter().map(|key| ColumnKey::from(key.as_str())).collect()),
        expires: args.expires.map(|days| Timestamp::from_millis(now.as_millis() + days * MILLIS_PER_DAY)),
    };
    let AddedToken { token: Hidden(token), .. } = client.send("POST", "/api/v1/tokens", &add)?;
    if !is_restricted {
        eprintln!(
            "afterglow-server: this token may do everything, from any machine: --user, --lists and --columns restrict one"
        );
    }
    print(format!("{token}\n").as_bytes())
}

fn token_line(token: &TokenSummary) -> String {
    let Scope { lists, ticks_only, columns } = &token.scope;
    let mut scope = Vec::new();
    if let Some(lists) = lists {
        let lists: Vec<String> = lists.iter().map(ToString::to_string).collect();
        scope.push(format!("lists {}", lists.join(",")));
    }
    if *ticks_only {
        scope.push("ticks only".to_owned());
    }
    if let Some(columns) = columns {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        scope.push(format!("columns {}", columns.join(",")));
    }
    let scope = if scope.is_empty() { "everything".to_owned() } else { scope.join("; ") };
    let time = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\n",
        token.id,
        printable(&token.name),
        token.user.name,
        printable(&scope),
        time(token.expires),
        time(token.last_used)
    )
}

pub(super) fn audit(args: &AuditArgs) -> anyhow::Result<()> {
    with_folder(&args.folder, Missing::Rejected, |client| {
        let log: AuditLog = client.get("/api/v1/audit")?;
        let line = |entry: &shared::wire::account_api::AuditEntry| {
            format!("{}\t{}\t{}\n", entry.number, entry.entry, entry.hash)
        };
        print(log.entries.iter().map(line).collect::<String>().as_bytes())?;
        match log.broken_at {
            None => Ok(()),
            Some(number) => {
                bail!("the audit log is broken at entry {number}: entries were removed or changed")
            }
        }
    })
}

fn accounts(client: &Client) -> anyhow::Result<Vec<AccountSummary>> {
    let accounts: List<AccountSummary> = client.get("/api/v1/accounts")?;
    Ok(accounts.list)
}

fn account(client: &Client, name: &str) -> anyhow::Result<UserId> {
    let accounts = accounts(client)?;
    // As at a sign-in: no two names differ in capital letters only.
    let is_named = |known: &str| known.to_lowercase() == name.to_lowercase();
    let found = accounts.iter().find(|account| is_named(&account.name) || account.id.to_string() == name);
    found.map(|account| account.id).with_context(|| format!("there is no account {name:?}"))
}

fn change(client: &Client, name: &str, change: &ChangeAccount) -> anyhow::Result<()> {
    let id = account(client, name)?;
    Ok(client.put("PATCH", &format!("/api/v1/accounts/{id}"), change)?)
}

/// Asks for a password at a terminal, twice and without showing it, or reads a line of stdin.
fn read_password(name: &str) -> anyhow::Result<Hidden> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        let mut stdin = io::Read::take(io::stdin().lock(), MAX_PASSWORD_LINE);
        stdin.read_line(&mut line).context("the password cannot be read from stdin")?;
        let password = line.strip_suffix('\n').unwrap_or(&line);
        return Ok(Hidden(password.strip_suffix('\r').unwrap_or(password).to_owned()));
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).context("the password cannot be read");
    let password = ask(format!("Password for {}: ", printable(name)))?;
    if ask("The same again: ".to_owned())? != password {
        bail!("the passwords differ; nothing was changed");
    }
    Ok(Hidden(password))
}
