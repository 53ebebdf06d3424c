//! One connection, read back at every door: a real TCP connection between two processes in two network namespaces
//! appears with the right ends, port, count and direction, whether it is opened while Servicemap observes or before,
//! over IPv4 and IPv6.
//!
//! `cases` says what is done and what must be seen; each other module is one door.

mod c_program;
mod cases;
mod collector;
mod distribution;
mod go_program;
mod map;
mod prometheus;
