//! Mistyped names: what was probably meant.

/// The most letters a mistyped key may differ by and still be recognised, as a
/// similarity from 0 to 1.
const SIMILARITY_MIN: f64 = 0.7;

/// The same for one that no other could have been meant for.
const SIMILARITY_SURE: f64 = 0.9;

/// The key that looks most like this one, if any of them does.
pub fn nearest_of(
    key: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    let key = key.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&key, known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, key)| key)
}

/// Whether a mistyped key was meant for this one and no other, so that nothing
/// else may be missing for its sake.
pub fn is_surely(key: &str, meant: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    strsim::jaro_winkler(&key, meant) >= SIMILARITY_SURE
}
