//! Sockets from before the start: one walk for listeners, then one for connections, each counted in the kernel by the
//! same means as new ones, so that a socket counts once however it is met.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::{Capture, CaptureError, layout, sys};

/// What the first pass did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstPass {
    /// Whether the kernel has the walk; without it connections from before the start are seen when they end.
    pub walked: bool,
    /// How long it took.
    pub took: Duration,
}

impl Capture {
    /// Takes up what was open before the start. The drain that follows tells of it. Also right at any later time: what
    /// is known already is not counted again.
    pub fn first_pass(&mut self) -> Result<FirstPass, CaptureError> {
        let begin = Instant::now();
        if self.walk.is_none() {
            return Ok(FirstPass { walked: false, took: begin.elapsed() });
        }
        self.walk(layout::PASS_LISTENERS)?;
        // From now on the end of an unknown connection can be told inbound from outbound.
        self.set(layout::CONTROL_READY, 1)?;
        self.walk(layout::PASS_CONNECTIONS)?;
        self.set(layout::CONTROL_PASS, 0)?;
        Ok(FirstPass { walked: true, took: begin.elapsed() })
    }

    fn walk(&mut self, pass: u64) -> Result<(), CaptureError> {
        let failed = |source| CaptureError::Kernel { doing: "walk over the open sockets", source };
        self.set(layout::CONTROL_PASS, pass)?;
        let Some(link) = &self.walk else { return Ok(()) };
        let mut walk = File::from(sys::iterator(link.as_fd()).map_err(failed)?);
        // The program writes nothing: reading drives the walk, in stretches of a million files.
        let mut nothing = [0; 64];
        loop {
            match walk.read(&mut nothing) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}
