//! The table of commands, and what derives from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use desktop::command::{
    Command, DISMISS, GO_TO, OVERWRITE, RESTORE, RESTORE_COLUMN, RESTORE_EDIT, RESTORE_WATCHLIST,
    SHOW_HIDDEN_COLUMN, Scope, entries, markdown,
};

#[test]
fn the_readme_has_the_table_of_keys() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let expected = markdown().replace("Cmd+", "Ctrl+");
    assert!(readme.contains(&expected), "the README has another table of keys than this one:\n\n{expected}");
}

#[test]
fn every_command_has_a_title_and_is_in_the_table_once() {
    for (index, entry) in entries().iter().enumerate() {
        assert!(!entry.title.is_empty(), "{:?}", entry.command);
        let again = entries()[..index].iter().find(|other| other.command == entry.command);
        // Another scope may have keys of its own.
        assert!(again.is_none_or(|other| other.scope != entry.scope), "{} is there twice", entry.title);
    }
}

#[test]
fn palette_titles_are_unique() {
    let mut titles = BTreeMap::new();
    for entry in entries().iter().filter(|entry| entry.in_palette) {
        let other = titles.insert(entry.title, &entry.command);
        assert!(other.is_none(), "two commands are called {}", entry.title);
    }
}

/// A key that two commands share runs the wrong one.
#[test]
fn a_shortcut_has_one_command_wherever_it_works() {
    // What has the keys of the grid's scopes: the grid, its open editor, what is open beside that, or a text
    // field.
    let place = |scope: Scope| if scope == Scope::Clipboard { Scope::Grid } else { scope };
    let overlap =
        |one: Scope, other: Scope| is_of_window(one) || is_of_window(other) || place(one) == place(other);
    for (index, entry) in entries().iter().enumerate() {
        for other in entries()[..index].iter().filter(|other| overlap(other.scope, entry.scope)) {
            let shared = entry.shortcuts.iter().find(|shortcut| other.shortcuts.contains(shortcut));
            assert_eq!(shared, None, "{} and {}", entry.title, other.title);
        }
    }
}

fn is_of_window(scope: Scope) -> bool {
    matches!(scope, Scope::Program | Scope::Window | Scope::WindowWithoutText)
}

/// The files that make the texts: the table of commands, and the names of keys.
const TABLE: [&str; 2] = ["command/table.rs", "command/shortcut.rs"];

/// The only other files that name keys, each with the reason. These keys belong to no command: every list,
/// dialog and scroll area of every program has them.
const KEYS: [(&str, &str); 14] = [
    ("grid.rs", "Esc takes the focus from another widget"),
    ("grid/edit.rs", "the keys that correct a text"),
    ("grid/filters.rs", "Tab goes to fields that are out of view, too"),
    ("grid/keys.rs", "the keys with which egui moves the focus"),
    ("panels/dialogs.rs", "Enter confirms a dialog"),
    ("panels/dialogs/messages.rs", "Enter and Esc answer a question"),
    ("panels/account.rs", "Enter in the last field changes the password"),
    ("panels/choice.rs", "the arrows between radio buttons"),
    ("panels/history.rs", "the arrow keys that move the edge of the panel"),
    ("panels/joining.rs", "Esc closes a dialog"),
    ("panels/palette.rs", "the arrows and Enter choose from a list"),
    ("panels/sharing.rs", "Enter adds the only person who was found"),
    ("panels/shortcuts.rs", "the arrows, Home, End and so on scroll"),
    ("panels/sign_in.rs", "Enter and Esc answer a dialog"),
];

#[test]
fn only_the_table_has_the_text_of_a_shortcut() {
    let labels: BTreeSet<String> = entries()
        .iter()
        .flat_map(|entry| &entry.shortcuts)
        .map(|shortcut| shortcut.label().replace("Cmd+", "Ctrl+"))
        .filter(|label| label.chars().count() > 1)
        .collect();
    assert!(labels.contains("Enter") && labels.contains("Shift+F3") && labels.contains("F5"), "{labels:?}");
    let is_shortcut = |word: &str| {
        let has_modifier = ["Ctrl+", "Cmd+", "Alt+", "Shift+"].iter().any(|modifier| word.contains(modifier));
        has_modifier || labels.contains(word)
    };
    for (file, literal) in literals_outside_the_table() {
        let mut words = literal.split(|end: char| end.is_whitespace() || ",.:;()".contains(end));
        assert!(!words.any(is_shortcut), "{file} has the text of a shortcut: {literal:?}");
    }
}

