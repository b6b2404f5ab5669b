//! The scripted server's answers to what the gateway asks.

use super::super::pgwire;
use super::named::schema_rows;
use super::{State, Values};

/// The last part of an identifier path, without its quotes.
pub(super) fn view_name(path: &str) -> String {
    let path = path.trim().trim_end_matches(']');
    if let Some(query) = path.strip_prefix('(') {
        // The script knows a query as a view of that name.
        return query.trim_end_matches(')').trim().to_string();
    }
    let Some(inside) = path.strip_suffix('"') else {
        return path.rsplit('.').next().unwrap_or(path).to_string();
    };
    // A quoted part begins at a quote that is not one of a pair.
    let masked = inside.replace("\"\"", "\0\0");
    let begin = masked.rfind('"').map_or(0, |at| at + 1);
    inside[begin..].replace("\"\"", "\"")
}

/// What stands after `start` and up to `end`.
fn between<'a>(sql: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = sql.strip_prefix(start)?;
    match end {
        "" => Some(rest),
        end => rest.split(end).next(),
    }
}

pub(super) fn unknown(name: &str) -> Vec<u8> {
    pgwire::error("XX000", &format!("unknown catalog item '{name}'"))
}

pub(super) fn denied(name: &str) -> Vec<u8> {
    let message = format!("permission denied for VIEW \"materialize.public.{name}\"");
    pgwire::error("42501", &message)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_string())
}

/// The answer to a simple query, without the ready message.
pub(super) fn answer(state: &mut State, sql: &str) -> Vec<u8> {
    let old = state.is_old();
    let mut given = state.answers.iter_mut();
    if let Some((_, answer, left)) = given.find(|(it, _, left)| *left > 0 && it == sql) {
        *left -= 1;
        return answer.clone();
    }
    let text =
        |column: &str, value: &str| pgwire::rows(&[column], &[vec![Some(value.to_string())]]);
    if let Some(setting) = sql.strip_prefix("SET ") {
        let known = setting.starts_with("search_path") || !old;
        let name = setting.split(' ').next().unwrap_or_default();
        return match known {
            true => pgwire::complete("SET"),
            false => pgwire::error(
                "42704",
                &format!("unrecognized configuration parameter \"{name}\""),
            ),
        };
    }
    if let Some(query) = between(sql, "CREATE TEMPORARY VIEW \"viewcast_query\" AS ", "") {
        let name = query.trim().to_string();
        let mut queries = state.views.iter();
        let found = queries.find(|(query, view)| *query == name && view.exists);
        let Some(mut view) = found.map(|(_, view)| view.clone()) else {
            return pgwire::error("42601", "the script has no such query");
        };
        view.name = "viewcast_query".to_string();
        state.views.insert(0, ("viewcast_query".to_string(), view));
        return pgwire::complete("CREATE VIEW");
    }
    if sql == "DROP VIEW \"viewcast_query\"" {
        state.views.retain(|(name, _)| name != "viewcast_query");
        return pgwire::complete("DROP VIEW");
    }
    match sql {
        "SELECT mz_version()" if old => return text("mz_version", "v0.7.0 (953d2279d)"),
        "SELECT mz_version()" => return text("mz_version", "v26.17.0-dev.0 (892cf626b)"),
        "SELECT mz_now()" if !old => return text("mz_now", &state.now.to_string()),
        "SELECT mz_environment_id()" if !old => {
            return text("mz_environment_id", &state.environment);
        }
        "SELECT mz_cluster_id()" if old => return text("mz_cluster_id", &state.environment),
        "SHOW database" => return text("database", "materialize"),
        "SHOW search_path" => return text("search_path", &state.path.join(", ")),
        "SELECT id, name FROM mz_catalog.mz_databases" => {
            let row = vec![Some("u1".into()), Some("materialize".into())];
            return pgwire::rows(&["id", "name"], &[row]);
        }
        "SELECT id, database_id, name FROM mz_catalog.mz_schemas" => {
            return pgwire::rows(&["id", "database_id", "name"], &schema_rows());
        }
        "SELECT on_id FROM mz_catalog.mz_indexes" if old => {
            // What is named so is not kept in memory.
            let kept = state.views.iter().filter(|(name, _)| name != "not_kept");
            let ids = kept.map(|(_, view)| vec![Some(view.id.clone())]);
            return pgwire::rows(&["on_id"], &ids.collect::<Vec<_>>());
        }
        "SELECT id, name, type FROM mz_catalog.mz_objects WHERE schema_id = 'u3'" => {
            let is_public = |view: &super::View| view.exists && view.schema == "public";
            let views = state.views.iter().map(|(_, view)| view);
            let mut rows: Vec<Values> = views
                .filter(|view| is_public(view))
                .map(|view| {
                    let name = &view.name;
                    let kind = if name.starts_with("idx") {
                        "index"
                    } else {
                        view.kind()
                    };
                    let row = [view.id.as_str(), name, kind];
                    row.map(|text| Some(text.to_string())).to_vec()
                })
                .collect();
            rows.reverse();
            return pgwire::rows(&["id", "name", "type"], &rows);
        }
        "SHOW OBJECTS" => {
            let existing = state.views.iter().filter(|(_, view)| view.exists);
            let names = existing.map(|(_, view)| vec![Some(view.name.clone())]);
            return pgwire::rows(&["name"], &names.collect::<Vec<_>>());
        }
        _ => {}
    }
    let objects = "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = '";
    if let Some(name) = between(sql, objects, "'") {
        let row = |view: &super::View| [&view.id, view.schema_id(), view.kind()].map(some).to_vec();
        let found: Vec<_> = state.named(name).map(row).collect();
        return pgwire::rows(&["id", "schema_id", "type"], &found);
    }
    let objects = "SELECT name, id, schema_id, type FROM mz_catalog.mz_objects WHERE name IN ('";
    if let Some(names) = sql
        .strip_prefix(objects)
        .and_then(|it| it.strip_suffix("')"))
    {
        let names = names.split("', '").map(|name| name.replace("''", "'"));
        let row = |view: &super::View| {
            [&view.name, &view.id, view.schema_id(), view.kind()]
                .map(some)
                .to_vec()
        };
        let found: Vec<_> = names
            .flat_map(|name| state.named(&name).map(row).collect::<Vec<_>>())
            .collect();
        return pgwire::rows(&["name", "id", "schema_id", "type"], &found);
    }
    if let Some(id) = between(
        sql,
        "SELECT name FROM mz_catalog.mz_objects WHERE id = '",
        "'",
    ) {
        let found = state.by_id(id).filter(|view| view.exists);
        let found: Vec<_> = found
            .map(|view| vec![some(&view.name)])
            .into_iter()
            .collect();
        return pgwire::rows(&["name"], &found);
    }
    if let Some(found) = details(state, sql) {
        return found;
    }
    if let Some(path) = between(sql, "SELECT * FROM ", " LIMIT 0") {
        let view = match state.meant(path) {
            Ok((_, view)) => view,
            Err(error) => return error,
        };
        if view.is_denied {
            return denied(&view.name);
        }
        if let Some([names, _]) = &view.described {
            return names.clone();
        }
        let names: Vec<&str> = view.columns.iter().map(|(name, _)| name.as_str()).collect();
        return pgwire::rows(&names, &[]);
    }
    if let Some(path) = between(sql, "SHOW COLUMNS FROM ", "") {
        let view = match state.meant(path) {
            Ok((_, view)) => view,
            Err(error) => return error,
        };
        if let Some([_, types]) = &view.described {
            return types.clone();
        }
        let listed = view.columns.iter();
        let mut rows: Vec<Values> = listed
            .map(|(name, kind)| vec![Some(name.clone()), Some("t".into()), Some(kind.clone())])
            .collect();
        if old {
            rows.sort();
        }
        return pgwire::rows(&["name", "nullable", "type"], &rows);
    }
    count(state, sql).unwrap_or_else(|| pgwire::error("42601", "the script has no answer to this"))
}

