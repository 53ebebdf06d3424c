//! What an agent costs: its CPU time and the run time of its BPF programs, as the kernel has them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::agent;
use crate::process::Process;

/// `sysconf(_SC_CLK_TCK)` on Linux: the unit of times in `/proc/PID/stat`.
const TICKS_PER_SECOND: f64 = 100.0;

/// The agent as `make run` starts it, with nobody at its screen.
pub fn start_agent() -> Process {
    let mut agent = Process::spawn("servicemap run", &mut agent::command(&["run"]));
    agent::wait_until_attached(&mut agent);
    agent
}

/// User and system time of a process so far (`proc_pid_stat(5)`, fields 14 and 15).
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the agent has ended")?;
    // The program's name may hold spaces; fields are counted from behind it.
    let fields = stat.rsplit_once(')').context("no stat")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// `kernel.bpf_stats_enabled`, set to what it was when dropped.
#[derive(Debug)]
pub struct BpfStatistics {
    before: String,
}

impl BpfStatistics {
    const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

    /// Lets the kernel take run times from now on.
    pub fn switch_on() -> Result<Self> {
        let switch = Path::new(Self::SWITCH);
        let before = fs::read_to_string(switch).context("this kernel takes no BPF run times")?;
        fs::write(switch, "1").context("cannot switch BPF run times on: run `make bench` as root")?;
        Ok(Self { before })
    }
}

impl Drop for BpfStatistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(Self::SWITCH, &self.before) {
            eprintln!("cannot set {} back to {}: {error}", Self::SWITCH, self.before.trim());
        }
    }
}
