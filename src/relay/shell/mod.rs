//! Actors, threads, sockets and timers around what decides. Nothing here does.

pub mod alarm;
pub mod delivery;
pub mod merger;
pub mod publisher_actor;
pub mod relay_actor;
pub mod tls_socket;
