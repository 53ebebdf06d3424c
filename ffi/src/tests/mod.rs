//! The ABI as a C program sees it: the exported functions themselves, with pointers.

mod arguments;
mod bytes;
mod fixtures;
#[cfg(feature = "headers")]
mod headers;
mod layout;
mod lifecycle;
mod sizes;
mod typed;
