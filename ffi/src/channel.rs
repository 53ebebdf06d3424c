//! One kind's way out: its cursor, the batch that waits for an acknowledgement, and its counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::batch::{Content, Kind};
use crate::boundary::Failure;
use crate::status::Status;

/// What `next` has to say.
#[derive(Debug)]
pub(crate) enum Pulled {
    Content(Arc<Content>),
    Timeout,
    Woken,
    Ended,
}

/// How a batch fared with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Retry(Duration),
    Rejected,
}

/// What a kind's cursor did so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) batches: AtomicU64,
    pub(crate) items: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// Which batch stands between the host and the next one.
#[derive(Debug, Default)]
enum Outstanding {
    #[default]
    Nothing,
    /// Given out; asking for the next one says that it was delivered.
    Given(Arc<Content>),
    /// To be given out again, not before the instant.
    Again(Arc<Content>, Instant),
}

/// What one thread at a time holds.
#[derive(Debug)]
pub(crate) struct Cursor<S> {
    pub(crate) kind: Kind,
    /// Where new batches come from.
    pub(crate) source: S,
    /// The bell's count that this cursor has answered with [`Pulled::Woken`].
    pub(crate) heard: u64,
    outstanding: Outstanding,
}

/// One kind's way out.
#[derive(Debug)]
pub(crate) struct Channel<S> {
    kind: Kind,
    cursor: Mutex<Cursor<S>>,
    pub(crate) counts: Counts,
}

impl<S> Channel<S> {
    pub(crate) fn new(kind: Kind, source: S) -> Self {
        let cursor = Cursor { kind, source, heard: 0, outstanding: Outstanding::Nothing };
        Self { kind, cursor: Mutex::new(cursor), counts: Counts::default() }
    }

    /// The next batch: the one to be repeated if there is one, else what `pull` finds until `deadline`.
    pub(crate) fn next(
        &self,
        bell: &Bell,
        deadline: Instant,
        pull: impl FnOnce(&mut Cursor<S>) -> Result<Pulled, Failure>,
    ) -> Result<Pulled, Failure> {
        let mut cursor = self.lock()?;
        if let Outstanding::Again(content, at) = &cursor.outstanding {
            let (content, at) = (content.clone(), *at);
            match bell.wait(&mut cursor.heard, at.min(deadline)) {
                Rung::Wake => return Ok(Pulled::Woken),
                Rung::Nothing if at > deadline => return Ok(Pulled::Timeout),
                // After a shutdown the delay is over: what is left is read now.
                Rung::Nothing | Rung::Shutdown => {}
            }
            self.counts.retried.fetch_add(1, Ordering::Relaxed);
            cursor.outstanding = Outstanding::Given(content.clone());
            return Ok(Pulled::Content(content));
        }
        cursor.outstanding = Outstanding::Nothing;
        let pulled = pull(&mut cursor)?;
        if let Pulled::Content(content) = &pulled {
            cursor.outstanding = Outstanding::Given(content.clone());
            self.counts.batches.fetch_add(1, Ordering::Relaxed);
            self.counts.items.fetch_add(content.items as u64, Ordering::Relaxed);
            self.counts.lost.fetch_add(content.lost, Ordering::Relaxed);
        }
        Ok(pulled)
    }

    /// Says how the batch that was given out last has fared.
    pub(crate) fn acknowledge(&self, content: &Arc<Content>, outcome: Outcome) -> Result<(), Failure> {
        let mut cursor = self.lock()?;
        if !matches!(&cursor.outstanding, Outstanding::Given(given) if Arc::ptr_eq(given, content)) {
            return Err(Failure::new(
                Status::NotOutstanding,
                format!("the batch is not the latest unacknowledged one of {}", self.kind.as_str()),
            ));
        }
        cursor.outstanding = match outcome {
            Outcome::Delivered => Outstanding::Nothing,
            Outcome::Retry(after) => Outstanding::Again(content.clone(), Instant::now() + after),
            Outcome::Rejected => {
                self.counts.rejected.fetch_add(1, Ordering::Relaxed);
                Outstanding::Nothing
            }
        };
        Ok(())
    }

    /// Keeps the cursor from everyone else, as a call on another thread does.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> MutexGuard<'_, Cursor<S>> {
        self.cursor.lock().unwrap()
    }

    fn lock(&self) -> Result<MutexGuard<'_, Cursor<S>>, Failure> {
        match self.cursor.try_lock() {
            Ok(cursor) => Ok(cursor),
            // A panic under the lock poisoned the observer, which answers nothing else from then on.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Status::Busy,
                format!("another thread is using the cursor of {}", self.kind.as_str()),
            )),
        }
    }
}

/// What a [`Bell`] has rung for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    Nothing,
    Wake,
    Shutdown,
}

