//! The live table: the map's connections, drawn again about each second until somebody quits.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use servicemap_map::model::Snapshot;

use super::error::CliError;
use super::log::Logs;
use super::map::STOP_TIMEOUT;
use super::output::{self, Capability};
use super::render::{self, Style, clip, visible};
use super::screen::Screen;
use super::signals::Signals;
use crate::Observer;

/// Time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two looks whether the first connections are known.
const FIRST_FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// Taken for the size of a terminal that does not know its own: the smallest that people use.
const DEFAULT_SIZE: (usize, usize) = (80, 24);
/// Columns of a table that is printed again and again where nothing can be drawn in place.
const PRINTED_WIDTH: usize = 120;

/// What the keyboard, the terminal and signals ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Quit,
    Resize,
    /// Lines down, or up where negative.
    Scroll(isize),
    /// Pages down, or up where negative.
    Page(isize),
}

/// Shows the map until somebody quits or nobody looks any more.
pub(super) fn run(observer: &Observer, stdout: Capability, logs: &Logs) -> Result<(), CliError> {
    let (send, inputs) = mpsc::channel();
    let on_signal = send.clone();
    let _signals = Signals::install(1, move || {
        // Nobody listens any more: it has ended already.
        let _ = on_signal.send(Input::Quit);
    })?;
    let shown = if stdout.redraw {
        logs.hold();
        let shown = draw(observer, stdout, logs, &inputs, send);
        logs.release();
        shown
    } else {
        print(observer, &inputs)
    };
    let stopped = observer.shutdown(STOP_TIMEOUT);
    shown?;
    Ok(stopped?)
}

/// Draws in place.
fn draw(
    observer: &Observer,
    stdout: Capability,
    logs: &Logs,
    inputs: &Receiver<Input>,
    send: Sender<Input>,
) -> Result<(), CliError> {
    let mut screen = Screen::open().map_err(CliError::Terminal)?;
    if screen.has_keys() {
        std::thread::Builder::new()
            .name("servicemap-keys".to_owned())
            .spawn(move || keys(&send))
            .map_err(CliError::Runtime)?;
    }
    let mut view = View { colour: stdout.colour, keys: screen.has_keys(), ..View::default() };
    let mut ready = false;
    loop {
        ready = ready || observer.wait_ready(Duration::ZERO);
        if !observer.is_running() {
            return Err(CliError::Stopped);
        }
        view.size = stdout.size().unwrap_or(DEFAULT_SIZE);
        let frame = view.frame(&observer.snapshot(), ready, logs.latest().as_deref());
        screen.draw(&frame).map_err(CliError::Output)?;
        let next = Instant::now() + if ready { FRAME_INTERVAL } else { FIRST_FRAME_INTERVAL };
        match inputs.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Input::Quit) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Input::Resize) => screen.clear().map_err(CliError::Output)?,
            Ok(Input::Scroll(lines)) => view.scroll(lines),
            Ok(Input::Page(pages)) => view.page(pages),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Prints the whole table again and again, where nothing can be drawn in place.
fn print(observer: &Observer, inputs: &Receiver<Input>) -> Result<(), CliError> {
    let style = Style { width: Some(PRINTED_WIDTH), colour: false };
    while !observer.wait_ready(FIRST_FRAME_INTERVAL) {
        if !observer.is_running() {
            return Err(CliError::Stopped);
        }
        if inputs.try_recv() == Ok(Input::Quit) {
            return Ok(());
        }
    }
    loop {
        output::print(&format!("{}\n", render::table(&observer.snapshot(), style).to_text()))?;
        if inputs.recv_timeout(FRAME_INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
        if !observer.is_running() {
            return Err(CliError::Stopped);
        }
    }
}

/// Passes on what the keyboard and the terminal say, until nobody listens.
fn keys(send: &Sender<Input>) {
    while let Ok(event) = read() {
        if meaning(&event).is_some_and(|input| send.send(input).is_err()) {
            return;
        }
    }
}

fn meaning(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Resize),
        Event::Key(key) if key.kind != KeyEventKind::Release => of_key(*key),
        _ => None,
    }
}

