//! The structure that ARCHITECTURE describes, checked against the source: which module may use which, that no
//! file uses another in a circle, and what the pure parts may not touch.

mod graph;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use graph::{FileGraph, is_test_item};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

/// The modules of a package with the modules that they may use. A module that is not listed may use no other.
const ALLOWED: &[(&str, &str)] = &[
    ("shared", include_str!("structure/shared.txt")),
    ("server", include_str!("structure/server.txt")),
    ("desktop", include_str!("structure/desktop.txt")),
];

/// Paths that must not occur in the code of a folder, `use` declarations and other crates included.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "shared/src",
        &[
            "tokio",
            "egui",
            "std::fs",
            "std::net",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
        ],
    ),
    ("server/src", &["egui", "desktop"]),
    // Files are replaced atomically, by the function that `app` passes.
    ("desktop/src", &["std::fs::write"]),
    ("desktop/src/store", &["egui", "std::time::SystemTime", "std::time::Instant::now"]),
];

/// Files that may change the state of the application, or the store in it.
const CHANGES_STATE: &[&str] = &["app.rs", "state", "state.rs", "store", "store.rs", "window"];

/// Functions of the hub without a caller, each with the reason.
const WITHOUT_CALLER: &[&str] = &[
    // Starts the server.
    "open",     // Says that some list has changed, but not which.
    "changes",  // Is asked with a caller in its turn.
    "accounts", // Whether the store works.
    "ready",
];

/// The only files of the desktop that may use the server.
const SERVER_USERS: [&str; 2] = ["app.rs", "host.rs"];

/// Modules that read the wall clock, files or the environment. Timers of tokio are not among them, because
/// tests pause and advance its clock.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "tokio::fs",
    "directories",
];

/// Functions of other crates that read what is outside.
const OUTSIDE_CALLS: &[&str] = &["Timestamp::now(", "Zoned::now(", "TimeZone::system(", "get_locale("];

