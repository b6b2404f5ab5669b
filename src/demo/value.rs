//! Values and rows of the stand-in, and how they are written: as text, as COPY
//! text and in the binary format that some drivers ask for.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// A row of a view: shared, since history, snapshots and connections hold it.
pub(super) type Row = Arc<[Value]>;

/// A row as wide as its relation is to whoever reads it: what was added later
/// is left out, and rows from before hold NULL there.
pub(super) fn fitted(row: &Row, width: usize) -> Row {
    if row.len() == width {
        return Row::clone(row);
    }
    let more = std::iter::repeat(Value::Null);
    row.iter().cloned().chain(more).take(width).collect()
}

/// One value. The order of variants is the order in which NULL sorts first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    /// SQL NULL.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `bigint`.
    BigInt(i64),
    /// `uint8`, and `mz_timestamp` (ms).
    Unsigned(u64),
    /// `numeric` with no digits after the point: the sums of the views.
    Numeric(i128),
    /// `timestamp`, milliseconds since 1970.
    Timestamp(i64),
    /// `oid`.
    Oid(u32),
    /// `text`.
    Text(Arc<str>),
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// `boolean`.
    Bool,
    /// `integer`, the type of a literal.
    Int,
    /// `bigint`.
    BigInt,
    /// `uint8`.
    UInt8,
    /// `numeric`.
    Numeric,
    /// `timestamp without time zone`.
    Timestamp,
    /// `mz_timestamp`.
    MzTimestamp,
    /// `oid`.
    Oid,
    /// `text`.
    Text,
}

impl ColumnType {
    /// The name as `SHOW COLUMNS` gives it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::BigInt => "bigint",
            Self::UInt8 => "uint8",
            Self::Numeric => "numeric",
            Self::Timestamp => "timestamp without time zone",
            Self::MzTimestamp => "mz_timestamp",
            Self::Oid => "oid",
            Self::Text => "text",
        }
    }

    /// The type's OID; those above 16000 are Materialize's own.
    pub(super) fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::BigInt => 20,
            Self::Int => 23,
            Self::Text => 25,
            Self::Oid => 26,
            Self::Timestamp => 1114,
            Self::Numeric => 1700,
            Self::UInt8 => 16464,
            Self::MzTimestamp => 16552,
        }
    }

    /// Bytes of a value, -1 if they vary: `pg_type.typlen`.
    pub(super) fn size(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int | Self::Oid => 4,
            Self::BigInt | Self::Timestamp | Self::UInt8 | Self::MzTimestamp => 8,
            Self::Numeric | Self::Text => -1,
        }
    }

    /// The type modifier: a sum's is numeric(39,0), packed as PostgreSQL does.
    pub(super) fn modifier(self) -> i32 {
        match self {
            Self::Numeric => (39 << 16) + 4,
            _ => -1,
        }
    }
}

impl Value {
    /// A text value.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// The text form, `None` for NULL.
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(true) => Cow::Borrowed("t"),
            Self::Bool(false) => Cow::Borrowed("f"),
            Self::BigInt(number) => Cow::Owned(number.to_string()),
            Self::Unsigned(number) => Cow::Owned(number.to_string()),
            Self::Numeric(number) => Cow::Owned(number.to_string()),
            Self::Timestamp(ms) => Cow::Owned(timestamp_text(*ms)),
            Self::Oid(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        })
    }

    /// Appends the binary form of a value of type `kind`. A type of
    /// Materialize's own without a known binary form gets its text.
    pub(super) fn write_binary(&self, kind: ColumnType, out: &mut Vec<u8>) {
        match (self, kind) {
            (Self::Bool(value), _) => out.push(u8::from(*value)),
            (Self::BigInt(value), ColumnType::Int) => {
                out.extend(i32::try_from(*value).unwrap_or(i32::MAX).to_be_bytes());
            }
            (Self::BigInt(value), _) => out.extend(value.to_be_bytes()),
            (Self::Unsigned(value), ColumnType::UInt8) => out.extend(value.to_be_bytes()),
            (Self::Unsigned(value), ColumnType::Numeric) => {
                numeric_binary(i128::from(*value), out);
            }
            (Self::Numeric(value), _) => numeric_binary(*value, out),
            // PostgreSQL counts microseconds since 2000-01-01.
            (Self::Timestamp(ms), _) => {
                out.extend((ms - 946_684_800_000).saturating_mul(1_000).to_be_bytes());
            }
            (Self::Oid(value), _) => out.extend(value.to_be_bytes()),
            (Self::Null | Self::Unsigned(_) | Self::Text(_), _) => {
                out.extend(self.as_text().unwrap_or_default().as_bytes());
            }
        }
    }
}

/// PostgreSQL's binary numeric: base 10000 digits, most significant first.
fn numeric_binary(value: i128, out: &mut Vec<u8>) {
    let mut digits: Vec<i16> = Vec::new();
    let mut rest = value.unsigned_abs();
    while rest > 0 {
        // A remainder below 10000 fits.
        digits.push(i16::try_from(rest % 10_000).unwrap_or(0));
        rest /= 10_000;
    }
    // An i128 has at most ten such digits.
    let count = i16::try_from(digits.len()).unwrap_or(0);
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    out.extend(count.to_be_bytes());
    out.extend((count - 1).max(0).to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(0_i16.to_be_bytes());
    for digit in digits.iter().rev() {
        out.extend(digit.to_be_bytes());
    }
}

/// `2015-09-12 00:46:58.771`, without the fraction if it is zero.
fn timestamp_text(ms: i64) -> String {
    let (days, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Years from March on, so that the leap day is the last of a year; eras of
    // 400 years repeat exactly.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60);
    let (second, fraction) = (ms_of_day / 1_000 % 60, ms_of_day % 1_000);
    let mut text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ".{fraction:03}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// Appends one COPY text line. Written without a look at the gateway's decoder:
/// two independent implementations of one format test each other.
pub(super) fn write_copy_line<'v>(values: impl Iterator<Item = &'v Value>, out: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        write_copy_value(value, out);
    }
    out.push(b'\n');
}

fn write_copy_value(value: &Value, out: &mut Vec<u8>) {
    let Some(text) = value.as_text() else {
        out.extend(b"\\N");
        return;
    };
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_printed_like_the_server_does() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00"),
            (1_442_018_818_771, "2015-09-12 00:46:58.771"),
            (1_456_747_200_500, "2016-02-29 12:00:00.5"),
            (-1, "1969-12-31 23:59:59.999"),
            (951_868_800_000, "2000-03-01 00:00:00"),
        ] {
            assert_eq!(timestamp_text(ms), text);
        }
    }

    #[test]
    fn copy_line_escapes_only_what_the_server_escapes() {
        let mut out = Vec::new();
        let row = [
            Value::text("a\tb\\c\nd\re\u{1}é"),
            Value::Null,
            Value::text(""),
            Value::Bool(true),
        ];
        write_copy_line(row.iter(), &mut out);
        assert_eq!(out, "a\\tb\\\\c\\nd\\re\u{1}é\t\\N\t\tt\n".as_bytes());
    }

    #[test]
    fn numeric_binary_has_base_10000_digits() {
        let mut out = Vec::new();
        numeric_binary(-12_345_678, &mut out);
        assert_eq!(out, [0, 2, 0, 1, 0x40, 0, 0, 0, 0x04, 0xD2, 0x16, 0x2E]);
        out.clear();
        numeric_binary(0, &mut out);
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
