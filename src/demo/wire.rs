//! Tables as messages of the wire protocol.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse};
use pgwire::messages::data::DataRow;
use postgres::types::Kind;

use super::column::Column;
use super::table::Table;
use super::value::{ColumnType, Row};

/// A table as the answer to a query.
pub(super) fn query_response(table: Table, format: &Format) -> QueryResponse {
    let fields = Arc::new(fields(&table.columns, format));
    let encoders: Vec<(ColumnType, FieldFormat)> = table
        .columns
        .iter()
        .zip(fields.iter())
        .map(|(column, field)| (column.kind, field.format()))
        .collect();
    let rows = table
        .rows
        .into_iter()
        .map(move |row| Ok(data_row(&row, &encoders)));
    QueryResponse::new(fields, futures::stream::iter(rows))
}

/// The columns of an answer.
pub(super) fn fields(columns: &[Column], format: &Format) -> Vec<FieldInfo> {
    let field = |(index, column): (usize, &Column)| {
        let format = match format {
            // A client may give fewer formats than there are columns.
            Format::Individual(codes) => codes
                .get(index)
                .map_or(FieldFormat::Text, |code| FieldFormat::from(*code)),
            unified => unified.format_for(index),
        };
        FieldInfo::new(
            column.name.clone(),
            None,
            None,
            wire_type(column.kind),
            format,
        )
        .with_type_size(column.kind.size())
        .with_type_modifier(column.kind.modifier())
    };
    columns.iter().enumerate().map(field).collect()
}

fn wire_type(kind: ColumnType) -> Type {
    Type::from_oid(kind.oid()).unwrap_or_else(|| {
        Type::new(
            kind.name().to_owned(),
            kind.oid(),
            Kind::Simple,
            "mz_catalog".to_owned(),
        )
    })
}

fn data_row(row: &Row, encoders: &[(ColumnType, FieldFormat)]) -> DataRow {
    let mut data = BytesMut::new();
    let mut binary = Vec::new();
    for (value, (kind, format)) in row.iter().zip(encoders) {
        let Some(text) = value.as_text() else {
            data.put_i32(-1);
            continue;
        };
        let bytes = match format {
            FieldFormat::Text => text.as_bytes(),
            FieldFormat::Binary => {
                binary.clear();
                value.write_binary(*kind, &mut binary);
                &binary
            }
        };
        // The longest title has some hundred bytes.
        data.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        data.put_slice(bytes);
    }
    // No relation has as many columns as an i16 counts.
    DataRow::new(data, i16::try_from(row.len()).unwrap_or(i16::MAX))
}
