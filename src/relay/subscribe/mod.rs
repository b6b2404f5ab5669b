//! Streams as sources of bytes: of one view, and of several.

pub mod expiry;
pub mod handshake;
pub mod joint;
pub mod source;
pub mod stream_encoder;
pub mod subscriber;
pub mod window_rows;
mod windowed;
