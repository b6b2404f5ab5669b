//! Whether there are files for one more connection.
//!
//! For each connection, and each cancelling, the client library makes a runtime
//! that holds four files, and it panics where it cannot open them. So it is asked
//! only where they could be had a moment before. Should others take them in that
//! moment, its panic is caught here, and told as what it is.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use tokio::runtime::Builder;

use crate::limits::FILES_KEPT;

use super::dial::Undialed;
use super::error;

thread_local! {
    /// A panic of this thread is caught and told, and so is not to be printed.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Held by who tries.
static TRYING: Mutex<()> = Mutex::new(());

/// Printing what is not caught, as before.
static HOOK: Once = Once::new();

/// Does what opens a connection, if there are files for it.
pub(super) fn with_files<T>(
    connect: impl FnOnce() -> Result<T, postgres::Error>,
) -> Result<T, Undialed> {
    try_out().map_err(|error| Undialed::NoFiles(error.to_string()))?;
    match caught(connect) {
        Ok(Err(error)) if is_of_files(&error) => Err(Undialed::NoFiles(error::chain(&error))),
        Ok(outcome) => outcome.map_err(Undialed::Failed),
        Err(words) => Err(Undialed::NoFiles(words)),
    }
}

/// Opens what a connection takes, and as many files as are kept for everything
/// else, and closes all of them again.
fn try_out() -> io::Result<()> {
    // One after the other, so that not all of them lack what the others hold.
    let _turn = TRYING.lock().unwrap_or_else(PoisonError::into_inner);
    let _runtime = Builder::new_current_thread().enable_all().build()?;
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None);
    let sockets: io::Result<Vec<Socket>> = (0..=FILES_KEPT).map(|_| socket()).collect();
    sockets.map(drop)
}

/// Whether the process, or the machine, has no file left.
fn is_of_files(error: &postgres::Error) -> bool {
    let code = error::cause_of::<io::Error>(error).and_then(io::Error::raw_os_error);
    let none_left = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    code.is_some_and(|code| none_left.contains(&code))
}

/// What comes of the work, or in which words it panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                print(panic);
            }
        }));
    });
    IS_CAUGHT.set(true);
    // What is left half done is dropped: nothing of it is used again.
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(false);
    outcome.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|&words| words.to_owned());
    let words = literal.or_else(|| panic.downcast_ref().cloned());
    words.unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_connecting_is_an_error_in_its_words() {
        let refused: Result<(), Undialed> = with_files(|| panic!("no file: {}", 24));
        assert!(matches!(refused, Err(Undialed::NoFiles(words)) if words == "no file: 24"));
        assert!(!IS_CAUGHT.get(), "the next one is printed");
        assert!(matches!(with_files(|| Ok(1)), Ok(1)));
    }
}
