//! Which part may use which: the import arrows of ARCHITECTURE, read from the source files themselves.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file or folder, and what must not stand in its code.
const FORBIDDEN: &[(&str, &[&str])] = &[
    // shared: no IO, no clock, no runtime, no windows.
    (
        "shared/src",
        &[
            "tokio::",
            "egui::",
            "std::fs",
            "std::net",
            "std::thread",
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
        ],
    ),
    ("shared/src/column.rs", &["crate::wire", "crate::replica"]),
    ("shared/src/conflate.rs", &["crate::wire", "crate::replica"]),
    ("shared/src/derive.rs", &["crate::wire", "crate::replica"]),
    ("shared/src/edit.rs", &["crate::wire", "crate::replica"]),
    ("shared/src/value.rs", &["crate::wire", "crate::replica", "crate::watchlist"]),
    ("shared/src/watchlist", &["crate::replica"]),
    ("shared/src/wire", &["crate::replica"]),
    // server: journal and fan-out do not know each other; rooms join them.
    ("server/src", &["egui::", "desktop::"]),
    ("server/src/journal", &["crate::fanout", "crate::session", "crate::http", "crate::hub"]),
    (
        "server/src/fanout.rs",
        &["crate::journal", "crate::session", "crate::http", "crate::hub", "crate::room"],
    ),
    ("server/src/room", &["crate::session", "crate::http", "crate::hub"]),
    ("server/src/hub.rs", &["crate::session", "crate::http"]),
    ("server/src/session", &["crate::http"]),
    // desktop: the server is embedded in `host` (and names the data folder for `app`), nowhere else.
    ("desktop/src/store", &["egui::", "crate::net", "server::", "crate::grid", "crate::panels"]),
    ("desktop/src/store.rs", &["egui::", "crate::net", "crate::grid", "crate::panels"]),
    ("desktop/src/net.rs", &["egui::", "crate::store", "crate::grid", "crate::panels"]),
    (
        "desktop/src/grid",
        &["crate::net", "crate::dispatch", "crate::panels", "crate::window", "crate::action"],
    ),
    (
        "desktop/src/grid.rs",
        &["crate::net", "crate::dispatch", "crate::panels", "crate::window", "crate::action"],
    ),
    ("desktop/src/panels", &["crate::net", "crate::host"]),
    ("desktop/src/theme", &["crate::grid", "crate::panels", "crate::store", "crate::net"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found
}

/// The code of a file without its comments and without its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_follow_the_arrows() {
    let mut broken = Vec::new();
    for (place, words) in FORBIDDEN {
        for file in files(&root().join(place)) {
            let code = imports_spelled_out(&code(&file));
            for word in words.iter().filter(|word| code.contains(*word)) {
                broken.push(format!("{} uses {word}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "these imports run against the arrows:\n{}", broken.join("\n"));
}

#[test]
fn only_the_host_and_the_start_know_the_server() {
    let allowed = ["desktop/src/host.rs", "desktop/src/app.rs"];
    for file in files(&root().join("desktop/src")) {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let code = code(&file);
        let imported = code.contains("use server::");
        // What is left without imports names modules by their whole path.
        let body: String =
            code.split("use ").map(|part| part.split_once(';').map_or(part, |(_, rest)| rest)).collect();
        let named = body.match_indices("server::").any(|(at, _)| !body[..at].ends_with([':', '_']));
        let uses = imported || named;
        assert!(!uses || allowed.contains(&name.as_str()), "{name} uses the server crate");
    }
}

/// `use crate::{a::B, c};` as one line for each import.
fn imports_spelled_out(code: &str) -> String {
    let mut spelled = String::from(code);
    for statement in code.split("use ").skip(1) {
        let Some((statement, _)) = statement.split_once(';') else { continue };
        let Some((root, rest)) = statement.split_once("::{") else { continue };
        let mut depth = 0;
        let mut name = String::new();
        for character in rest.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    spelled.push_str(&format!("\nuse {root}::{};", name.trim()));
                    name.clear();
                    continue;
                }
                _ => {}
            }
            name.push(character);
        }
        spelled.push_str(&format!("\nuse {root}::{};", name.trim()));
    }
    spelled
}
