//! The rows of views as TypeScript: what the gateway and the command print is
//! given to the compiler, together with programs and values.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use viewcast::model::row::Column;
use viewcast::model::typescript::{TypedView, declarations};

use crate::support::gateway::Gateway;
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize};
use crate::support::standin::StandIn;
use crate::values::TABLE;

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compiles a program that imports `./views` and `viewcast`, as strictly as the
/// compiler can; what it says.
fn compile(declared: &str, program: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("written");
    };
    write("views.d.ts", declared);
    write("program.ts", program);
    let config = json!({
        "compilerOptions": {
            "noEmit": true,
            "strict": true,
            "exactOptionalPropertyTypes": true,
            "noUncheckedIndexedAccess": true,
            "target": "es2022",
            "lib": ["es2022"],
            "types": [],
            "module": "esnext",
            "moduleResolution": "bundler",
            "paths": { "viewcast": [repository("web/viewcast.d.ts")] },
        },
        "files": ["views.d.ts", "program.ts"],
    });
    write("tsconfig.json", &config.to_string());
    let output = Command::new("node")
        .arg(repository("tests/browser/node_modules/typescript/bin/tsc"))
        .arg("--project")
        .arg(directory.path())
        .output()
        .expect("node runs; `make prepare` installs it");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{told}\n{declared}")),
    }
}

fn types(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_viewcast"))
        .arg("types")
        .args(arguments)
        .env_clear()
        .output()
        .expect("run viewcast")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn types_of_the_demo_compile_with_the_client_and_refuse_wrong_use() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    let mut answer = get(gateway.address, "/views.d.ts");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let declared = answer.text();
    let program = std::fs::read_to_string(repository("tests/browser/views.types.ts"));
    compile(&declared, &program.expect("the program")).unwrap_or_else(|told| panic!("{told}"));
    let other = "import type { Views } from './views'; export type None = Views['nosuch'];";
    let told = compile(&declared, other).expect_err("no such view");
    assert!(told.contains("Property 'nosuch' does not exist"), "{told}");
}

/// The lines that a document shows compile as they stand there.
#[test]
fn types_are_used_as_the_documents_show() {
    let shown = |document: &str| {
        let text = std::fs::read_to_string(repository(document)).expect(document);
        let (_, block) = text.split_once("```ts\n").expect("a block");
        block.split("```").next().expect("its end").to_owned()
    };
    let top10 = [Column::new("user", "text"), Column::new("count", "bigint")];
    let orders = ["id", "total", "status"].map(|name| Column::new(name, "text"));
    let views = [
        ("top10", &top10[..]),
        ("orders", &orders),
        ("items", &orders),
    ];
    let declared = declarations(views.map(|(name, columns)| TypedView {
        name,
        description: None,
        columns,
    }));
    for document in ["docs/FRONTEND.md", "docs/CLIENTS.md"] {
        let told = compile(&declared, &shown(document));
        told.unwrap_or_else(|told| panic!("{document}: {told}"));
    }
}

