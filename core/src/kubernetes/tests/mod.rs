//! The watches against an API server of our own that speaks real HTTP: what has to be told, whatever the server does.

mod faults;
mod following;
mod server;
mod told;
