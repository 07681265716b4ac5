//! What is copied, opened by LibreOffice Calc: the same cells.

use std::{path::Path, process::Command};

use egui::{Event, Key, Modifiers};

use crate::grid::desk::seat;

/// How Calc reads text between tabs, as its paste does: quotes hold a cell together, in UTF-8, from the first line on,
/// and what looks like a number or a moment is one.
const AS_PASTED: &str = "--infilter=CSV:9,34,76,1,,0,false,true,false";
/// Calc's cells as CSV, each as it is kept and not as it is shown.
const AS_CSV: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false";

fn has_calc() -> bool {
    let is_there = Command::new("which").arg("soffice").output().is_ok_and(|found| found.status.success());
    if !is_there {
        let required = std::env::var_os("AFTERGLOW_REQUIRE_SERVICES").is_some();
        assert!(!required, "required and not installed: soffice");
        eprintln!("SKIPPED: not installed: soffice (Debian: libreoffice-calc)");
    }
    is_there
}

/// The cells that Calc has when text is put into it.
fn opened(text: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copied.tsv");
    std::fs::write(&file, text).unwrap();
    let profile = format!("-env:UserInstallation=file://{}", folder.path().join("profile").display());
    let ran = Command::new("soffice")
        .args(["--headless", &profile, AS_PASTED, "--convert-to", AS_CSV, "--outdir"])
        .arg(folder.path())
        .arg(&file)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    read(&folder.path().join("copied.csv"))
}

fn read(file: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(file).unwrap();
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn calc_has_the_same_cells_as_the_grid() {
    if !has_calc() {
        return;
    }
    let notes = [
        "plain",
        "a \"quoted\" word",
        "\"all of it\"",
        "5\" pipe",
        "two\tparts",
        "two\nlines",
        "x, y; z",
        "Ölpreis £ €",
    ];
    let rows: Vec<(String, String, &str)> = notes
        .iter()
        .enumerate()
        .map(|(index, note)| (format!("SYM{index}"), format!("{}.{index}25", 1_000 * index), *note))
        .collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price, note)| (&**symbol, &**price, *note)).collect();
    let mut seat = seat(&rows);
    seat.go(0, 9);
    seat.key(Key::Space);
    seat.go(0, 11);
    seat.text("2026-11-22 14:03:21");
    seat.key(Key::Enter);
    seat.keys(Modifiers::COMMAND, Key::A);
    seat.event(Event::Copy);
    let cells = opened(&seat.desk().copied);
    assert_eq!(cells.len(), notes.len());
    for ((row, (symbol, price, note)), index) in cells.iter().zip(&rows).zip(0..) {
        assert_eq!((&*row[0], &*row[8]), (*symbol, *note));
        assert_eq!(row[2].parse::<f64>().ok(), price.parse().ok(), "a number is a number");
        assert_eq!(row[9], if index == 0 { "TRUE" } else { "" });
        assert_eq!(row[11], if index == 0 { "2026-11-22 14:03:21" } else { "" });
    }
}
