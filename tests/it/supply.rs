//! What comes in with a dependency: licences, bans and sources, by the policy in
//! `deny.toml`, from what cargo already knows and without the network.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).expect(file)
}

fn toml(file: &str) -> toml::Table {
    read(file).parse().expect(file)
}

fn texts(list: &toml::Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter().filter_map(toml::Value::as_str).collect()
}

/// Whether a licence expression can be met by the allowed licences alone.
fn met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'w> = std::iter::Peekable<std::str::SplitWhitespace<'w>>;

fn either(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= licence(words, allowed);
    }
    met
}

fn licence(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let Some(word) = words.next() else {
        return false;
    };
    if word == "(" {
        let met = either(words, allowed);
        return words.next() == Some(")") && met;
    }
    // An exception only takes conditions away.
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    allowed.contains(&word)
}

#[test]
fn supply_licence_expression_is_read_as_spdx() {
    let allowed = ["MIT", "Zlib"];
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Apache-2.0/MIT",
        "MIT AND Zlib",
        "(GPL-3.0 OR MIT) AND Zlib",
        "MIT WITH LLVM-exception",
        "GPL-3.0 AND Apache-2.0 OR MIT",
    ] {
        assert!(met(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Zlib) AND GPL-3.0",
        "(MIT",
        "MIT MIT",
    ] {
        assert!(!met(bad, &allowed), "{bad}");
    }
}

#[test]
fn supply_licences_are_all_allowed() {
    let policy = toml("deny.toml");
    let allowed = texts(&policy["licenses"]["allow"]);
    // Only this platform's packages: others are not downloaded by a build.
    let host = Command::new("rustc").arg("-vV").output().expect("rustc");
    let host = String::from_utf8(host.stdout).expect("UTF-8");
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let used: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)))
        .filter(|package| {
            !package["license"]
                .as_str()
                .is_some_and(|text| met(text, &allowed))
        })
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert!(packages.len() > 100, "the packages were not found");
    assert!(
        refused.is_empty(),
        "add them to deny.toml or drop them: {refused:?}"
    );
}

#[test]
fn supply_comes_from_one_registry_and_nothing_banned_comes() {
    let (policy, lock) = (toml("deny.toml"), toml("Cargo.lock"));
    let packages = lock["package"].as_array().expect("packages");
    let sources: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package.get("source")?.as_str())
        .collect();
    assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")));
    for ban in policy["bans"]["deny"].as_array().expect("bans") {
        let banned = &ban["crate"];
        let found = packages.iter().any(|package| &package["name"] == banned);
        assert!(!found, "{banned}: {}", ban["reason"]);
    }
}

#[test]
fn supply_manifest_names_a_version_of_each_dependency() {
    let manifest = toml("Cargo.toml");
    for group in ["dependencies", "dev-dependencies"] {
        for (name, dependency) in manifest[group].as_table().expect(group) {
            let version = dependency.get("version").unwrap_or(dependency);
            let version = version.as_str().unwrap_or_default();
            assert!(
                version.starts_with(|c: char| c.is_ascii_digit()),
                "{name}: {version:?}"
            );
        }
    }
}

#[test]
fn supply_every_dependency_is_justified() {
    let contributing = read("CONTRIBUTING.md");
    let manifest = toml("Cargo.toml");
    for group in ["dependencies", "dev-dependencies"] {
        for name in manifest[group].as_table().expect(group).keys() {
            let told = contributing.contains(&format!("`{name}`"));
            assert!(told, "say in CONTRIBUTING.md what {name} is for");
        }
    }
}

#[test]
fn supply_image_is_built_by_the_pinned_toolchain() {
    let toolchain = toml("rust-toolchain.toml");
    let version = toolchain["toolchain"]["channel"].as_str().expect("channel");
    let image = format!("FROM rust:{version}-");
    assert!(read("Dockerfile").contains(&image), "Dockerfile: {image}");
}
