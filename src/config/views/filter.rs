//! Which columns of a view clients may ask for its rows by, as
//! `--filter VIEW:COLUMN` says it.

use super::ViewChoice;
use crate::limits::FILTER_COLUMNS_MAX;

/// One column of one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The view's place among those that are streamed.
    pub view: usize,
    /// The column.
    pub column: String,
}

/// Adds the items of one list, which are separated already, to what others
/// gave. An item without a view is of the view of the one before it:
/// `orders:customer_id,status`. The error is the item that makes no sense, and
/// what would.
pub fn read(
    items: &[String],
    views: &[ViewChoice],
    filters: &mut Vec<Filter>,
) -> Result<(), (String, String)> {
    let mut before = None;
    for item in items {
        let refused = |accepts: &str| (item.clone(), accepts.to_owned());
        let item = item.trim();
        let named = views.iter().enumerate().filter_map(|(at, view)| {
            let column = item.strip_prefix(&view.name)?.strip_prefix(':')?;
            Some((view.name.len(), at, column))
        });
        let (view, column) = match (named.max(), before) {
            (Some((_, view, column)), _) => (view, column),
            (None, Some(view)) if !item.contains(':') || item.starts_with('"') => (view, item),
            _ => {
                return Err(refused(
                    "a view that is streamed and one of its columns, e.g. orders:customer_id",
                ));
            }
        };
        let column = column_name(column).ok_or_else(|| {
            refused(
                "a column's name behind the view's, in double quotes if it holds a comma or one \
                 of them",
            )
        })?;
        let filter = Filter { view, column };
        let of_view = filters.iter().filter(|other| other.view == view);
        if of_view.clone().count() >= FILTER_COLUMNS_MAX || filters.contains(&filter) {
            return Err(refused(&format!(
                "each column of a view once, {FILTER_COLUMNS_MAX} at the most"
            )));
        }
        filters.push(filter);
        before = Some(view);
    }
    Ok(())
}

/// The item that is read as this column of this view.
pub fn show(view: &str, column: &str) -> String {
    match column_name(column) {
        Some(read) if read == column && !column.contains(',') => format!("{view}:{column}"),
        _ => format!("{view}:\"{}\"", column.replace('"', "\"\"")),
    }
}

/// A column's name: what stands in double quotes, or all of it if there are
/// none. Unlike a view's it is not folded, since the query of a request names
/// columns as they are.
fn column_name(text: &str) -> Option<String> {
    let text = text.trim();
    let name = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?.replace("\"\"", "\0"),
        None => text.to_owned(),
    };
    // What is left of a quote stands alone.
    let is_name = !name.is_empty() && !name.contains('"');
    is_name.then(|| name.replace('\0', "\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::ViewName;

    fn views() -> Vec<ViewChoice> {
        let view = |name: &str| ViewChoice {
            name: name.to_owned(),
            ..ViewChoice::relation(ViewName::parse("v").expect("a name"))
        };
        ["orders", "a", "a:b", "s.\"x, y\""].map(view).to_vec()
    }

    fn all(items: &[String], views: &[ViewChoice]) -> Result<Vec<Filter>, (String, String)> {
        let mut filters = Vec::new();
        read(items, views, &mut filters).map(|()| filters)
    }

    fn items(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn filter_is_a_view_and_a_column() {
        for (list, expected) in [
            (&["orders:id"][..], &[(0, "id")][..]),
            (&["orders:Id", " status "], &[(0, "Id"), (0, "status")]),
            (&["a:b", "a:b:c"], &[(1, "b"), (2, "c")]),
            (&["orders:\"a, \"\"b\"\"\""], &[(0, "a, \"b\"")]),
            (&["s.\"x, y\":z", "\"p:q\""], &[(3, "z"), (3, "p:q")]),
        ] {
            let read = all(&items(list), &views()).expect("good");
            let read: Vec<_> = read.iter().map(|it| (it.view, &*it.column)).collect();
            assert_eq!(read, expected);
            for (view, column) in expected {
                let views = views();
                let again = all(&[show(&views[*view].name, column)], &views);
                let expected = Filter {
                    view: *view,
                    column: column.to_string(),
                };
                assert_eq!(again, Ok(vec![expected]));
            }
        }
        let many: Vec<String> = (0..9).map(|at| format!("orders:c{at}")).collect();
        assert!(all(&many[..8], &views()).is_ok());
        for bad in [
            items(&["id"]),
            items(&["nope:id"]),
            items(&["orders:a", "nope:id"]),
            items(&["orders:"]),
            items(&["orders:\"a"]),
            items(&["orders:a\"b"]),
            items(&["orders:\"a\"b\""]),
            items(&["orders:a", "orders:a"]),
            many,
        ] {
            let (item, _) = all(&bad, &views()).expect_err("bad");
            assert_eq!(Some(&item), bad.last());
        }
    }
}
