//! Texts that fill rows.

/// Texts that fill rows, as long as asked for, another one for each row: words,
/// so that compressing finds what it would find in a row of prose, and no more.
pub struct Filling(pub usize);

impl Filling {
    pub fn of(&self, seq: u64) -> String {
        let mut text = String::with_capacity(self.0 + 16);
        let mut state = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        while text.len() < self.0 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let word = WORDS[usize::try_from(state >> 59).unwrap()];
            text.push_str(word);
            text.push(' ');
        }
        text.truncate(self.0);
        text
    }
}

const WORDS: [&str; 32] = [
    "the",
    "edit",
    "of",
    "a",
    "page",
    "by",
    "somebody",
    "in",
    "which",
    "there",
    "was",
    "no",
    "mention",
    "whatsoever",
    "about",
    "rivers",
    "Talk:",
    "2015",
    "and",
    "reverted",
    "to",
    "last",
    "version",
    "for",
    "sources",
    "missing",
    "added",
    "category",
    "Wikipedia",
    "fixed",
    "typo",
    "minor",
];
