//! The server's own limit on the size of a result, compared with the gateway's
//! on the size of a view: a view between the two cannot be read, whatever
//! `--max-view-bytes` promises.

use crate::limits::VIEW_BYTES_MAX_DEFAULT;

/// The setting's units, as PostgreSQL has them.
const UNITS: [(&str, u64); 5] = [
    ("kB", 1 << 10),
    ("MB", 1 << 20),
    ("GB", 1 << 30),
    ("TB", 1 << 40),
    ("B", 1),
];

/// The bytes of a setting such as `1GB`; `None` if it is none.
fn bytes(setting: &str) -> Option<u64> {
    let setting = setting.trim();
    let end = setting.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = setting.split_at(end.unwrap_or(setting.len()));
    let factor = match unit.trim() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Says so if views that are allowed here are refused there.
pub(super) fn compare(setting: &str, view_bytes_max: u64) {
    if bytes(setting).is_none_or(|there| there >= view_bytes_max) {
        return;
    }
    // Nobody has asked for the default.
    let level = match view_bytes_max {
        VIEW_BYTES_MAX_DEFAULT => log::Level::Info,
        _ => log::Level::Warn,
    };
    log::log!(
        level,
        "the upstream's max_result_size is {setting}: it refuses the snapshot of a larger view, \
         though --max-view-bytes allows {view_bytes_max} bytes"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_limit_is_read_with_its_unit() {
        for (setting, expected) in [
            ("1GB", Some(1 << 30)),
            (" 1 MB ", Some(1 << 20)),
            ("20kB", Some(20 << 10)),
            ("3TB", Some(3 << 40)),
            ("17B", Some(17)),
            ("17", Some(17)),
            ("", None),
            ("GB", None),
            ("-1", None),
            ("1XB", None),
            ("99999999999999999999", None),
            ("18446744073709551615GB", None),
        ] {
            assert_eq!(bytes(setting), expected, "{setting}");
        }
    }
}
