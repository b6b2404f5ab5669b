//! A client of the stand-in like any other: now and then it gives the busiest
//! language of the moment a view of its own, in the place of the oldest of a
//! few. So the catalog's list of views changes live, and with it every page
//! that shows it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls, SimpleQueryMessage};

use super::replay::{literal, persist, wait};
use crate::limits;

/// Edits so far by language.
type Edits = BTreeMap<String, i64>;

/// Runs until `stop` is set; connects again where it must.
pub(super) fn run(address: SocketAddr, period: Duration, stop: &AtomicBool) {
    let mut config = postgres::Config::new();
    config
        .host(&address.ip().to_string())
        .port(address.port())
        .user("materialize")
        .dbname("materialize")
        .application_name("viewcast-demo-spotlight");
    // Nothing that ends a session keeps it from another one.
    let ended = persist("the spotlight", stop, || session(&config, period, stop));
    if let Err(error) = ended {
        log::error!("the spotlight ended: {error}");
    }
}

fn session(
    config: &postgres::Config,
    period: Duration,
    stop: &AtomicBool,
) -> Result<(), postgres::Error> {
    let mut client = config.connect(NoTls)?;
    let mut before = edits(&mut client)?;
    // The languages that have a view, the one to be replaced next at the front.
    let mut shown: Vec<(usize, Option<String>)> = (1..=limits::DEMO_SPOTLIGHTS)
        .map(|slot| (slot, None))
        .collect();
    loop {
        wait(period, stop);
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = edits(&mut client)?;
        let is_shown = |language| shown.iter().any(|(_, it)| it.as_ref() == Some(language));
        let gained = |(language, edits): (&String, &i64)| {
            (edits - before.get(language).unwrap_or(&0), language.clone())
        };
        let others = now.iter().filter(|(language, _)| !is_shown(*language));
        let busiest = others.map(gained).filter(|(edits, _)| *edits > 0).max();
        if let Some((_, language)) = busiest
            && let Some((slot, it)) = shown.first_mut()
        {
            client.batch_execute(&format!(
                "CREATE OR REPLACE VIEW spotlight_{slot} AS SELECT * FROM edits_by_language \
                 WHERE language = {}",
                literal(&language)
            ))?;
            *it = Some(language);
            shown.rotate_left(1);
        }
        before = now;
    }
}

fn edits(client: &mut Client) -> Result<Edits, postgres::Error> {
    let messages = client.simple_query("SELECT language, edits FROM edits_by_language")?;
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let edits = row.get(1).and_then(|text| text.parse().ok());
            row.get(0).map(str::to_owned).zip(edits)
        }
        _ => None,
    };
    Ok(messages.iter().filter_map(row).collect())
}