#[test]
fn only_the_table_has_the_title_of_a_command() {
    let constants = [
        GO_TO,
        OVERWRITE,
        RESTORE_EDIT,
        SHOW_HIDDEN_COLUMN,
        RESTORE_COLUMN,
        RESTORE_WATCHLIST,
        RESTORE,
        DISMISS,
    ];
    let titles: BTreeSet<&str> =
        entries().iter().flat_map(|entry| [entry.title, entry.dialog_title()]).chain(constants).collect();
    // A single word may be part of any sentence.
    let phrases: Vec<&str> = titles.iter().copied().filter(|title| title.contains(' ')).collect();
    for (file, literal) in literals_outside_the_table() {
        assert!(!titles.contains(literal.as_str()), "{file} has the title of a command: {literal:?}");
        let phrase = phrases.iter().find(|phrase| literal.contains(*phrase));
        assert_eq!(phrase, None, "{file} has the title of a command in {literal:?}");
    }
}

/// The variants of the command enums that have no entry in the table, each with the reason.
const WITHOUT_ENTRY: [(&str, &str); 25] = [
    ("AppCommand::Connect", "confirms the dialog of `Connect`"),
    ("AppCommand::Create", "confirms the dialog of `NewWatchlist`"),
    ("AppCommand::Delete", "confirms the dialog of `Delete`"),
    ("AppCommand::DismissNotice", "`DISMISS` is its title"),
    ("AppCommand::Edit", "the command that makes the edit has the title"),
    ("AppCommand::Export", "`GridCommand::Export` with what is shown"),
    ("AppCommand::Import", "confirms the dialog of `Import`"),
    ("AppCommand::Notify", "answers a command that cannot run"),
    ("AppCommand::Overwrite", "`OVERWRITE` is its title"),
    ("AppCommand::RequestCellHistory", "the pointer rests on a cell"),
    ("AppCommand::RequestDeleted", "opens the menu of the + button"),
    ("AppCommand::Restore", "`RESTORE_WATCHLIST` and `RESTORE` are its titles"),
    ("ColumnCommand::Show", "`SHOW_HIDDEN_COLUMN` is its title"),
    ("Command::App", "contains another command"),
    ("Command::DismissNewestNotice", "Esc without a selection"),
    ("Command::Grid", "contains another command"),
    ("Command::Show", "`GO_TO` is its title; a tab has the name of its watchlist"),
    ("Command::ShowHistoryOf", "`GridCommand::ShowHistory` has the title"),
    ("EditorCommand::Pick", "contains another command"),
    ("GridCommand::Column", "contains another command"),
    ("GridCommand::Confirm", "answers a command that needs a confirmation"),
    ("GridCommand::Editor", "contains another command"),
    ("GridCommand::Export", "confirms the dialog of `Export`"),
    ("GridCommand::Paste", "the system sends the text of the clipboard"),
    ("GridCommand::SetColumn", "confirms the dialog of `ChangeType`"),
];

#[test]
fn every_other_command_is_in_the_table() {
    let mut without_entry = BTreeSet::new();
    let listed: BTreeSet<String> = entries().iter().map(|entry| variant_of(&entry.command)).collect();
    for (_, code) in sources().iter().filter(|(file, _)| file.starts_with("command/")) {
        for name in
            ["AppCommand", "ColumnCommand", "Command", "EditorCommand", "GridCommand", "PickerCommand"]
        {
            let Some((_, body)) = code.split_once(&format!("pub enum {name} {{\n")) else { continue };
            let body = body.split("\n}").next().unwrap();
            // Variants are indented by four spaces, and the fields of variants by eight.
            let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
            let variants = variants.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
            for variant in variants.map(|line| line.split(['(', ' ', ',']).next().unwrap()) {
                let variant = format!("{name}::{variant}");
                if !listed.contains(&variant) {
                    without_entry.insert(variant);
                }
            }
        }
    }
    let expected: BTreeSet<String> = WITHOUT_ENTRY.iter().map(|(variant, _)| (*variant).to_owned()).collect();
    assert_eq!(without_entry, expected, "a command is in the table, or has a reason in `WITHOUT_ENTRY`");
}

/// Returns the innermost variant of a command, such as `GridCommand::Find`.
fn variant_of(command: &Command) -> String {
    let text = format!("{command:?}");
    let (mut name, mut rest) = ("Command", text.as_str());
    for (wrapper, inner) in [
        ("App(", "AppCommand"),
        ("Grid(", "GridCommand"),
        ("Column(", "ColumnCommand"),
        ("Editor(", "EditorCommand"),
        ("Pick(", "PickerCommand"),
    ] {
        if let Some(within) = rest.strip_prefix(wrapper) {
            (name, rest) = (inner, within);
        }
    }
    format!("{name}::{}", rest.split(['(', ')', ' ']).next().unwrap())
}

