//! How many files there are for streams beside those of views.

use log::warn;

use crate::config::Config;
use crate::http::gateway::{Connecting, Gateway};
use crate::limits::{FILES_PER_VIEW, FILES_RESERVED, room};
use crate::{process, tail};

/// How many views are being connected.
pub fn connecting() -> Connecting {
    let (now, waiting) = tail::connecting();
    Connecting { now, waiting }
}

/// Serves as many streams as there are files for beside those of the views.
pub fn make_room(gateway: &Gateway) {
    if let Some(files) = process::open_files_max() {
        let views = gateway.sources.all().len();
        gateway.places.set_room(room(files, views));
    }
}

/// Warns if the system allows too few open files for what was asked for.
pub fn warn_of_files(config: &Config) {
    let Some(files) = process::open_files_max() else {
        return;
    };
    let (most, views) = (config.connections.max, config.views.len());
    if most > room(files, 0) {
        let served = room(files, views);
        warn!(
            "{most} streams may be open, but only {files} files: {served} are served at the most; \
             raise the limit of open files (ulimit -n, LimitNOFILE=)"
        );
    }
    if views.saturating_mul(FILES_PER_VIEW) > files.saturating_sub(FILES_RESERVED) {
        warn!(
            "{views} views take {FILES_PER_VIEW} files each, and only {files} may be open: raise \
             the limit of open files (ulimit -n, LimitNOFILE=) or stream fewer views"
        );
    }
}
