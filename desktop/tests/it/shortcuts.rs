//! The table of commands, and what derives from it.

use std::{collections::BTreeMap, fs, path::Path};

use desktop::command::{Scope, entries, markdown};

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
    let is_of_editor = |scope: Scope| scope == Scope::Editor;
    // An open editor takes the keys of its grid.
    let overlap = |one: Scope, other: Scope| {
        is_of_window(one) || is_of_window(other) || is_of_editor(one) == is_of_editor(other)
    };
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
