//! The files of config/: every setting they name is one.

use std::path::Path;

use viewcast::cli::settings;

/// The words of a text that begin so, as far as `is_part` takes them.
fn words(text: &str, start: &str, is_part: fn(char) -> bool) -> Vec<String> {
    let found = text.match_indices(start).map(|(at, _)| {
        let rest = text[at + start.len()..].chars();
        rest.take_while(|c| is_part(*c)).collect()
    });
    found.filter(|word: &String| !word.is_empty()).collect()
}

#[test]
fn deployment_files_name_settings_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let (mut flags, mut variables) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("config/") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        // kubectl, docker and openssl have flags of their own.
        let own = text.lines().filter(|line| {
            !["kubectl ", "docker "]
                .iter()
                .any(|word| line.contains(word))
        });
        for line in own {
            for flag in words(line, " --", |c| c.is_ascii_lowercase() || c == '-') {
                let known = settings::all().any(|setting| setting.flag() == flag);
                assert!(known || flag == "config", "{}: --{flag}", path.display());
                flags += 1;
            }
        }
        for variable in words(&text, "VIEWCAST_", |c| c.is_ascii_uppercase() || c == '_') {
            let known = settings::all().any(|setting| setting.key.to_uppercase() == variable);
            assert!(
                known || variable == "CONFIG",
                "{}: {variable}",
                path.display()
            );
            variables += 1;
        }
    }
    assert!(flags > 3 && variables > 5, "{flags} {variables}");
}
