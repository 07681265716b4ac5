//! Copied cells, opened by LibreOffice Calc.

use std::{path::Path, process::Command};

use egui::{Event, Key, Modifiers};

use crate::grid::desk::harness;

/// Calc's import options that match its paste: tab-separated, quoted cells, UTF-8, from the first line on,
/// with detection of numbers and times.
const AS_PASTED: &str = "--infilter=CSV:9,34,76,1,,0,false,true,false";
/// Calc's export options: CSV with the stored values instead of the displayed ones.
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

/// Returns the cells of a text opened in Calc.
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
fn cells_copied_from_the_grid_are_the_same_in_calc() {
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
    let mut harness = harness(&rows);
    harness.go(0, 9);
    harness.key(Key::Space);
    harness.go(0, 11);
    harness.text("2026-11-22 14:03:21");
    harness.key(Key::Enter);
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.event(Event::Copy);
    let cells = opened(&harness.app().copied);
    assert_eq!(cells.len(), notes.len());
    for ((row, (symbol, price, note)), index) in cells.iter().zip(&rows).zip(0..) {
        assert_eq!((&*row[0], &*row[8]), (*symbol, *note));
        assert_eq!(row[2].parse::<f64>().ok(), price.parse().ok(), "a number stays a number");
        assert_eq!(row[9], if index == 0 { "TRUE" } else { "" });
        assert_eq!(row[11], if index == 0 { "2026-11-22 14:03:21" } else { "" });
    }
}
