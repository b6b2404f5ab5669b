//! What the programs have in common: figures beside their references and goals.
//!
//! Each program ends with a table between two marks, from which
//! benches/table.sh makes the one in docs/PERFORMANCE.md.

/// What a figure is to be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// In words, where no number says it.
    Words(&'static str),
}

/// The median, the lowest and the highest.
pub fn spread(values: impl IntoIterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}

/// A number as short as it is still exact enough.
pub fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A line of the table: what was measured, the reference, ours, and the figure
/// that has the goal, once for each run.
pub fn row(
    what: &str,
    reference: &str,
    ours: &str,
    figures: impl IntoIterator<Item = f64>,
    goal: Goal,
) -> String {
    let (median, lowest, highest) = spread(figures);
    let verdict = match goal {
        Goal::AtMost(bound) if median <= bound => format!("at most {bound}: met"),
        Goal::AtMost(bound) => format!(
            "at most {bound}: **missed by {:.0} %**",
            (median / bound - 1.0) * 100.0
        ),
        Goal::AtLeast(bound) if median >= bound => format!("at least {bound}: met"),
        Goal::AtLeast(bound) => format!(
            "at least {bound}: **missed by {:.0} %**",
            (1.0 - median / bound) * 100.0
        ),
        Goal::Words(words) => words.to_owned(),
    };
    format!(
        "| {what} | {reference} | {ours} | {} ({} to {}) | {verdict} |",
        number(median),
        number(lowest),
        number(highest)
    )
}

/// Prints the table that docs/PERFORMANCE.md shows.
pub fn print(rows: &[String]) {
    println!("\n<!-- goals -->");
    println!("| what | reference | viewcast | figure (lowest to highest run) | goal |");
    println!("|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    println!("<!-- end -->");
}
