//! A CSV file dropped on a window is imported into a new watchlist.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use egui::DroppedFile;

use crate::{headless::Headless, screen::wait_for};

#[derive(Debug)]
struct File(PathBuf);

impl DroppedFile for File {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn a_dropped_file_is_imported_into_a_new_watchlist() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/data/sp500-constituents.csv");
    headless.frame(vec![Arc::new(File(file.clone()))]);
    wait_for("the rows of the dropped file", || {
        headless.frame(Vec::new());
        (headless.symbols().len() == 503).then_some(())
    });
    headless.settle();
    assert_eq!(&**headless.shown().unwrap().name(), "sp500-constituents");
    let text = std::fs::read_to_string(&file).unwrap();
    let expected: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(headless.symbols(), expected);
    headless.stop();
}
