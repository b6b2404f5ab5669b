//! What kind of JSON a column's values become, by the name of its SQL type.

/// How a value of some SQL type becomes JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// `true` or `false`.
    Boolean,
    /// A number JavaScript always holds: integers of at most 32 bits.
    Integer,
    /// A number if JavaScript holds it exactly, else a string.
    Exact,
    /// A number; NaN and the infinities are strings.
    Float,
    /// A string, exactly as printed.
    Text,
    /// The JSON value itself.
    Json,
    /// An SQL array of any dimension.
    Array(Box<ColumnKind>),
    /// A list; a list of lists where elements are `List` again.
    List(Box<ColumnKind>),
    /// A map from text.
    Map(Box<ColumnKind>),
    /// A record; fields beyond those listed are text.
    Record(Vec<ColumnKind>),
}

impl ColumnKind {
    /// The kind of a type by its name as `SHOW COLUMNS` or `mz_columns` prints
    /// it, on servers of either generation. An unknown type is text.
    pub fn of(sql_type: &str) -> Self {
        let lower = sql_type.trim().to_ascii_lowercase();
        ColumnKind::of_lower(&lower)
    }

    fn of_lower(name: &str) -> Self {
        let boxed = |name: &str| Box::new(ColumnKind::of_lower(name.trim()));
        if let Some(element) = name.strip_suffix("[]") {
            // A second pair of brackets is a dimension, not a type.
            return ColumnKind::Array(boxed(element.trim_end_matches("[]")));
        }
        if let Some(element) = name.strip_suffix(" list") {
            return ColumnKind::List(boxed(element));
        }
        if let Some(inner) = enclosed(name, "map[", ']') {
            let value = inner.split_once("=>").map_or("text", |(_, value)| value);
            return ColumnKind::Map(boxed(value));
        }
        if let Some(inner) = enclosed(name, "record(", ')') {
            return ColumnKind::Record(fields(inner));
        }
        match name.split('(').next().unwrap_or(name).trim() {
            "boolean" | "bool" => ColumnKind::Boolean,
            "smallint" | "int2" | "integer" | "int" | "int4" | "uint2" | "uint4" | "oid" => {
                ColumnKind::Integer
            }
            "bigint" | "int8" | "uint8" | "numeric" | "decimal" | "dec" => ColumnKind::Exact,
            "real" | "float4" | "double precision" | "float8" | "float" | "double" => {
                ColumnKind::Float
            }
            "jsonb" | "json" => ColumnKind::Json,
            // Both generations print only this word, not the elements' type.
            "list" => ColumnKind::List(Box::new(ColumnKind::Text)),
            "map" => ColumnKind::Map(Box::new(ColumnKind::Text)),
            "record" => ColumnKind::Record(Vec::new()),
            _ => ColumnKind::Text,
        }
    }
}

/// What stands between `open` and the closing character at the end.
fn enclosed<'a>(name: &'a str, open: &str, close: char) -> Option<&'a str> {
    name.strip_prefix(open)?.strip_suffix(close)
}

/// The kinds in `a: integer, b: text?`; also without names' colons.
fn fields(list: &str) -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    let (mut depth, mut start) = (0usize, 0usize);
    let mut push = |field: &str| {
        let field = field.trim().trim_end_matches('?');
        let kind = field.split_once(':').map_or(field, |(_, kind)| kind);
        kinds.push(ColumnKind::of_lower(kind.trim()));
    };
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                push(list.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    push(list.get(start..).unwrap_or_default());
    kinds
}
