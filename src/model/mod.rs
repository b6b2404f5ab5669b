//! The pure core: values in, values out.
//!
//! No I/O, no clock, no threads and no logging here, so that every rule about
//! views, deltas and positions can be tested as arithmetic.

pub mod append;
mod arena;
mod chunk;
pub mod delta;
pub mod event;
pub mod frozen;
mod index;
mod indexes;
pub mod json;
mod key_index;
mod multiset;
pub mod name;
pub mod now;
pub mod parted;
pub mod pattern;
pub mod picked;
pub mod position;
pub mod reason;
pub mod retention;
pub mod row;
pub mod terms;
pub mod typescript;
pub mod upstream;
pub mod value;
pub mod view;
pub mod window;