/// The only files and folders of a package that may read what is outside.
const EDGES: &[(&str, &[&str])] = &[
    ("shared", &[]),
    (
        "server",
        &[
            "main.rs",
            // Reads the settings file and the environment for the sub-commands.
            "cli.rs",
            // Reads the environment.
            "cli/connection.rs",
            // Reads the name of the machine's user.
            "start.rs",
            // The wall clock that `start` is given.
            "clock.rs",
            // Private files, written atomically, for the three below.
            "files.rs",
            "folder",
            "accounts",
            "journal/sqlite/file.rs",
            // Authorities that the certificate of a database may be from.
            "journal/postgres/encryption.rs",
            // Certificates.
            "tls.rs",
            "tls",
        ],
    ),
    (
        "desktop",
        &[
            "main.rs",
            // The time of a frame, and the data folder.
            "app.rs",
            // The locale.
            "region.rs",
            // Timeouts of the connection.
            "net.rs",
            // A connection file and the token file that it names.
            "destination.rs",
            // Files of this user: joined servers, windows and preferences, unanswered edits.
            "servers.rs",
            "settings.rs",
            "store/outbox.rs",
            "store/outbox",
            // Files that a person imports and exports.
            "state/transfers.rs",
            // The home folder in a path that a person types.
            "files.rs",
            // The system's dialog for files, and how long it was open.
            "panels/dialogs/browse.rs",
            // Files with authorities that certificates may be from.
            "remote/trust.rs",
            // The last copies of the watchlists.
            "store/copies.rs",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn graph_of(package: &str) -> FileGraph {
    FileGraph::read(&root().join(package).join("src"))
}

/// Returns the module at the top of a package that a file belongs to; `None` for `lib.rs`, which only
/// declares modules.
fn module_of(file: &str) -> Option<&str> {
    let first = file.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|module| *module != "lib")
}

#[test]
fn no_file_uses_another_in_a_circle() {
    for (package, _) in ALLOWED {
        let graph = graph_of(package);
        if let Some(circle) = graph.shortest_circle() {
            panic!("{package}/src has a circle of {} files:\n{}", circle.len(), graph.describe(&circle));
        }
    }
}

#[test]
fn modules_use_only_what_the_list_allows() {
    let wrong: Vec<_> =
        ALLOWED.iter().flat_map(|(package, list)| edge_errors(package, list, &graph_of(package))).collect();
    assert!(wrong.is_empty(), "the modules do not use each other as listed:\n{}", wrong.join("\n"));
}

/// Returns a message for each use that the list does not allow, and for each allowed use that does not exist.
fn edge_errors(package: &str, list: &str, graph: &FileGraph) -> Vec<String> {
    let allowed: BTreeSet<(&str, &str)> = list
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(':'))
        .flat_map(|(module, uses)| uses.split_whitespace().map(move |used| (module.trim(), used)))
        .collect();
    let (mut wrong, mut found) = (Vec::new(), BTreeSet::new());
    for (file, uses) in graph.files.iter().zip(&graph.uses) {
        for (target, path) in uses {
            let (Some(from), Some(to)) = (module_of(file), module_of(&graph.files[*target])) else {
                continue;
            };
            if from == to {
                continue;
            }
            if !allowed.contains(&(from, to)) {
                wrong.push(format!("{package}/src/{file} uses {path}: {from} may not use {to}"));
            }
            found.insert((from, to));
        }
    }
    let unused = allowed.difference(&found);
    wrong.extend(
        unused.map(|(from, to)| format!("{package}: the list lets {from} use {to}, which it does not")),
    );
    wrong
}

#[test]
fn packages_do_not_name_what_they_must_not_depend_on() {
    let mut wrong = Vec::new();
    for (folder, names) in FORBIDDEN {
        let (package, below) = folder.split_once("/src").unwrap();
        let graph = graph_of(package);
        wrong.extend(forbidden_paths(&graph, below.trim_start_matches('/'), names));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns a message for each path in the files below a folder that is within a forbidden one.
fn forbidden_paths(graph: &FileGraph, folder: &str, names: &[&str]) -> Vec<String> {
    let is_below = |file: &str| file.starts_with(folder);
    let files = graph.files.iter().zip(&graph.paths).filter(|(file, _)| is_below(file));
    files
        .flat_map(|(file, paths)| {
            let forbidden = paths.iter().filter(|path| names.iter().any(|name| is_within(path, name)));
            forbidden.map(move |path| format!("{file} uses {path}"))
        })
        .collect()
}

#[test]
fn a_planted_path_is_found_however_it_is_imported() {
    let graph = planted(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use std::{net::TcpStream, time}; fn f() { time::Instant::now(); }"),
        ("b.rs", "use std::time::Duration; fn f() { std::thread::spawn(g); std::threads::x(); }"),
    ]);
    let names = ["std::net", "std::thread", "std::time::Instant"];
    assert_eq!(
        forbidden_paths(&graph, "", &names),
        [
            "a.rs uses std::net::TcpStream",
            "a.rs uses std::time::Instant::now",
            "b.rs uses std::thread::spawn"
        ]
    );
    assert_eq!(forbidden_paths(&graph, "b.rs", &names).len(), 1);
}

#[test]
fn only_what_executes_commands_changes_the_state_of_the_application() {
    let graph = graph_of("desktop");
    let may_change = |file: &&String| {
        CHANGES_STATE.iter().any(|allowed| *file == allowed || file.starts_with(&format!("{allowed}/")))
    };
    let mut wrong = Vec::new();
    for file in graph.files.iter().filter(|file| !may_change(file)) {
        let code = code_of(&root().join("desktop/src").join(file));
        for name in ["&mut AppState", "&mut Store"] {
            if code.contains(name) {
                wrong.push(format!("desktop/src/{file} takes {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_call_of_the_hub_carries_its_caller() {
    let text = fs::read_to_string(root().join("server/src/hub.rs")).unwrap();
    let without: Vec<String> = calls_without_caller(&text);
    assert_eq!(without, WITHOUT_CALLER);
    let planted = "impl Hub { pub fn list(&self, caller: &Caller) {} pub async fn steal(&self, id: Id) {} fn own() {} }";
    assert_eq!(calls_without_caller(planted), ["steal"]);
}

/// Returns the public functions of `Hub` that take no `&Caller`.
fn calls_without_caller(text: &str) -> Vec<String> {
    let items = syn::parse_file(text).unwrap().items;
    let of_hub = items.into_iter().filter_map(|item| match item {
        syn::Item::Impl(block) if block.self_ty.to_token_stream().to_string() == "Hub" => Some(block.items),
        _ => None,
    });
    let mut found = Vec::new();
    for item in of_hub.flatten() {
        let syn::ImplItem::Fn(function) = item else { continue };
        let is_public = matches!(function.vis, syn::Visibility::Public(_));
        let inputs = function.sig.inputs.to_token_stream().to_string();
        if is_public && !inputs.contains("& Caller") {
            found.push(function.sig.ident.to_string());
        }
    }
    found
}

#[test]
fn only_the_host_uses_the_server() {
    let graph = graph_of("desktop");
    for (file, paths) in graph.files.iter().zip(&graph.paths) {
        let is_allowed = SERVER_USERS.contains(&file.as_str());
        let uses_server = paths.iter().any(|path| is_within(path, "server"));
        assert!(is_allowed || !uses_server, "desktop/src/{file} uses the server");
    }
}

#[test]
fn clocks_files_and_the_environment_are_read_only_at_the_edges() {
    let mut wrong = Vec::new();
    for (package, edges) in EDGES {
        let graph = graph_of(package);
        let is_edge =
            |file: &str| edges.iter().any(|edge| file == *edge || file.starts_with(&format!("{edge}/")));
        for (file, paths) in graph.files.iter().zip(&graph.paths).filter(|(file, _)| !is_edge(file)) {
            let outside = paths.iter().filter(|path| OUTSIDE.iter().any(|name| is_within(path, name)));
            wrong.extend(outside.map(|path| format!("{package}/src/{file} uses {path}")));
            let code = code_of(&root().join(package).join("src").join(file));
            let calls = OUTSIDE_CALLS.iter().filter(|call| code.contains(**call));
            wrong.extend(calls.map(|call| format!("{package}/src/{file} calls {call})")));
        }
        for edge in *edges {
            let files = graph.files.iter().zip(&graph.paths).filter(|(file, _)| file.starts_with(edge));
            let mut paths = files.flat_map(|(_, paths)| paths);
            if !paths.any(|path| OUTSIDE.iter().any(|name| is_within(path, name))) {
                wrong.push(format!("{package}: {edge} is listed as an edge and reads nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a path is the name or leads into it.
fn is_within(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the code of a file without comments, attributes, literals and tests.
fn code_of(file: &Path) -> String {
    code_in(&fs::read_to_string(file).unwrap())
}

fn code_in(text: &str) -> String {
    let mut code = String::new();
    for item in syn::parse_file(text).unwrap().items.iter().filter(|item| !is_test_item(item)) {
        write_tokens(item.to_token_stream(), &mut code);
    }
    code
}

fn write_tokens(tokens: TokenStream, code: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(sign)
                if sign.as_char() == '#' && matches!(tokens.peek(), Some(TokenTree::Group(_))) =>
            {
                tokens.next();
            }
            TokenTree::Punct(sign) => code.push(sign.as_char()),
            TokenTree::Ident(name) => {
                if code.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    code.push(' ');
                }
                code.push_str(&name.to_string());
            }
            TokenTree::Group(group) => {
                code.push(if group.delimiter() == Delimiter::Parenthesis { '(' } else { ' ' });
                write_tokens(group.stream(), code);
                code.push(' ');
            }
            TokenTree::Literal(_) => code.push(' '),
        }
    }
}

#[test]
fn code_is_what_is_left_of_a_file_without_comments_and_tests() {
    let code = code_in(
        r##"
        //! Names `std::fs`.
        #[cfg(test)]
        mod tests { use tokio::time; }
        #[doc = "egui::Ui"]
        fn f() { fs::write("Instant::now", a::b); }
        #[cfg(test)]
        fn only_in_tests() { std::net::f() }
        "##,
    );
    assert_eq!(code.replace(' ', ""), "fnf(fs::write(,a::b;");
}

/// A graph of files given by name and text.
fn planted(files: &[(&str, &str)]) -> FileGraph {
    FileGraph::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn a_planted_use_and_a_use_that_is_gone_are_found_and_named() {
    let graph = planted(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::c::C; }"),
        ("c.rs", "pub struct C;"),
    ]);
    assert!(edge_errors("p", "a: b # allowed", &graph).is_empty());
    assert_eq!(edge_errors("p", "", &graph), ["p/src/a.rs uses crate::b::B: a may not use b"]);
    assert_eq!(edge_errors("p", "a: b c", &graph), ["p: the list lets a use c, which it does not"]);
}

#[test]
fn the_shortest_of_several_circles_is_named() {
    let graph = planted(&[
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::a::A; use crate::d::D; pub struct C;"),
        ("d.rs", "use crate::e::E; pub struct D;"),
        ("e.rs", "use crate::d::D; pub struct E;"),
    ]);
    let circle = graph.shortest_circle().unwrap();
    let said = graph.describe(&circle);
    assert_eq!(said, "  d.rs uses e.rs (crate::e::E)\n  e.rs uses d.rs (crate::d::D)");
}

#[test]
fn a_planted_circle_of_each_kind_is_found_and_named() {
    let circle = |files: &[(&str, &str)]| {
        let graph = planted(files);
        graph.shortest_circle().map(|circle| graph.describe(&circle))
    };
    let lib = ("lib.rs", "mod a; mod b;");
    let siblings =
        [lib, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "use crate::a::A; pub struct B;")];
    let said = circle(&siblings).unwrap();
    assert!(
        said.contains("a.rs uses b.rs (crate::b::B)") && said.contains("b.rs uses a.rs (crate::a::A)"),
        "{said}"
    );
    let child_uses_parent =
        [lib, ("a.rs", "mod c; pub struct A;"), ("a/c.rs", "fn f(_: super::A) {}"), ("b.rs", "")];
    assert!(circle(&child_uses_parent).unwrap().contains("a/c.rs uses a.rs (super::A)"));
    let through_reexport = [
        lib,
        ("a.rs", "mod c; mod d; pub use c::C;"),
        ("a/c.rs", "pub struct C;"),
        ("a/d.rs", "use crate::a::C;"),
        ("b.rs", ""),
    ];
    assert!(circle(&through_reexport).is_some(), "a sibling reached through its parent's re-export");
    let through_glob =
        [lib, ("a.rs", "pub use crate::b::*; pub struct A;"), ("b.rs", "fn f(_: crate::a::A) {}")];
    assert!(circle(&through_glob).is_some());
    let in_macro =
        [lib, ("a.rs", "fn f() { g!(crate::b::B) }"), ("b.rs", "pub struct B; fn f(_: crate::a::A) {}")];
    assert!(circle(&in_macro).is_some());
    let inline = [
        lib,
        ("a.rs", "mod m { use super::super::b::B; } struct A;"),
        ("b.rs", "use crate::a::A; struct B;"),
    ];
    assert!(circle(&inline).is_some());
    let sound = [
        lib,
        ("a.rs", "mod c; use c::C; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("a/c.rs", "pub struct C;"),
        ("b.rs", "use crate::a::A;"),
    ];
    assert_eq!(circle(&sound), None);
}

/// The pages that name tests as `file::function`.
const PAGES: &[&str] =
    &["ARCHITECTURE.md", "server/tests/invariants.md", "server/tests/sessions.md", "server/tests/threats.md"];

#[test]
fn the_tests_that_pages_name_exist() {
    let mut functions = BTreeSet::new();
    for file in ["shared", "server", "desktop"].iter().flat_map(|package| rust_files(&root().join(package))) {
        // The tests of a module are named by it, also in a file of their own.
        let of_module = file.with_extension("");
        let of_module = if of_module.ends_with("tests") { of_module.parent().unwrap() } else { &of_module };
        let stem = of_module.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        functions.extend(names.map(|name| format!("{stem}::{name}")));
        functions.insert(format!("{stem}::tests"));
    }
    let mut missing = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let is_name = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        for name in quoted.filter(|quoted| quoted.split("::").count() == 2 && quoted.split("::").all(is_name))
        {
            // Shorter names are paths of the program.
            if name.split("::").nth(1).is_some_and(|function| function.matches('_').count() >= 3)
                && !functions.contains(name)
            {
                missing.push(format!("{page} names {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Returns every source file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
