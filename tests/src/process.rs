//! Child processes that end with the test: each is killed and waited for in `Drop`, by its own id.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// What a child has written so far, filled by a thread that reads its pipe.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill_from(&self, mut pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let written = self.clone();
        spawn(move || {
            let mut part = [0; 8192];
            // A read error is an end, too.
            while let Ok(length @ 1..) = pipe.read(&mut part) {
                written.lock().extend_from_slice(&part[..length]);
            }
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    /// Complete lines, and what follows them once the child has ended.
    fn lines(&self, ended: bool) -> Vec<String> {
        let text = self.text();
        let complete = if ended { text.len() } else { text.rfind('\n').map_or(0, |end| end + 1) };
        text[..complete].lines().map(str::to_owned).collect()
    }
}

/// A running child with its captured output.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Written,
    stderr: Written,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`; `name` is for failure reports.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let (stdout, stderr) = (Written::default(), Written::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| stdout.fill_from(pipe)));
        readers.extend(child.stderr.take().map(|pipe| stderr.fill_from(pipe)));
        Self { name: name.to_owned(), stdin: child.stdin.take(), child, stdout, stderr, readers }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Complete lines on standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines(self.readers.is_empty())
    }

    /// Everything on standard output so far, half a line included: what a terminal would have got.
    pub fn screen(&self) -> String {
        self.stdout.text()
    }

    /// Complete lines on standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lines(self.readers.is_empty())
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status =
            self.child.try_wait().unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.name))?;
        // The pipes end with the last process that holds them; only then is all output in.
        for reader in self.readers.drain(..) {
            reader.join().unwrap_or_else(|_| panic!("the reader of {}'s output panicked", self.name));
        }
        Some(status)
    }

    /// Waits until `condition` has something, and fails with the child's output when it ends or the deadline passes.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut condition: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let found = until(deadline, || {
            // Order matters: what was printed before the end must still count.
            let ended = self.ended();
            match (condition(self), ended) {
                (Some(value), _) => Some(Ok(value)),
                (None, Some(status)) => Some(Err(format!("it ended with {status}"))),
                (None, None) => None,
            }
        });
        match found {
            Some(Ok(value)) => value,
            Some(Err(why)) => panic!("{}: waited for {what}, but {why}\n{self:?}", self.name),
            None => panic!("{}: {what} did not come within {deadline:?}\n{self:?}", self.name),
        }
    }

    /// The first line of standard output that starts with `prefix`, without it.
    pub fn wait_for_line(&mut self, prefix: &str, deadline: Duration) -> String {
        self.wait_for(&format!("a line `{prefix}…`"), deadline, |process| {
            process.stdout().iter().find_map(|line| line.strip_prefix(prefix).map(str::to_owned))
        })
    }

    /// Waits for the end.
    pub fn wait_for_end(&mut self, deadline: Duration) -> ExitStatus {
        until(deadline, || self.ended())
            .unwrap_or_else(|| panic!("{} did not end within {deadline:?}\n{self:?}", self.name))
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap_or_else(|| panic!("{}'s standard input is closed", self.name));
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("{} takes no line: {error}", self.name));
    }

    /// Closes standard input: how a peer that holds its connections is told to go.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Kills the process (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops the process (SIGSTOP): its sockets live on, and nobody reads or closes them.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP)
            .unwrap_or_else(|error| panic!("cannot stop {}: {error}", self.name));
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        if let Some(status) = self.ended() {
            return status;
        }
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
        self.wait_for_end(deadline)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- {} (pid {}) stdout", self.name, self.id())?;
        writeln!(f, "{}", self.stdout.text())?;
        writeln!(f, "--- {} stderr", self.name)?;
        writeln!(f, "{}", self.stderr.text())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and returns its standard output; panics with its standard error when it fails.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::spawn("sh", Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_line_is_waited_for() {
        let mut process = shell("echo starting; echo ready 42; exec sleep 60");
        assert_eq!(process.wait_for_line("ready ", Duration::from_secs(5)), "42");
    }

    #[test]
    #[should_panic(expected = "it ended with exit status: 3")]
    fn the_end_of_the_child_ends_the_wait() {
        shell("exit 3").wait_for_line("ready ", Duration::from_mins(1));
    }

    #[test]
    fn a_child_dies_with_its_handle() {
        let process = shell("exec sleep 60");
        let proc_entry = std::path::PathBuf::from(format!("/proc/{}", process.id()));
        assert!(proc_entry.exists());
        drop(process);
        assert!(!proc_entry.exists());
    }

    #[test]
    fn closed_standard_input_is_seen_by_the_child() {
        let mut process = shell("cat; echo gone");
        process.close_stdin();
        assert!(process.wait_for_end(Duration::from_secs(5)).success());
        assert_eq!(process.stdout(), ["gone"]);
    }
}
