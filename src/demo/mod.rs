//! A stand-in for Materialize, reached by TCP only.
