//! Windows: the rows of a view that meet conditions, and the columns of them
//! that are shown.
//!
//! A window is a filter over a view's rows and changes, and nothing else is
//! kept for it. What a request asks for (`Wanted`) is resolved against the
//! columns of the view (`Layout`) into a `Window` in canonical form, so that
//! equal windows are equal values in every gateway.

mod canonical;
mod condition;
mod error;
mod layout;
mod resolve;
mod resolved;
mod shape;
mod wanted;

pub use error::{Fault, WindowError};
pub use layout::Layout;
pub use resolved::Window;
pub use shape::{KEYS_MAX, Key, Shape};
pub use wanted::{CONDITIONS_MAX, Test, VALUES_MAX, Wanted, What};

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
