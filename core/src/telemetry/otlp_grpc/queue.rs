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

/// Where requests are put to be sent. Clones share the queue; it closes when the last one is gone.
#[derive(Clone, Debug)]
pub struct Queue {
    id: Arc<str>,
    sender: mpsc::Sender<Payload>,
    waits: bool,
    dropped: Arc<Dropped>,
}

/// The task that sends what is in a queue.
#[derive(Debug)]
pub struct Sending {
    id: Arc<str>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Dropped {
    requests: AtomicU64,
    items: AtomicU64,
}

pub(super) fn start<F>(
    id: &str,
    settings: &QueueSettings,
    runtime: &Handle,
    send: impl Fn(Payload) -> F + Send + 'static,
) -> (Queue, Sending)
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
    let id: Arc<str> = id.into();
    (
        Queue { id: id.clone(), sender, waits: !settings.enabled, dropped: Arc::default() },
        Sending { id, task },
    )
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

impl Sending {
    /// Waits until everything in the queue has been sent or given up, at most `deadline`; what is left then is lost.
    /// Every clone of the queue must be gone before.
    pub async fn finish(mut self, deadline: Duration) {
        if tokio::time::timeout(deadline, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!(
                "{}: the endpoint did not take what was left within {deadline:?}; it is lost",
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

    type Sent = Arc<Mutex<Vec<usize>>>;

    /// A queue whose sender takes one request for each permit; what it took is in the list.
    fn gated(settings: &QueueSettings) -> ((Queue, Sending), Arc<Semaphore>, Sent) {
        let gate = Arc::new(Semaphore::new(0));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (gate_of_task, sent_of_task) = (gate.clone(), sent.clone());
        let queue = start("test", settings, &Handle::current(), move |payload: Payload| {
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
        let ((queue, sending), gate, sent) = gated(&QueueSettings { enabled: true, queue_size: 2 });
        queue.push(payload(1));
        queue.push(payload(2));
        // The task has not run yet: this test has the only thread.
        queue.push(payload(30));
        queue.push(payload(400));
        assert_eq!(queue.dropped_items(), 430);
        gate.add_permits(10);
        drop(queue);
        sending.finish(Duration::from_secs(10)).await;
        assert_eq!(*sent.lock().unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn flush_gives_up_at_its_deadline() {
        let ((queue, sending), _gate, sent) = gated(&QueueSettings { enabled: true, queue_size: 2 });
        queue.push(payload(1));
        drop(queue);
        sending.finish(Duration::from_millis(10)).await;
        assert!(sent.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn without_a_queue_the_caller_waits_and_nothing_is_dropped() {
        let ((queue, sending), gate, sent) = gated(&QueueSettings { enabled: false, queue_size: 1 });
        let pushed = tokio::task::spawn_blocking(move || {
            for items in 1..=5 {
                queue.push(payload(items));
            }
            queue
        });
        gate.add_permits(5);
        let queue = pushed.await.unwrap();
        assert_eq!(queue.dropped_items(), 0);
        drop(queue);
        sending.finish(Duration::from_secs(10)).await;
        assert_eq!(*sent.lock().unwrap(), [1, 2, 3, 4, 5]);
    }
}
