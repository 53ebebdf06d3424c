//! The kernel side, loaded, drained and decoded.
