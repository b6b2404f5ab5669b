//! Patterns that a token grants views by.

/// A view's name, or a pattern of it: `*` stands for any run of characters,
/// dots included, and everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern of this text.
    pub fn new(text: &str) -> Self {
        Pattern(text.to_owned())
    }

    /// Whether the name fits, compared byte by byte: names of views are told
    /// apart by case, and so are these.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        // `split` gives at least one part.
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        // Between the first and the last part, the leftmost place is as good
        // as any other: it leaves the most to what follows.
        let rest = parts.iter().try_fold(rest, |rest, part| {
            let at = rest.find(part)?;
            rest.get(at.saturating_add(part.len())..)
        });
        rest.is_some_and(|rest| rest.ends_with(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_stands_for_itself_and_a_star_for_any_run() {
        for (pattern, yes, no) in [
            (
                "top10",
                &["top10"][..],
                &["top1", "top100", "Top10", "", "*"][..],
            ),
            ("*", &["", "a", "a.b", "*"], &[]),
            ("mz_*", &["mz_", "mz_internal.x"], &["mz", "amz_x"]),
            ("*.b", &[".b", "a.b", "a.b.b"], &["b", "a.bc"]),
            (
                "a*b*c",
                &["abc", "axbyc", "abcbc", "aabbcc"],
                &["ab", "acb", "abcx"],
            ),
            ("a*a", &["aa", "aba"], &["a"]),
            ("a**b", &["ab", "axb"], &["a"]),
            ("", &[""], &["a"]),
            ("größe*", &["größe", "größen"], &["grösse"]),
        ] {
            let pattern = Pattern::new(pattern);
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} takes {name:?}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} refuses {name:?}");
            }
        }
    }
}
