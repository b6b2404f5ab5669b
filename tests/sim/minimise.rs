//! The smallest script that still shows that something is wrong, by delta
//! debugging (Zeller, "Yesterday, my program worked. Today, it does not.
//! Why?", 1999): leaves out ever smaller parts.

use std::time::{Duration, Instant};

use crate::script::Script;
use crate::{Played, play};

/// How often a smaller script is tried.
const CHANCES: u64 = 12;

/// Makes the script smaller for as long as it helps, or this time lasts.
pub fn minimise(script: &Script, at_most: Duration) -> (Script, Played) {
    let end = Instant::now() + at_most;
    let mut best = (script.clone(), play(script));
    let mut part = (script.steps.len() / 2).max(1);
    loop {
        let mut from = 0;
        let mut has_helped = false;
        while from < best.0.steps.len() && Instant::now() < end {
            let steps = best.0.steps.iter().enumerate();
            let left = steps.filter(|(at, _)| *at < from || *at >= from + part);
            let smaller = best.0.with(left.map(|(_, step)| *step).collect());
            match wrong_by_chance(smaller, end) {
                Some(found) => {
                    best = found;
                    has_helped = true;
                }
                None => from += part,
            }
        }
        if Instant::now() >= end || part == 1 && !has_helped {
            return best;
        }
        part = (part / 2).max(1);
    }
}

/// Without some steps everything takes another time: what was wrong may need
/// other chances to be so again.
fn wrong_by_chance(mut script: Script, end: Instant) -> Option<(Script, Played)> {
    for chance in 0..CHANCES {
        if chance > 0 && Instant::now() >= end {
            break;
        }
        let played = play(&script);
        if played.wrong.is_some() {
            return Some((script, played));
        }
        script.chance = script.seed.wrapping_add(chance);
    }
    None
}
