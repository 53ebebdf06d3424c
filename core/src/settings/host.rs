//! The name of this machine.

/// Stands for the machine's name where it has none.
const NAMELESS: &str = "localhost";

/// This machine's host name as the kernel has it (`uname -n`): the namespace of its Process services. In a pod that is the
/// pod's name, so there the variable `NODE_NAME` says it.
pub fn machine_name() -> String {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
        && let Some(node) = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty())
    {
        return node;
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}
