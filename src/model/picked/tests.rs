//! Bases of windows that are not small: what they cost, and that they are whole.

use super::*;
use crate::model::position::Timestamp;
use crate::model::row::Column;
use crate::model::view::{View, ViewBuilder};
use crate::model::window::{Layout, Test, Wanted, What};

const COLUMNS: usize = 20;

fn layout() -> Arc<Layout> {
    let column = |at: usize| Column::new(format!("c{at}"), "integer");
    Arc::new(Layout::new(&(0..COLUMNS).map(column).collect::<Vec<_>>()))
}

/// A row whose first column is this, and whose others are one.
fn row(value: usize) -> String {
    let others = (1..COLUMNS).map(|at| format!(",\"c{at}\":1"));
    format!("{{\"c0\":{value}{}}}", others.collect::<String>())
}

/// The window of rows that have one of these values in some columns, or none.
fn window(layout: &Arc<Layout>, not: bool, values: &[usize], columns: &[usize]) -> Arc<Window> {
    let mut wanted = Wanted::default();
    for column in columns {
        let what = What::In(values.iter().map(usize::to_string).collect());
        wanted.require(&format!("c{column}"), Test { not, what });
    }
    Arc::new(wanted.resolve(layout, &[]).unwrap())
}

/// A view of as many rows with different values, every tenth three times.
fn view(rows: usize) -> View {
    let mut builder = ViewBuilder::new();
    (0..rows).for_each(|it| builder.add(&row(it), if it % 10 == 0 { 3 } else { 1 }));
    builder.finish(Timestamp::new(1)).unwrap()
}

/// All that is written of a window, and how often nothing was.
fn written(pick: Pick) -> (String, usize) {
    let Pick::Long(picked) = pick else {
        panic!("it is short");
    };
    let (mut out, mut progress, mut empty) = (Vec::new(), Progress::default(), 0);
    loop {
        let mut part = Vec::new();
        let is_all = picked.write(&mut progress, 10_000, &mut part);
        empty += usize::from(part.is_empty());
        out.extend_from_slice(&part);
        if is_all {
            break;
        }
    }
    assert!(u64::try_from(out.len()).unwrap() <= picked.bytes_max());
    (String::from_utf8(out).unwrap(), empty)
}

#[test]
fn pick_of_few_rows_without_an_index_looks_at_some_rows_at_a_time() {
    let (layout, rows) = (layout(), 3 * LOOKED_MAX);
    let mut view = view(rows);
    let few = window(&layout, false, &[rows - 2, rows - 1], &[0]);
    let (text, empty) = written(view.pick(&few, usize::MAX));
    assert_eq!(text, format!("{},{},", row(rows - 2), row(rows - 1)));
    assert!(empty > 1, "{empty}");
    // An index knows them.
    assert!(view.index(few.shape(), &layout));
    let Pick::Short { rows: 2, listed } = view.pick(&few, 1_000) else {
        panic!("not found");
    };
    assert_eq!(listed, text.as_bytes());
    assert!(matches!(view.pick(&few, listed.len() - 1), Pick::Long(_)));
}

#[test]
fn pick_of_most_rows_is_all_of_them_but_those_that_do_not_meet_the_conditions() {
    let layout = layout();
    let mut view = view(70_000);
    let most = window(&layout, true, &[0, 1], &[0]);
    let all = window(&layout, false, &[1], &[1]);
    let before = written(view.pick(&all, 1_000)).0;
    assert_eq!(u64::try_from(before.len()).unwrap(), view.listed_bytes());
    assert!(view.index(all.shape(), &layout));
    let Pick::Long(picked) = view.pick(&all, 1_000) else {
        panic!("it is short");
    };
    assert_eq!(picked.bytes_max(), view.listed_bytes());
    assert!(
        picked.parts.iter().all(|part| part.rows.is_none()),
        "all are looked up"
    );
    assert_eq!(written(Pick::Long(picked)).0, before);
    let but = written(view.pick(&most, 1_000)).0;
    assert_eq!(
        but.len() + 3 * row(0).len() + row(1).len() + 4,
        before.len()
    );
}

#[test]
fn indexes_are_few_and_a_window_is_found_by_the_best() {
    let layout = layout();
    let mut view = view(1_000);
    assert!(
        !view.index(window(&layout, true, &[1], &[0]).shape(), &layout),
        "of all rows"
    );
    let mut index = |columns: &[usize]| {
        let window = window(&layout, false, &[1], columns);
        view.index(window.shape(), &layout)
    };
    let combined = (1..COLUMNS).filter(|it| index(&[0, *it])).count();
    let single = (0..COLUMNS).filter(|it| index(&[*it])).count();
    assert_eq!((combined, single), (8, 8));
    assert!(index(&[0, 1]) && index(&[0]), "one that there is");
    for columns in [&[0][..], &[0, 1], &[0, 1, 2], &[3, 0], &[19, 0]] {
        let window = window(&layout, false, &[1, 10], columns);
        let Pick::Short { rows, .. } = view.pick(&window, 1 << 20) else {
            panic!("it is long");
        };
        assert_eq!(rows, 4, "{columns:?}");
    }
}
