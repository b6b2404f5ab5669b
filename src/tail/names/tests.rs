use super::*;

fn item(name: &str, id: &str, schema_id: &str, kind: &str) -> Item {
    let [name, id, schema_id, kind] = [name, id, schema_id, kind].map(str::to_string);
    Item {
        name,
        id,
        schema_id,
        kind,
        ..Item::default()
    }
}

fn schema(id: &str, database_id: Option<&str>, name: &str) -> Schema {
    Schema {
        id: id.to_string(),
        database_id: database_id.map(str::to_string),
        name: name.to_string(),
    }
}

fn facts(items: Vec<Item>) -> Facts {
    let named = |(id, name): (&str, &str)| (id.to_string(), name.to_string());
    Facts {
        items: Some(items),
        schemas: Some(vec![
            schema("s1", None, "mz_catalog"),
            schema("u1", Some("d1"), "public"),
            schema("u2", Some("d1"), "blue"),
            schema("u3", Some("d2"), "public"),
        ]),
        databases: vec![named(("d1", "materialize")), named(("d2", "other"))],
        database: Some("materialize".to_string()),
        path: vec!["blue".to_string(), "public".to_string()],
    }
}

fn parts(name: &str) -> Vec<String> {
    name.split('.').map(str::to_string).collect()
}

/// The ids and the place that a name means.
fn meaning(facts: &Facts, name: &str) -> (String, Option<String>) {
    let meaning = facts.meaning(&parts(name)).expect("the catalog tells");
    (meaning.ids.join(","), meaning.place.map(|it| it.join(".")))
}

fn at(id: &str, place: &str) -> (String, Option<String>) {
    (id.to_string(), Some(place.to_string()))
}

#[test]
fn names_are_looked_for_along_the_path_in_their_database() {
    let mut known = facts(vec![
        item("v", "u10", "u1", "view"),
        item("v", "u11", "u3", "view"),
        item("v", "u12", "u1", "index"),
        item("w", "u13", "u1", "table"),
    ]);
    assert_eq!(meaning(&known, "v"), at("u10", "materialize.public.v"));
    assert_eq!(
        meaning(&known, "public.v"),
        at("u10", "materialize.public.v")
    );
    assert_eq!(
        meaning(&known, "other.public.v"),
        at("u11", "other.public.v")
    );
    assert_eq!(meaning(&known, "w"), at("u13", "materialize.public.w"));
    // One in an earlier schema of the path takes the bare name, and no other.
    let items = known.items.as_mut().expect("items");
    items.push(item("v", "u14", "u2", "view"));
    assert_eq!(meaning(&known, "v"), at("u14", "materialize.blue.v"));
    assert_eq!(
        meaning(&known, "public.v"),
        at("u10", "materialize.public.v")
    );
    // The system's come before all, and belong to no database.
    let items = known.items.as_mut().expect("items");
    items.push(item("v", "s5", "s1", "view"));
    assert_eq!(meaning(&known, "v"), at("s5", "mz_catalog.v"));
}

#[test]
fn names_that_the_catalog_leaves_open_are_all_candidates() {
    let mut known = facts(vec![
        item("v", "u11", "u2", "view"),
        item("v", "u10", "u1", "view"),
    ]);
    let open = ("u10,u11".to_string(), None);
    assert_eq!(meaning(&known, "nowhere.v"), open);
    assert_eq!(meaning(&known, "nosuch"), (String::new(), None));
    known.schemas = None;
    assert_eq!(meaning(&known, "v"), open);
    known.items = None;
    assert_eq!(known.meaning(&parts("v")), None);
}

#[test]
fn names_that_mean_the_same_are_told_from_others() {
    let of = |ids: &[&str], place: Option<&str>| Meaning {
        ids: ids.iter().map(|id| (*id).to_string()).collect(),
        place: place.map(parts),
        ..Meaning::default()
    };
    let here = of(&["u1"], Some("materialize.public.v"));
    // A schema was renamed above it.
    assert!(here.is_same(&of(&["u1"], Some("materialize.sales.v"))));
    assert!(!here.is_same(&of(&["u2"], Some("materialize.public.v"))));
    // Another name has it now.
    assert!(!here.is_same(&of(&["u1"], None)));
    assert!(!here.is_same(&of(&[], None)));
    // With another column it is to be read anew; who does not tell its columns
    // says nothing against it.
    let with = |names: &[&str]| Meaning {
        columns: Some(
            names
                .iter()
                .map(|it| ((*it).to_owned(), String::new()))
                .collect(),
        ),
        ..here.clone()
    };
    assert!(with(&["a"]).is_same(&with(&["a"])));
    assert!(!with(&["a"]).is_same(&with(&["a", "b"])));
    assert!(here.is_same(&with(&["a"])) && with(&["a"]).is_same(&here));
}

#[test]
fn names_of_a_view_with_another_definition_are_of_the_same_lineage() {
    let replaced = Item {
        id: "u10".to_owned(),
        first_id: "u9".to_owned(),
        ..item("v", "u10", "u1", "view")
    };
    let before = facts(vec![item("v", "u9", "u1", "view")])
        .meaning(&parts("public.v"))
        .unwrap();
    let after = facts(vec![replaced]).meaning(&parts("public.v")).unwrap();
    assert_eq!(before.lineage(), after.lineage());
    assert_eq!((before.id(), after.id()), (Some("u9"), Some("u10")));
    // What is asked for is the object that there is.
    assert!(!before.is_same(&after));
    assert!(after.by_id(&parts("v")).unwrap().starts_with("[u10 AS "));
}

#[test]
fn names_by_id_are_quoted_and_only_of_one_object() {
    let of = |ids: &[&str], place: Option<&str>| Meaning {
        ids: ids.iter().map(|id| (*id).to_string()).collect(),
        place: place.map(parts),
        ..Meaning::default()
    };
    let given = parts("say \"hi\".v");
    let by_id = |meaning: Meaning| meaning.by_id(&given);
    let found = by_id(of(&["u12"], Some("materialize.public.v")));
    let expected = "[u12 AS \"materialize\".\"public\".\"v\"]";
    assert_eq!(found.as_deref(), Some(expected));
    let found = by_id(of(&["u12"], None));
    assert_eq!(found.as_deref(), Some("[u12 AS \"say \"\"hi\"\"\".\"v\"]"));
    assert_eq!(by_id(of(&["u12", "u13"], None)), None);
    assert_eq!(by_id(of(&[], None)), None);
    // An id is a word, or it is not put into SQL.
    assert_eq!(by_id(of(&["u1]; DROP"], None)), None);
}