/// The only buttons whose text is written where they are shown, each with the reason. They run no command.
const BUTTONS: [(&str, &str); 16] = [
    ("grid/confirmation.rs: Cancel", "closes the dialog"),
    ("panels/account.rs: Change", "confirms the fields of the dialog"),
    ("panels/account.rs: Change password\\u{2026}", "shows the fields of the dialog"),
    ("panels/account.rs: Close", "closes the dialog"),
    ("panels/account.rs: Revoke", "ends the session beside it"),
    ("panels/dialogs.rs: Browse…", "opens the system's file dialog for the text field"),
    ("panels/dialogs.rs: Cancel", "closes the dialog"),
    ("panels/dialogs/messages.rs: Cancel", "closes the question"),
    ("panels/dialogs/messages.rs: Close", "closes the message"),
    ("panels/dialogs/messages.rs: Copy text", "copies the message's own text"),
    ("panels/history.rs: Close", "closes the panel that shows it"),
    ("panels/history.rs: Show row", "sets the panel's own filter"),
    ("panels/sharing.rs: Close", "closes the dialog"),
    ("panels/sharing.rs: Remove", "takes the role of the person beside it away"),
    ("panels/shortcuts.rs: Close", "closes the help"),
    ("panels/top_bar/tabs.rs: +", "opens a menu"),
];

#[test]
fn the_text_of_a_button_that_runs_a_command_comes_from_the_table() {
    let mut found = BTreeSet::new();
    for (file, code) in sources() {
        for call in ["button(", "Button::new(", "Button::selectable(", "RichText::new("] {
            for (at, _) in code.match_indices(call) {
                let argument = code[at + call.len()..].trim_start();
                if argument.starts_with('"')
                    && (call != "RichText::new(" || code[..at].ends_with("Button::new("))
                {
                    found.insert((file.clone(), literals(argument.split(')').next().unwrap()).remove(0)));
                }
            }
        }
    }
    let found: BTreeSet<String> = found.into_iter().map(|(file, text)| format!("{file}: {text}")).collect();
    let expected: BTreeSet<String> = BUTTONS.iter().map(|(button, _)| (*button).to_owned()).collect();
    assert_eq!(found, expected, "the text of a button comes from the table, or it has a reason in `BUTTONS`");
}

#[test]
fn only_the_table_and_widgets_name_keys() {
    let mut naming = BTreeSet::new();
    for (file, code) in sources() {
        let mut names = code.match_indices("Key::");
        if !file.starts_with("command/")
            && names.any(|(at, _)| !code[..at].ends_with(|before: char| before.is_alphanumeric()))
        {
            naming.insert(file);
        }
    }
    let expected: BTreeSet<String> = KEYS.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(
        naming, expected,
        "a key of a command is in the table of commands; other keys have a reason in `KEYS`"
    );
}

#[test]
fn the_scan_finds_literals_and_not_comments() {
    let code = "// \"F1\"\nlet a = ('\"', \"F2 \\\" x\", r#\"F\"3\"#, '\\'', \"\");";
    assert_eq!(literals(code), [r#"F2 \" x"#, "F\"3", ""]);
}

fn literals_outside_the_table() -> Vec<(String, String)> {
    let sources = sources().into_iter().filter(|(file, _)| !TABLE.contains(&file.as_str()));
    let found: Vec<_> = sources
        .flat_map(|(file, code)| literals(&code).into_iter().map(move |literal| (file.clone(), literal)))
        .collect();
    assert!(found.len() > 300, "only {} literals", found.len());
    found
}

/// Returns the name of each source file in `src`, and its code without the unit tests at its end.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, code));
            }
        }
    }
    found.sort();
    found
}

/// Returns the contents of the string literals of Rust code, with their escapes.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['/', '\'', '"', 'r']) {
        let is_word = rest[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        rest = &rest[at..];
        let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else if rest.starts_with('\'')
            && (rest.starts_with("'\\") || rest[1..].chars().nth(1) == Some('\''))
        {
            // A character. Otherwise it is a lifetime.
            let first = rest.chars().nth(1).unwrap();
            let skipped = if first == '\\' { 3 } else { 1 + first.len_utf8() };
            rest[skipped..].split_once('\'').map_or("", |(_, after)| after)
        } else if rest.starts_with('r') && !is_word && rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let (literal, after) = rest[hashes + 2..].split_once(&end).unwrap();
            found.push(literal.to_owned());
            after
        } else if let Some(literal) = rest.strip_prefix('"') {
            let mut is_escaped = false;
            let end = literal.find(|next: char| {
                let ends = next == '"' && !is_escaped;
                is_escaped = next == '\\' && !is_escaped;
                ends
            });
            let (literal, after) = literal.split_at(end.unwrap());
            found.push(literal.to_owned());
            &after[1..]
        } else {
            &rest[1..]
        };
    }
    found
}
