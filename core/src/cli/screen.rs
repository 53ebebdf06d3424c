//! A part of the terminal that is drawn again in place, and given back as it was.

use std::io::{self, Write as _};

use crossterm::cursor::{Hide, MoveTo, MoveToColumn, MoveUp, Show};
use crossterm::queue;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, disable_raw_mode, enable_raw_mode,
};

/// The lines below the place where the cursor was. Dropping it shows the cursor again and leaves the last frame there.
#[derive(Debug)]
pub(super) struct Screen {
    /// Lines of the last frame: the cursor stands at the end of the last of them.
    drawn: u16,
    /// Whether keys arrive one by one; not where there is no keyboard.
    keys: bool,
}

impl Screen {
    /// Hides the cursor, and takes keys as they are pressed where there is a keyboard.
    pub(super) fn open() -> io::Result<Self> {
        let screen = Self { drawn: 0, keys: enable_raw_mode().is_ok() };
        let mut stdout = io::stdout();
        queue!(stdout, Hide)?;
        stdout.flush()?;
        Ok(screen)
    }

    /// Whether keys arrive one by one.
    pub(super) const fn has_keys(&self) -> bool {
        self.keys
    }

    /// Draws `lines` over the last frame. No line may be wider than the terminal, nor all of them higher.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate, MoveToColumn(0))?;
        if self.drawn > 1 {
            queue!(frame, MoveUp(self.drawn - 1))?;
        }
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                frame.extend_from_slice(b"\r\n");
            }
            // Erase before writing: after a line as wide as the terminal, erasing would take its last letter.
            let last = index + 1 == lines.len();
            queue!(frame, Clear(if last { ClearType::FromCursorDown } else { ClearType::CurrentLine }))?;
            frame.extend_from_slice(line.as_bytes());
        }
        queue!(frame, EndSynchronizedUpdate)?;
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        write(&frame)
    }

    /// Begins anew on an empty terminal: after a change of size nobody knows where the last frame's lines are.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let mut frame = Vec::new();
        queue!(frame, Clear(ClearType::All), MoveTo(0, 0))?;
        self.drawn = 0;
        write(&frame)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.keys {
            let _ = disable_raw_mode();
        }
        let mut end = Vec::new();
        if queue!(end, Show).is_ok() {
            end.extend_from_slice(b"\r\n");
            let _ = write(&end);
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