/// What newer servers tell of objects beside their names: columns and ids.
fn details(state: &State, sql: &str) -> Option<Vec<u8>> {
    let columns = "SELECT id, name, type FROM mz_catalog.mz_columns WHERE id IN (";
    let ids = "SELECT id, global_id FROM mz_internal.mz_object_global_ids WHERE id IN (";
    let is_of_columns = sql.starts_with(columns);
    let listed = sql
        .strip_prefix(columns)
        .or_else(|| sql.strip_prefix(ids))?;
    if state.is_old() && !is_of_columns {
        return None;
    }
    let listed = listed.split(')').next().unwrap_or_default();
    if listed.is_empty() {
        return Some(pgwire::error(
            "42601",
            "Expected an expression, found right parenthesis",
        ));
    }
    let wanted: Vec<_> = listed.split(", ").map(|id| id.trim_matches('\'')).collect();
    let views = state.views.iter().map(|(_, view)| view);
    let views = views.filter(|view| view.exists && wanted.contains(&&*view.id));
    Some(match is_of_columns {
        true => {
            let rows = views.flat_map(|view| {
                let columns = view.columns.iter();
                columns.map(|(name, kind)| [&view.id, name, kind].map(|it| some(it)).to_vec())
            });
            pgwire::rows(&["id", "name", "type"], &rows.collect::<Vec<_>>())
        }
        false => {
            let rows = views.flat_map(|view| {
                let ids = view.former.iter().chain([&view.id]);
                ids.map(|id| [&view.id, id].map(|it| some(it)).to_vec())
            });
            pgwire::rows(&["id", "global_id"], &rows.collect::<Vec<_>>())
        }
    })
}

fn count(state: &mut State, sql: &str) -> Option<Vec<u8>> {
    let now = state.now;
    let nested = "SELECT n, mz_logical_timestamp() FROM (SELECT count(*) AS n FROM ";
    let (path, at) = match between(sql, nested, ")") {
        Some(path) => (path, None),
        None => {
            let (path, at) = between(sql, "SELECT count(*) FROM ", "")?.split_once(" AS OF ")?;
            (path, Some(at.parse().ok()?))
        }
    };
    let view = match state.meant(path) {
        Ok((_, view)) => view,
        Err(error) => return Some(error),
    };
    let rows: i64 = view.contents_at(at.unwrap_or(now)).values().sum();
    let time = if view.constant { u64::MAX } else { now };
    Some(match at {
        Some(_) => pgwire::rows(&["count"], &[vec![Some(rows.to_string())]]),
        None => pgwire::rows(
            &["n", "mz_logical_timestamp"],
            &[vec![Some(rows.to_string()), Some(time.to_string())]],
        ),
    })
}
