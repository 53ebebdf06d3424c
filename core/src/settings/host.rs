//! The name of this machine.

/// Stands for the machine's name where it has none.
const NAMELESS: &str = "localhost";

/// This machine's host name as the kernel has it (`uname -n`): the namespace of its Process services.
pub fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}
