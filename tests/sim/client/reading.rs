//! What a client makes of the events that it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use viewcast::model::position::Timestamp;
use viewcast::relay::log::shared_log::Log;

use super::Kept;
use crate::table::{Table, position};
use crate::truth::Truth;
use crate::wire::Event;
use crate::world::World;

impl World {
    pub(super) fn event(&mut self, client: usize, event: &Event) -> Result<(), String> {
        let it = &mut self.clients[client];
        if let Some(retry) = event.retry {
            it.retry_ms = retry;
        }
        let Some(link) = &mut it.link else {
            return Ok(());
        };
        if event.name.is_empty() && event.data.is_none() && event.id.is_none() {
            return Ok(());
        }
        if link.is_over {
            return Err("an event behind the last one".to_owned());
        }
        let (view, kind) = match it.is_joint {
            false => (it.views[0], event.name.as_str()),
            true => match event.name.split_once('.') {
                Some((name, kind)) => {
                    let view = name.strip_prefix('v').and_then(|it| it.parse().ok());
                    (view.ok_or("an event of no view")?, kind)
                }
                None => (usize::MAX, event.name.as_str()),
            },
        };
        let data = event.data.as_deref().unwrap_or_default();
        if data.is_empty() {
            return Err("an event without data".to_owned());
        }
        // Some clients heed it only there.
        if !std::mem::replace(&mut link.has_data, true) && event.retry.is_none() {
            return Err("no time to come back in the first event with data".to_owned());
        }
        match kind {
            "base" => {
                let of = event.id.as_deref().and_then(|id| position(id).ok());
                let kind = it.kinds[&view];
                let of =
                    of.and_then(|(time, of)| Some((time, self.upstream.truth.view_of(kind, &of)?)));
                if let Some((log, at)) = link.goes_on.take()
                    && of.is_some_and(|(time, of)| is_of(&log, time, &of))
                    && log.lock().retention.start().get() <= at
                    // Given up while the client waited, it is followed by another.
                    && !log.lock().ended
                {
                    return Err(format!("a base, though the log goes on from {at}"));
                }
                let bases = link.bases.entry(view).or_insert(0);
                *bases += 1;
                if *bases > 1 {
                    return Err("a second base".to_owned());
                }
                it.tables.insert(view, Table::base(data, kind)?);
                // It is back; that it is lost was told before.
                it.words.retain(|of, word| *of != view || word != "gone");
                if !it.is_joint {
                    self.stand(client, view, event, true)?;
                }
            }
            "delta" => {
                let Some(table) = it.table(view) else {
                    return match data {
                        "[]" => Ok(()),
                        _ => Err("a delta before a base".to_owned()),
                    };
                };
                let has_changes = table.delta(data)?;
                if has_changes && event.id.is_none() && !it.is_joint {
                    return Err("changes without an id".to_owned());
                }
                if !it.is_joint && event.id.is_some() {
                    self.stand(client, view, event, false)?;
                }
            }
            "upstream" => {
                let word = data.trim_matches('"').to_owned();
                if link.word.insert(view, word.clone()).as_ref() == Some(&word) {
                    return Err("the same word twice".to_owned());
                }
                it.words.insert(view, word);
            }
            "gone" => {
                it.tables.remove(&view);
                it.words.insert(view, "gone".to_owned());
                link.bases.remove(&view);
                link.word.remove(&view);
                link.is_over = !it.is_joint;
            }
            "abandoned" | "full" => link.is_over = true,
            "consistent" => self.stand_together(client, event)?,
            other => return Err(format!("an event called {other:?}")),
        }
        Ok(())
    }