/// Wakes who waits here and not in core: for the next reading, or until a batch may be repeated. A wake is remembered
/// for every cursor until that cursor has answered it.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<BellState>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct BellState {
    wakes: u64,
    shut_down: bool,
}

impl Bell {
    pub(crate) fn wake(&self) {
        self.change(|state| state.wakes += 1);
    }

    pub(crate) fn shut_down(&self) {
        self.change(|state| state.shut_down = true);
    }

    /// How often it was rung to wake.
    pub(crate) fn wakes(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).wakes
    }

    /// Waits until it rings, at most until `deadline`; a wake counts once for each `heard`.
    pub(crate) fn wait(&self, heard: &mut u64, deadline: Instant) -> Rung {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.wakes != *heard {
                *heard = state.wakes;
                return Rung::Wake;
            }
            if state.shut_down {
                return Rung::Shutdown;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Rung::Nothing;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut BellState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Body;

    /// Longer than any machine takes to do nothing.
    const LONG: Duration = Duration::from_mins(1);

    fn content() -> Arc<Content> {
        Arc::new(Content {
            kind: Kind::Logs,
            first: 1,
            next: 2,
            lost: 4,
            items: 1,
            body: Body::Otlp(vec![1]),
        })
    }

    fn channel() -> Channel<()> {
        Channel::new(Kind::Logs, ())
    }

    fn next(channel: &Channel<()>, bell: &Bell, timeout: Duration, new: &Arc<Content>) -> Pulled {
        channel.next(bell, Instant::now() + timeout, |_| Ok(Pulled::Content(new.clone()))).unwrap()
    }

    fn gave(pulled: &Pulled, content: &Arc<Content>) -> bool {
        matches!(pulled, Pulled::Content(given) if Arc::ptr_eq(given, content))
    }

    fn status(result: Result<(), Failure>) -> Option<Status> {
        result.err().map(|failure| failure.status)
    }

    #[test]
    fn a_retried_batch_comes_before_later_ones() {
        let (channel, bell, first, second) = (channel(), Bell::default(), content(), content());
        assert!(gave(&next(&channel, &bell, LONG, &first), &first));
        channel.acknowledge(&first, Outcome::Retry(Duration::ZERO)).unwrap();
        assert!(gave(&next(&channel, &bell, LONG, &second), &first));
        channel.acknowledge(&first, Outcome::Delivered).unwrap();
        assert!(gave(&next(&channel, &bell, LONG, &second), &second));
        assert_eq!(channel.counts.retried.load(Ordering::Relaxed), 1);
        assert_eq!(channel.counts.batches.load(Ordering::Relaxed), 2);
        assert_eq!(channel.counts.lost.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn a_retried_batch_waits_for_its_delay_and_the_caller_for_its_timeout() {
        let (channel, bell, first) = (channel(), Bell::default(), content());
        next(&channel, &bell, LONG, &first);
        channel.acknowledge(&first, Outcome::Retry(LONG)).unwrap();
        assert!(matches!(next(&channel, &bell, Duration::from_millis(1), &content()), Pulled::Timeout));
    }

    #[test]
    fn a_wake_ends_the_wait_for_a_retried_batch_which_then_still_comes() {
        let (channel, bell, first) = (channel(), Bell::default(), content());
        next(&channel, &bell, LONG, &first);
        channel.acknowledge(&first, Outcome::Retry(LONG)).unwrap();
        bell.wake();
        assert!(matches!(next(&channel, &bell, LONG, &content()), Pulled::Woken));
        bell.shut_down();
        assert!(gave(&next(&channel, &bell, LONG, &content()), &first), "a shutdown ends the delay");
    }

    #[test]
    fn asking_for_the_next_batch_says_that_the_one_before_was_delivered() {
        let (channel, bell, first, second) = (channel(), Bell::default(), content(), content());
        next(&channel, &bell, LONG, &first);
        assert!(gave(&next(&channel, &bell, LONG, &second), &second));
        assert_eq!(status(channel.acknowledge(&first, Outcome::Rejected)), Some(Status::NotOutstanding));
    }

    #[test]
    fn a_batch_is_acknowledged_once() {
        let (channel, bell, first) = (channel(), Bell::default(), content());
        next(&channel, &bell, LONG, &first);
        assert_eq!(status(channel.acknowledge(&first, Outcome::Rejected)), None);
        assert_eq!(status(channel.acknowledge(&first, Outcome::Rejected)), Some(Status::NotOutstanding));
        assert_eq!(channel.counts.rejected.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_cursor_hears_a_wake_once_however_late_it_asks() {
        let bell = Bell::default();
        let (mut one, mut other) = (0, 0);
        bell.wake();
        let now = Instant::now();
        assert_eq!([bell.wait(&mut one, now), bell.wait(&mut one, now)], [Rung::Wake, Rung::Nothing]);
        assert_eq!([bell.wait(&mut other, now), bell.wait(&mut other, now)], [Rung::Wake, Rung::Nothing]);
    }
}
