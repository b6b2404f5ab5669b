//! Golden files: output that is a contract is kept in `tests/it/snapshots/`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test` writes them anew; the change is then read
//! in the diff and told in the changelog.

use std::path::Path;

/// Compares a text with the golden file of this name.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, actual).expect("write the golden file");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let first = expected
        .lines()
        .zip(actual.lines())
        .position(|(expected, actual)| expected != actual);
    panic!(
        "{name} differs from its golden file (first in line {:?}); if that is meant, run \
         UPDATE_SNAPSHOTS=1 cargo test\n--- it is now\n{actual}",
        first.map(|line| line + 1)
    );
}