    fn stand(
        &mut self,
        client: usize,
        view: usize,
        event: &Event,
        is_base: bool,
    ) -> Result<(), String> {
        self.comparisons += 1;
        let it = &mut self.clients[client];
        let id = event.id.clone().ok_or("no id")?;
        let at = position(&id)?;
        let table = it.table(view).ok_or("no table of this window")?;
        if let Some(before) = table.position.as_ref().filter(|_| !is_base)
            && before.0 >= at.0
        {
            return Err(format!("{id} behind {before:?}"));
        }
        table.check(at.0, at, is_base, &mut self.upstream.truth)?;
        let link = it.link.as_ref();
        let log = link.and_then(|it| it.log.as_ref()?.upgrade());
        let of = it.tables.get(&view).and_then(|it| it.position.as_ref());
        let kind = it.kinds[&view];
        let of = of.and_then(|(time, of)| Some((*time, self.upstream.truth.view_of(kind, of)?)));
        let is_its = |log: &Arc<Log>| {
            let of = of.as_ref();
            of.is_some_and(|(time, of)| is_of(log, *time, of))
        };
        let log = log.filter(is_its);
        it.given = log.map(|log| (Arc::downgrade(&log), id.clone()));
        it.kept = Kept {
            id: Some(id),
            backs: backs_of(&it.tables, &self.upstream.truth),
            tables: it.tables.clone(),
        };
        Ok(())
    }

    /// All views of a stream stand at one time.
    fn stand_together(&mut self, client: usize, event: &Event) -> Result<(), String> {
        let it = &mut self.clients[client];
        let data = event.data.as_deref().unwrap_or_default();
        let data: serde_json::Value =
            serde_json::from_str(data).map_err(|error| error.to_string())?;
        // A number that JavaScript does not hold comes as a string.
        let time = &data["position"];
        let time = time.as_u64().or_else(|| time.as_str()?.parse().ok());
        let time = time.ok_or("consistent without a position")?;
        if it.time > Some(time) {
            return Err(format!("{time} after {:?}", it.time));
        }
        if it.time.replace(time) != Some(time)
            && let Some(link) = &mut it.link
        {
            link.moved_us = self.now_us;
        }
        if let Some(id) = &event.id {
            if it.kept.id.as_ref() == Some(id)
                && it.link.as_ref().is_some_and(|it| it.bases.is_empty())
            {
                return Err(format!("{id} is sent to who has it"));
            }
            it.kept.id = Some(id.clone());
        }
        let id = it.kept.id.clone().ok_or("the first consistent has no id")?;
        let parts: Vec<&str> = id.split('.').collect();
        let mut views = it.views.clone();
        views.sort_unstable();
        if parts.len() != views.len() {
            return Err(format!("{id} is not of {} views", views.len()));
        }
        for (view, part) in views.iter().zip(parts) {
            let Some(table) = it.table(*view) else {
                match part {
                    "-" => continue,
                    _ => return Err(format!("v{view} has a position in {id}, but no rows")),
                }
            };
            let at = position(part)?;
            if self.upstream.generation.is_old() {
                // Such a server does not say how far an idle view is: it may yet
                // tell of a time at which it was taken to stand.
                table.position = Some(at);
                continue;
            }
            self.comparisons += 1;
            let is_new = table.candidates.is_empty();
            let checked = table.check(time, at, is_new, &mut self.upstream.truth);
            checked.map_err(|text| format!("v{view}: {text}"))?;
        }
        if event.id.is_some() {
            it.kept.backs = backs_of(&it.tables, &self.upstream.truth);
        }
        it.kept.tables = it.tables.clone();
        Ok(())
    }
}

/// How often time had gone back when what these tables show was so.
fn backs_of(tables: &BTreeMap<usize, Table>, truth: &Truth) -> usize {
    let backs = tables.values().map(|it| truth.backs_of(&it.candidates));
    backs.min().unwrap_or(truth.backs)
}

/// Whether a log is of this incarnation at this time.
fn is_of(log: &Arc<Log>, time: u64, of: &str) -> bool {
    let timestamp = Timestamp::new(time);
    log.lock().terms.at(timestamp).to_string() == of
}
