//! What `psql` wrote: one file of statements, and for each COPY among them a
//! file of its bytes and one of its errors.

use std::fs;
use std::path::Path;

use super::{Exchange, Message};

/// The exchanges; what came of a COPY came after all statements.
pub(super) fn read(generation: &'static str, path: &Path) -> Vec<Exchange> {
    let file = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap();
    let mut exchanges = Vec::new();
    for (line, text) in text
        .lines()
        .enumerate()
        .filter(|(_, it)| !it.starts_with("--"))
    {
        let (sql, remark) = text.rsplit_once(';').expect("a statement a line");
        let (connection, messages) = match remark.trim().strip_prefix("-- ") {
            None => ("psql".to_owned(), vec![Message::Complete(String::new())]),
            Some(written) => {
                let stem = written.trim_end_matches(".copy").to_owned();
                let messages = copy(&path.with_file_name(written));
                (stem, messages)
            }
        };
        exchanges.push(Exchange {
            generation,
            file: file.clone(),
            connection,
            line,
            sql: sql.to_owned(),
            messages: messages.into_iter().map(|it| (usize::MAX, it)).collect(),
        });
    }
    exchanges
}

fn copy(path: &Path) -> Vec<Message> {
    let bytes = fs::read(path).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let columns = lines[0].split(|byte| *byte == b'\t').count();
    let mut messages = vec![Message::CopyOut { format: 0, columns }];
    messages.extend(lines.iter().map(|line| Message::Data(line.to_vec())));
    let told = fs::read_to_string(path.with_extension("err")).unwrap();
    for line in told.lines() {
        match line.split_once("ERROR:  ") {
            // What psql leaves out, the other recordings have.
            Some((_, text)) => messages.push(Message::Error("57014".into(), text.into())),
            None => assert_eq!(line, "Cancel request sent"),
        }
    }
    messages
}
