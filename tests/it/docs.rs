//! The documents: their links lead somewhere, the README stays short, and the
//! table of settings tells what the program has.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use viewcast::cli::settings::{self, DefaultValue};

/// The README is for a stranger; what is longer belongs into docs/.
const README_WORDS_MAX: usize = 900;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All documents that people read, as paths below the project's folder.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "benches", "data", "docs", "findings", "web"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A document without its blocks of code, where brackets mean something else.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    outside.collect::<Vec<_>>().join("\n")
}

/// Where the links of a document lead, but for those to other sites.
fn links(text: &str) -> Vec<String> {
    let targets = prose(text);
    let targets = targets.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.contains(' '))
        .map(str::to_owned)
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> HashSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// What is wrong with a link from this document.
fn fault(document: &Path, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => document.to_owned(),
        _ => document.parent().expect("a folder").join(file),
    };
    if !target.exists() {
        return Some(format!("there is no {}", target.display()));
    }
    if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
        return Some(format!("{} has no heading #{anchor}", target.display()));
    }
    None
}

#[test]
fn docs_links_lead_somewhere() {
    // A rule that cannot fail proves nothing.
    let readme = root().join("README.md");
    assert!(fault(&readme, "docs/NOWHERE.md").is_some());
    assert!(fault(&readme, "docs/PROTOCOL.md#nowhere").is_some());
    assert_eq!(fault(&readme, "docs/PROTOCOL.md#windows"), None);
    assert_eq!(links("[a](b.md#c) and ```[d](e)```"), ["b.md#c"]);
    let mut faults = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if let Some(what) = fault(&document, &link) {
                faults.push(format!("{}: ({link}): {what}", document.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn docs_readme_is_short() {
    let words = read(&root().join("README.md")).split_whitespace().count();
    assert!(
        words < README_WORDS_MAX,
        "{words} words: move some to docs/"
    );
}

/// What `/views` says of the contract, the contract says of itself.
#[test]
fn docs_contract_has_the_version_that_gateways_say() {
    let contract = read(&root().join("docs/PROTOCOL.md"));
    let version = viewcast::process::PROTOCOL;
    let words = format!("`protocol` (the version of this contract, {version}:");
    assert!(contract.contains(&words), "{words}");
}

/// Each setting has its flag, variable and default in one row of a table.
#[test]
fn docs_settings_are_all_in_the_table() {
    let document = read(&root().join("docs/CONFIGURATION.md"));
    for setting in settings::all() {
        let flag = format!("--{}", setting.flag());
        let starts = [format!("`{flag}`"), format!("`{flag} ")];
        let row = document
            .lines()
            .find(|line| line.starts_with('|') && starts.iter().any(|start| line.contains(start)))
            .unwrap_or_else(|| panic!("docs/CONFIGURATION.md has no row for {flag}"));
        let variable = setting.flag().to_uppercase().replace('-', "_");
        assert!(row.contains(&format!("`VIEWCAST_{variable}`")), "{row}");
        if let DefaultValue::Text(default) = (setting.default)() {
            assert!(row.contains(&format!("| `{default}` |")), "{row}");
        }
    }
}