fn of_key(key: KeyEvent) -> Option<Input> {
    Some(match key.code {
        // In raw mode the terminal makes no signal of Ctrl-C.
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Input::Quit,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Input::Quit,
        KeyCode::Down | KeyCode::Char('j') => Input::Scroll(1),
        KeyCode::Up | KeyCode::Char('k') => Input::Scroll(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Input::Page(1),
        KeyCode::PageUp => Input::Page(-1),
        _ => return None,
    })
}

/// What is shown of the map.
#[derive(Debug, Default)]
struct View {
    /// Columns and rows of the terminal.
    size: (usize, usize),
    colour: bool,
    keys: bool,
    /// Rows scrolled out at the top.
    offset: usize,
    /// Rows of the last frame.
    page: usize,
}

impl View {
    fn scroll(&mut self, lines: isize) {
        self.offset = self.offset.saturating_add_signed(lines);
    }

    fn page(&mut self, pages: isize) {
        self.scroll(pages.saturating_mul(self.page.max(1).cast_signed()));
    }

    /// The lines of a frame: never wider or higher than the terminal.
    fn frame(&mut self, snapshot: &Snapshot, ready: bool, log: Option<&str>) -> Vec<String> {
        let (width, height) = self.size;
        let table = render::table(snapshot, Style { width: Some(width), colour: self.colour });
        let mut lines = table.heading;
        lines.extend(log.map(|line| clip(&visible(line), width)));
        lines.push(table.titles);
        // One line is for the status, and one stays free so that the shell's prompt scrolls nothing away.
        let room = height.saturating_sub(lines.len() + 2);
        let all = table.rows.len();
        self.page = room;
        self.offset = self.offset.min(all.saturating_sub(room));
        lines.extend(table.rows.into_iter().skip(self.offset).take(room));
        lines.push(clip(&self.status(all, ready), width));
        // On a terminal of a few lines the status, which says how to quit, matters most.
        let excess = lines.len().saturating_sub(height.max(1));
        lines.split_off(excess)
    }

    fn status(&self, all: usize, ready: bool) -> String {
        let quit = if self.keys { "q quits" } else { "Ctrl-C quits" };
        let shown = self.page.min(all);
        if !ready {
            format!("{quit} · reading the connections that exist")
        } else if all == 0 {
            format!("{quit} · no connections yet")
        } else if shown < all {
            let (first, last) = ((self.offset + 1).min(all), self.offset + shown);
            format!("{quit} · {first}–{last} of {all} connections, ↑ ↓ and space scroll")
        } else {
            quit.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::sample;
    use super::*;

    fn view(columns: usize, rows: usize) -> View {
        View { size: (columns, rows), keys: true, ..View::default() }
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Input> {
        meaning(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn a_frame_fits_the_terminal() {
        for snapshot in [sample::empty(), sample::shop(), sample::odd()] {
            for (columns, rows) in [(80, 24), (20, 5), (1, 1), (200, 3), (500, 200)] {
                let frame = view(columns, rows).frame(&snapshot, true, Some("a \u{1b}[31m log line"));
                assert!(frame.len() <= rows.max(1), "{columns}x{rows}: {} lines", frame.len());
                assert!(frame.iter().all(|line| clip(line, columns) == *line), "{columns}x{rows}: {frame:?}");
            }
        }
    }

    #[test]
    fn the_whole_table_is_shown_where_it_fits() {
        insta::assert_snapshot!(view(100, 24).frame(&sample::shop(), true, None).join("\n"));
    }

    #[test]
    fn what_does_not_fit_is_said_and_scrolled_to() {
        let mut view = view(100, 6);
        let first = view.frame(&sample::shop(), true, None);
        assert!(first.last().unwrap().contains("1–2 of 5 connections"), "{first:?}");
        view.page(1);
        let second = view.frame(&sample::shop(), true, None);
        assert!(second.last().unwrap().contains("3–4 of 5 connections"), "{second:?}");
        view.scroll(100);
        let last = view.frame(&sample::shop(), true, None);
        assert!(last.last().unwrap().contains("4–5 of 5 connections"), "{last:?}");
        view.scroll(-100);
        assert_eq!(view.frame(&sample::shop(), true, None), first);
    }

    #[test]
    fn it_says_that_it_is_still_reading() {
        let frame = view(100, 24).frame(&sample::empty(), false, None);
        assert_eq!(frame.last().unwrap(), "q quits · reading the connections that exist");
    }

    #[test]
    fn keys_mean_what_people_expect() {
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Input::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Input::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(KeyCode::PageUp, KeyModifiers::NONE), Some(Input::Page(-1)));
        assert_eq!(meaning(&Event::Resize(80, 24)), Some(Input::Resize));
    }
}