/// Each example of docs/PROTOCOL.md fits the type of its column, and something
/// else does not.
#[test]
fn types_fit_the_values_of_the_table() {
    let columns = |sql_type: &str| {
        let named = if sql_type == "any" { "text" } else { sql_type };
        [Column::new("c", named)]
    };
    let named: Vec<(String, [Column; 1])> = (TABLE.iter().enumerate())
        .map(|(at, (sql_type, _, _))| (format!("v{at}"), columns(sql_type)))
        .collect();
    let declared = declarations(named.iter().map(|(name, columns)| TypedView {
        name,
        description: None,
        columns,
    }));
    let mut program = String::from("import type { Views } from './views';\n");
    for (at, (sql_type, _, json)) in TABLE.iter().enumerate() {
        // A literal of an object cannot name a key twice, as JSON can.
        let json = json.replace(r#""k":1,"k":2"#, r#""k":2"#);
        program += &format!("export const v{at}: Views['v{at}'] = {{ c: {json} }};\n");
        program += &format!(
            "// @ts-expect-error: {sql_type}\nexport const w{at}: Views['v{at}'] = {{ c: () => 1 }};\n"
        );
    }
    compile(&declared, &program).unwrap_or_else(|told| panic!("{told}"));
}

#[test]
fn types_of_the_command_are_those_of_a_gateway() {
    let stand_in = StandIn::start(&[]);
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("viewcast.toml");
    let views = "[view.by_language]\nrelation = \"edits_by_language\"\n\
                 description = \"Edits */\"\ncolumns = [\"language\"]\n";
    std::fs::write(&file, views).expect("written");
    let file = file.display().to_string();
    for chosen in [
        &["--view", "top10", "--view", "public.*"][..],
        &["--config", &file],
    ] {
        let arguments = [&["--upstream", &stand_in.url][..], chosen].concat();
        let printed = types(&arguments);
        assert_eq!(
            printed.status.code(),
            Some(0),
            "{chosen:?}: {}",
            text(&printed.stderr)
        );
        let printed = text(&printed.stdout);
        let gateway = Gateway::start(&arguments);
        gateway.await_ready();
        assert_eq!(printed, get(gateway.address, "/views.d.ts").text());
        compile(&printed, "import './views';").unwrap_or_else(|told| panic!("{told}"));
    }
}

#[test]
fn types_say_null_where_the_server_does() {
    for generation in [Generation::Old, Generation::Modern] {
        let server = Materialize::start(generation);
        server.create_view("t", &[("id", "integer"), ("n", "bigint")]);
        let printed = types(&["--upstream", &server.url(), "--view", "t"]);
        let printed = text(&printed.stdout);
        assert!(
            printed.contains("    n: number | string | null;"),
            "{printed}"
        );
    }
    // Of these two the stand-in says that one never is, and that the other may be.
    let stand_in = StandIn::start(&[]);
    let printed = text(&types(&["--upstream", &stand_in.url, "--view", "counter"]).stdout);
    for column in [
        "    edits: number | string;\n",
        "    bytes: number | string | null;\n",
    ] {
        assert!(printed.contains(column), "{printed}");
    }
}

#[test]
fn types_that_cannot_be_had_end_with_a_status_and_words() {
    let stand_in = StandIn::start(&[]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let free = format!("postgres://m@{}/m", nobody.local_addr().expect("address"));
    drop(nobody);
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["--upstream", &stand_in.url, "--view", "top11"],
            1,
            "error: unknown view \"top11\"\nhint: Similar names are \"top10\"",
        ),
        (
            &["--upstream", &free, "--view", "a"],
            1,
            "connecting to Materialize failed",
        ),
        (
            &["--upstream", &free, "--view", "public.*"],
            1,
            "catalog could not be asked",
        ),
        (&["--view", "a"], 64, "upstream"),
    ];
    for (arguments, status, said) in cases {
        let output = types(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn types_have_a_tag_and_are_sent_once() {
    let gateway = Gateway::demo(&["--view", "counter"]);
    gateway.await_ready();
    let ask = |method: &str, tag: &str| {
        let headers = [("If-None-Match", tag), ("Connection", "close")];
        request(gateway.address, method, "/views.d.ts", &headers)
    };
    let mut whole = ask("GET", "\"other\"");
    let tag = whole.header("etag").expect("a tag").to_owned();
    assert_eq!(whole.header("cache-control"), Some("no-cache"));
    let length = whole.text().len().to_string();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let mut answer = ask("GET", &known);
        assert_eq!(answer.status, 304, "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()), "{known}");
        assert_eq!(answer.text(), "");
    }
    let head = ask("HEAD", "\"other\"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some(length.as_str()))
    );
    assert_eq!(head.header("etag"), Some(tag.as_str()));
}

#[test]
fn types_of_a_query_are_those_of_its_columns_where_it_can_be_streamed() {
    const QUERY: &str = "SELECT id FROM t";
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("viewcast.toml");
    let view = format!("[view.asked]\nquery = \"{QUERY}\"\n");
    std::fs::write(&file, view).expect("written");
    let of = |generation| {
        let server = Materialize::start(generation);
        server.create_view(QUERY, &[("id", "integer")]);
        let file = file.display().to_string();
        types(&["--upstream", &server.url(), "--config", &file])
    };
    let printed = text(&of(Generation::Modern).stdout);
    assert!(
        printed.contains("  asked: {\n    /** integer */\n    id: number | null;\n"),
        "{printed}"
    );
    let refused = of(Generation::Old);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(
        told.contains("view \"asked\" is a query, and this Materialize"),
        "{told}"
    );
}

/// The names of views that a file of types has.
pub fn names_in(declared: &str) -> Vec<String> {
    let (_, views) = declared
        .split_once("export interface Views {\n")
        .expect("views");
    let begins = views
        .lines()
        .filter(|line| !line.starts_with("   ") && line.ends_with('{'));
    let names = begins.map(|line| line.trim().trim_end_matches(": {"));
    names
        .map(|name| match serde_json::from_str::<Value>(name) {
            Ok(Value::String(quoted)) => quoted,
            _ => name.to_owned(),
        })
        .collect()
}
