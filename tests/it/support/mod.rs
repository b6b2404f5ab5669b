//! What the tests drive: real binaries, real sockets, an independent client.

pub mod dice;
pub mod follower;
pub mod frames;
pub mod front;
pub mod gateway;
pub mod http;
pub mod http2;
pub mod joined;
pub mod kernel;
pub mod materialize;
pub mod over;
pub mod pgwire;
pub mod proxy;
pub mod sse;
pub mod standin;
pub mod table;
pub mod tls_front;
pub mod unpack;
