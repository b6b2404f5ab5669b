//! Reading Rust well enough for the rules: words, items, and what is prose.
//!
//! It is no parser. It knows comments, strings, characters and braces, which is
//! all that the rules ask about.

use std::collections::BTreeSet;
use std::ops::Range;

/// A path with at least two parts that the code names, or what a `use` brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its parts, `*` left out.
    pub parts: Vec<String>,
    /// The name that it has in its module from then on, if a `use` brings it.
    pub binds: Option<String>,
}

/// The lines, from 1, that hold one of the words.
pub fn numbered(code: &str, words: &[&'static str]) -> Vec<(usize, &'static str)> {
    let lines = code.lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            let word = words.iter().find(|word| line.contains(**word))?;
            Some((at + 1, *word))
        })
        .collect()
}

/// The modules of this crate that the code names, by `crate::` or `viewcast::`.
pub fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in ["crate::", "viewcast::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| is_word(c) || c == '$') {
                continue;
            }
            let after = &code[at + root.len()..];
            match after.strip_prefix('{') {
                None => drop(found.insert(word(after))),
                Some(list) => found.extend(top_words(list)),
            }
        }
    }
    found
}

/// The first word of each item in a braced list, nested lists left out.
fn top_words(list: &str) -> Vec<String> {
    let mut words: Vec<String> = list_items(list).iter().map(|item| word(item)).collect();
    words.retain(|word| !word.is_empty());
    words
}

/// The items of a braced list that begins behind its brace.
fn list_items(list: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut depth = 1;
    let mut item = String::new();
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            items.push(item.trim().to_owned());
            item.clear();
        } else {
            item.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| is_word(*c)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Each path in the code, with the place where it begins; a `use` of several
/// names is a path of each.
pub fn paths(code: &str) -> Vec<(usize, Path)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let first = word(&code[at..]);
        if first.is_empty() {
            at += c.len_utf8();
        } else if first == "use" {
            let end = code[at..].find(';').map_or(code.len(), |end| at + end);
            let tree = &code[at + first.len()..end];
            for path in use_tree(tree, &[]) {
                found.push((at, path));
            }
            at = end;
        } else {
            let (parts, length) = plain_path(&code[at..]);
            // Who may see an item is no import.
            let is_visibility = code[..at].ends_with("pub(in ");
            if parts.len() > 1 && !is_visibility {
                found.push((at, Path { parts, binds: None }));
            }
            at += length;
        }
    }
    found
}

/// The words at the beginning of `code` that `::` joins, and their length.
fn plain_path(code: &str) -> (Vec<String>, usize) {
    let mut parts = vec![word(code)];
    let mut length = parts[0].len();
    while let Some(after) = code[length..].strip_prefix("::") {
        let part = word(after);
        if part.is_empty() {
            break;
        }
        length += 2 + part.len();
        parts.push(part);
    }
    (parts, length)
}

/// The paths that a `use` brings: `tree` is what follows `before`.
fn use_tree(tree: &str, before: &[String]) -> Vec<Path> {
    let tree = tree.trim().trim_start_matches("::");
    if let Some(list) = tree.strip_prefix('{') {
        let items = list_items(list);
        return items
            .iter()
            .flat_map(|item| use_tree(item, before))
            .collect();
    }
    let first = word(tree);
    let after = &tree[first.len()..];
    let mut parts = before.to_vec();
    if !first.is_empty() && (first != "self" || before.is_empty()) {
        parts.push(first);
    }
    if let Some(rest) = after.trim_start().strip_prefix("::") {
        return use_tree(rest, &parts);
    }
    let renamed = after
        .trim()
        .strip_prefix("as ")
        .map(|name| word(name.trim()));
    let binds = renamed.or_else(|| parts.last().cloned());
    let binds = binds.filter(|_| !after.contains('*'));
    vec![Path { parts, binds }]
}

/// The places of modules that are written out within the file.
pub fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("mod ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(is_word) {
            continue;
        }
        // In a macro, the name is one that is put in.
        let name = &code[at + mark.len()..];
        let name = name
            .strip_prefix('$')
            .map_or(at + mark.len(), |_| at + mark.len() + 1);
        let open = name + word(&code[name..]).len();
        if code[open..].trim_start().starts_with('{')
            && let Some(end) = item_end(code, at)
        {
            found.push(open..end);
        }
    }
    found
}

/// First line and number of lines of each function with a body.
pub fn functions(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let named = code[at + 3..].starts_with(|c: char| c.is_alphabetic() || c == '_');
        if before.is_some_and(is_word) || !named {
            continue;
        }
        if let Some(end) = item_end(code, at) {
            let line = code[..at].matches('\n').count() + 1;
            found.push((line, code[at..end].matches('\n').count() + 1));
        }
    }
    found
}

/// Where the item that begins at `at` ends: after the brace that closes its
/// first block; `None` if it has none.
fn item_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    let mut brackets = 0;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => depth += 1,
            '}' => depth -= 1,
            ';' if depth == 0 && brackets == 0 => return None,
            _ => {}
        }
        if c == '}' && depth == 0 {
            return Some(at + offset + 1);
        }
    }
    None
}

/// The code with every `#[cfg(test)]` item blanked out.
pub fn blank_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let from = at + mark.len();
        let end = item_end(code, from).or_else(|| code[from..].find(';').map(|end| from + end));
        kept.replace_range(
            at..end.unwrap_or(code.len()),
            &blank(&code[at..end.unwrap_or(code.len())]),
        );
    }
    kept
}

/// The same number of bytes and lines, all blank.
fn blank(text: &str) -> String {
    let blanks = text
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' });
    blanks.collect()
}

/// The source with the insides of comments, strings and characters blanked out.
pub fn blank_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_word = code.chars().next_back().is_some_and(is_word);
        let prose = prose_length(rest, after_word);
        let taken = prose.unwrap_or(c.len_utf8());
        let (piece, after) = rest.split_at(taken);
        match prose {
            Some(_) => code.push_str(&blank(piece)),
            None => code.push_str(piece),
        }
        rest = after;
    }
    code
}

/// How many bytes of comment, string or character `rest` begins with.
fn prose_length(rest: &str, after_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if !after_word {
        let raw = rest.strip_prefix('b').unwrap_or(rest);
        if let Some(hashes) = raw.strip_prefix('r') {
            let count = hashes.len() - hashes.trim_start_matches('#').len();
            if hashes[count..].starts_with('"') {
                let open = rest.len() - hashes.len() + count + 1;
                let close = format!("\"{}", "#".repeat(count));
                let end = rest[open..].find(&close)?;
                return Some(open + end + close.len());
            }
        }
    }
    match rest.chars().next()? {
        '"' => quoted_length(rest, '"'),
        // A lifetime has no second quote two characters on.
        '\'' if rest[1..].starts_with('\\') => quoted_length(rest, '\''),
        '\'' => {
            let inside = rest[1..].chars().next()?.len_utf8();
            rest[1 + inside..].starts_with('\'').then_some(inside + 2)
        }
        _ => None,
    }
}

/// Bytes up to and including the closing quote, escapes skipped.
fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
