//! The sending queue: bounded, in memory, one request at a time so that they arrive in order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;

use super::settings::QueueSettings;

/// Drops are logged when they begin and then each time that their number has doubled: an outage of hours makes a dozen
/// lines.
const fn worth_a_line(dropped_requests: u64) -> bool {
    dropped_requests.is_power_of_two()
}

/// One encoded request.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Its protobuf.
    pub bytes: Bytes,
    /// Log records or data points in it.
    pub items: usize,
}

/// Where requests wait to be sent.
#[derive(Debug)]
pub struct Queue {
    id: String,
    sender: mpsc::Sender<Payload>,
    waits: bool,
    task: JoinHandle<()>,
    dropped: Arc<Dropped>,
}

#[derive(Debug, Default)]
struct Dropped {
    requests: AtomicU64,
    items: AtomicU64,
}

pub(super) fn start<F>(
    id: String,
    settings: &QueueSettings,
    runtime: &Handle,
    send: impl Fn(Payload) -> F + Send + 'static,
) -> Queue
where
    F: Future<Output = ()> + Send,
{
    let size = if settings.enabled { settings.queue_size } else { 1 };
    let (sender, mut receiver) = mpsc::channel(size);
    let task = runtime.spawn(async move {
        while let Some(payload) = receiver.recv().await {
            send(payload).await;
        }
    });
    Queue { id, sender, waits: !settings.enabled, task, dropped: Arc::default() }
}

impl Queue {
    /// Puts a request into the queue. What does not fit is dropped and counted; without `sending_queue` this waits until
    /// there is room, so it must not be called on a thread of the runtime.
    pub fn push(&self, payload: Payload) {
        let items = payload.items;
        let refused = if self.waits {
            self.sender.blocking_send(payload).is_err()
        } else {
            match self.sender.try_send(payload) {
                Ok(()) => false,
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => true,
            }
        };
        if refused {
            self.count_dropped(items);
        }
    }

    /// Log records or data points that did not fit.
    pub fn dropped_items(&self) -> u64 {
        self.dropped.items.load(Ordering::Relaxed)
    }

    /// Waits until everything in the queue has been sent or given up, at most `deadline`.
    pub async fn flush(self, deadline: Duration) {
        let Self { id, sender, mut task, .. } = self;
        drop(sender);
        if tokio::time::timeout(deadline, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("{id}: the endpoint did not take what was left within {deadline:?}; it is lost");
        }
    }

    fn count_dropped(&self, items: usize) {
        let requests = self.dropped.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let items = self.dropped.items.fetch_add(items as u64, Ordering::Relaxed) + items as u64;
        if worth_a_line(requests) {
            tracing::warn!(
                "{}: the sending queue is full; {items} items in {requests} requests were dropped so far: make the \
                 endpoint faster or sending_queue::queue_size larger",
                self.id
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    fn payload(items: usize) -> Payload {
        Payload { bytes: Bytes::new(), items }
    }

    /// A queue whose sender takes one request for each permit; what it took is in the list.
    fn gated(settings: &QueueSettings) -> (Queue, Arc<Semaphore>, Arc<Mutex<Vec<usize>>>) {
        let gate = Arc::new(Semaphore::new(0));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (gate_of_task, sent_of_task) = (gate.clone(), sent.clone());
        let queue = start("test".to_owned(), settings, &Handle::current(), move |payload: Payload| {
            let (gate, sent) = (gate_of_task.clone(), sent_of_task.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                sent.lock().unwrap().push(payload.items);
            }
        });
        (queue, gate, sent)
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_counted() {
        let (queue, gate, sent) = gated(&QueueSettings { enabled: true, queue_size: 2 });
        queue.push(payload(1));
        queue.push(payload(2));
        // The task has not run yet: this test has the only thread.
        queue.push(payload(30));
        queue.push(payload(400));
        assert_eq!(queue.dropped_items(), 430);
        gate.add_permits(10);
        queue.flush(Duration::from_secs(10)).await;
        assert_eq!(*sent.lock().unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn flush_gives_up_at_its_deadline() {
        let (queue, _gate, sent) = gated(&QueueSettings { enabled: true, queue_size: 2 });
        queue.push(payload(1));
        queue.flush(Duration::from_millis(10)).await;
        assert!(sent.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn without_a_queue_the_caller_waits_and_nothing_is_dropped() {
        let (queue, gate, sent) = gated(&QueueSettings { enabled: false, queue_size: 1 });
        let pushed = tokio::task::spawn_blocking(move || {
            for items in 1..=5 {
                queue.push(payload(items));
            }
            queue
        });
        gate.add_permits(5);
        let queue = pushed.await.unwrap();
        assert_eq!(queue.dropped_items(), 0);
        queue.flush(Duration::from_secs(10)).await;
        assert_eq!(*sent.lock().unwrap(), [1, 2, 3, 4, 5]);
    }
}
