//! Which file imports from which, and where that goes round in a circle.
//!
//! A name counts for the file that it is written in: where a parent passes a
//! name on (`pub use error::HttpError;`), whoever takes it from the parent
//! imports from the file of the name. `mod child;` is a declaration and no
//! import; a path through `child` is one.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use super::scan::{Path, inline_modules, paths};

/// Which files each file imports from, by path below `src`.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Who imports from whom in the sources, tests left out.
pub fn graph(sources: &[Source]) -> Graph {
    let files = Files::new(sources);
    let mut graph = Graph::new();
    for source in sources {
        let module = module_path(&source.path);
        let found = files.paths[&module].iter();
        let mut targets: BTreeSet<String> = found
            .filter_map(|path| files.target(&module, path))
            .collect();
        targets.remove(&source.path);
        graph.insert(source.path.clone(), targets);
    }
    graph
}

/// The circles, each as the files in it: those that reach one another.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|from| (from.as_str(), reach(graph, from)))
        .collect();
    let mut found = BTreeSet::new();
    for (from, to) in &reached {
        let back = to.iter().filter(|to| reached[*to].contains(from));
        let circle: BTreeSet<String> = back.map(|file| (*file).to_owned()).collect();
        if !circle.is_empty() {
            found.insert(circle);
        }
    }
    Vec::from_iter(found)
}

/// A circle in words: which of its files imports from which.
pub fn describe(graph: &Graph, circle: &BTreeSet<String>) -> String {
    let mut text = format!("a circle of {} files:", circle.len());
    for from in circle {
        for to in graph[from].intersection(circle) {
            text.push_str(&format!("\n    {from} imports from {to}"));
        }
    }
    text
}

/// All that can be reached from a file by one import or more.
fn reach<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for to in graph.get(at).into_iter().flatten() {
            if reached.insert(to.as_str()) {
                open.push(to);
            }
        }
    }
    reached
}

/// The module that a file is, from the crate's root; the program, `main.rs`,
/// is another crate and stands here as a module of its own.
fn module_path(file: &str) -> Vec<String> {
    let name = file.trim_end_matches(".rs");
    let name = name.strip_suffix("/mod").unwrap_or(name);
    let parts = name.split('/').filter(|part| *part != "lib");
    parts.map(str::to_owned).collect()
}

/// The files by their modules, and what each of them names.
struct Files {
    /// The file of each module.
    files: BTreeMap<Vec<String>, String>,
    /// The paths that each module's file names, `super` of inner modules and
    /// paths that begin within those taken off.
    paths: BTreeMap<Vec<String>, Vec<Path>>,
}

impl Files {
    fn new(sources: &[Source]) -> Self {
        let (mut files, mut named) = (BTreeMap::new(), BTreeMap::new());
        for source in sources {
            let module = module_path(&source.path);
            let inline = inline_modules(&source.shipped);
            let found = paths(&source.shipped).into_iter();
            let found = found.filter_map(|(at, path)| {
                let depth = inline.iter().filter(|inner| inner.contains(&at)).count();
                outside(path, depth)
            });
            named.insert(module.clone(), found.collect());
            files.insert(module, source.path.clone());
        }
        Files {
            files,
            paths: named,
        }
    }

    /// The file that a path in `module` comes out at, if it is one of ours.
    fn target(&self, module: &[String], path: &Path) -> Option<String> {
        let found = self.resolve(module, path, &mut BTreeSet::new())?;
        self.files.get(&found).cloned()
    }

    /// The module whose file a path in `module` comes out at. `seen` are the
    /// names that are being looked for, so that it ends.
    fn resolve(
        &self,
        module: &[String],
        path: &Path,
        seen: &mut BTreeSet<(Vec<String>, String)>,
    ) -> Option<Vec<String>> {
        let mut at = module.to_vec();
        let mut rest = path.parts.iter().peekable();
        match rest.peek()?.as_str() {
            "crate" | "viewcast" => {
                at.clear();
                rest.next();
            }
            "self" => drop(rest.next()),
            "super" => {}
            first => {
                // Another crate, or what a path of its own has brought here.
                at.push(first.to_owned());
                self.files.get(&at)?;
                rest.next();
            }
        }
        while let Some(part) = rest.next() {
            if part == "super" {
                at.pop();
                continue;
            }
            let child = [at.as_slice(), std::slice::from_ref(part)].concat();
            if self.files.contains_key(&child) {
                at = child;
                continue;
            }
            if !seen.insert((at.clone(), part.clone())) {
                return Some(at);
            }
            let passed_on = self.paths.get(&at).into_iter().flatten();
            let passed_on = passed_on.filter(|path| path.binds.as_ref() == Some(part));
            let mut followed = passed_on.filter_map(|path| {
                let mut path = path.clone();
                path.parts.extend(rest.clone().cloned());
                self.resolve(&at, &path, seen)
            });
            return Some(followed.next().unwrap_or(at));
        }
        Some(at)
    }
}

/// A path that is written `depth` modules within its file, as the file itself
/// would write it; `None` if it does not leave them.
fn outside(mut path: Path, depth: usize) -> Option<Path> {
    if depth == 0 || path.parts.first().is_some_and(|part| part == "crate") {
        return Some(path);
    }
    let climbed = path
        .parts
        .iter()
        .take_while(|part| *part == "super")
        .count();
    if climbed < depth {
        return None;
    }
    path.parts.drain(..depth);
    path.binds = None;
    Some(path)
}
