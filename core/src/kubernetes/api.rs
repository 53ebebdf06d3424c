//! One call to the API server: a page of a list, a watch, or a single document.
//!
//! Calls go through kube's client below its typed API, because what decides how to go on is in the parts that the typed
//! API hides: `Retry-After` of a server that is busy, and where in the body something went wrong.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connect::chain;
use super::figures::Figures;

/// How long an answer may take to begin, and then to go on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Objects on a page: decoded, a page of large pods is a few megabytes.
pub(super) const PAGE_SIZE: u32 = 250;
/// The longest page: 250 objects of the largest size that etcd takes would be three times that.
const MAX_PAGE_BYTES: usize = 128 << 20;
/// The longest event of a watch: etcd's limit of 1.5 MiB an object, as JSON with room to spare.
const MAX_EVENT_BYTES: usize = 8 << 20;
/// The longest message of an error that is kept.
const MAX_ERROR_BYTES: usize = 16 << 10;
/// When to come back where a server that is busy does not say.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Reads one document.
    Get,
    /// Reads a page of a list.
    List,
    /// Follows what happens.
    Watch,
}

impl Operation {
    /// The verb that a role has to give.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// 401: the server does not know who asks.
    #[error("the API server does not accept the account (renew its token or kubeconfig): {0}")]
    Unauthorized(String),
    /// 403.
    #[error("{0}")]
    Denied(String),
    /// 404: there is no such resource, or object.
    #[error("not served")]
    NotServed,
    /// 410: what was asked for is too long ago.
    #[error("the version is too old")]
    Gone,
    /// 429, or 503 with a time.
    #[error("the API server is busy")]
    Busy(Duration),
    /// Another answer that is none.
    #[error("the API server answers {0}: {1}")]
    Refused(u16, String),
    /// No answer, or one that broke off.
    #[error("the API server is not reachable: {0}")]
    Unreachable(String),
    /// An answer that is none of the API.
    #[error("the API server's answer cannot be read: {0}")]
    Malformed(String),
}

/// Makes calls and counts them.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    figures: Arc<Figures>,
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page {
    body: Vec<u8>,
}

/// What a page says.
#[derive(Debug, Deserialize)]
pub(super) struct PageContent<'a> {
    #[serde(default)]
    pub(super) metadata: ListMeta,
    /// Objects, not yet decoded.
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

/// `metadata` of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    /// Version of the whole list: where a watch goes on.
    #[serde(default)]
    pub(super) resource_version: String,
    /// Token for the next page; empty or absent on the last one.
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

/// What to list or watch: a path and how to narrow it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Name of the resource, for metrics.
    pub(super) resource: &'static str,
    /// Path without query.
    pub(super) path: String,
    /// Only the metadata of the objects.
    pub(super) metadata_only: bool,
    /// Only objects whose fields are so.
    pub(super) field_selector: Option<String>,
}

impl Api {
    pub(super) fn new(client: Client, figures: Arc<Figures>) -> Self {
        Self { client, figures }
    }

    /// A page of a list: the first, or the one that a token stands for.
    pub(super) async fn list(&self, target: &Target, next: Option<&str>) -> Result<Page, CallError> {
        self.figures.call(target.resource, Operation::List);
        let mut params = ListParams::default().limit(PAGE_SIZE);
        params.field_selector.clone_from(&target.field_selector);
        params.continue_token = next.map(str::to_owned);
        let request = kube::core::Request::new(&target.path);
        let request =
            if target.metadata_only { request.list_metadata(&params) } else { request.list(&params) };
        let response = self.send(request).await?;
        Ok(Page { body: body(response, MAX_PAGE_BYTES).await? })
    }

    /// What happens from a version on, for as long as is asked for; it is hung when it lasts longer than `grace` more.
    pub(super) async fn watch(
        &self,
        target: &Target,
        version: &str,
        length: Duration,
        grace: Duration,
    ) -> Result<Events, CallError> {
        self.figures.call(target.resource, Operation::Watch);
        let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX).max(1);
        let mut params = WatchParams::default().timeout(seconds);
        params.field_selector.clone_from(&target.field_selector);
        let request = kube::core::Request::new(&target.path);
        let request = if target.metadata_only {
            request.watch_metadata(&params, version)
        } else {
            request.watch(&params, version)
        };
        let ends_by = tokio::time::Instant::now() + length + grace;
        let response = self.send(request).await?;
        Ok(Events { body: response.into_body(), ends_by, buffer: Vec::new(), start: 0, searched: 0 })
    }

    /// A single document.
    pub(super) async fn get<T: serde::de::DeserializeOwned>(
        &self,
        resource: &'static str,
        path: &str,
    ) -> Result<T, CallError> {
        self.figures.call(resource, Operation::Get);
        let request = Request::get(path).body(Vec::new());
        let response = self.send(request.map_err(kube::core::request::Error::BuildRequest)).await?;
        let body = body(response, MAX_PAGE_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Malformed(error.to_string()))
    }

    /// The answer to a question, which changes nothing (a review).
    #[cfg(feature = "cli")]
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        question: &impl serde::Serialize,
    ) -> Result<T, CallError> {
        let question =
            serde_json::to_vec(question).map_err(|error| CallError::Malformed(error.to_string()))?;
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(question);
        let response = self.send(request.map_err(kube::core::request::Error::BuildRequest)).await?;
        let body = body(response, MAX_PAGE_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Malformed(error.to_string()))
    }

    async fn send(
        &self,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Response<Body>, CallError> {
        let request = request.map_err(|error| CallError::Malformed(error.to_string()))?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.client.send(request.map(Body::from)));
        let response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(kube::Error::Service(error))) => return Err(CallError::Unreachable(chain(&*error))),
            Ok(Err(error)) => return Err(CallError::Unreachable(chain(&error))),
            Err(_) => return Err(CallError::Unreachable(format!("no answer within {ANSWER_TIMEOUT:?}"))),
        };
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

impl Page {
    /// What it says.
    pub(super) fn content(&self) -> Result<PageContent<'_>, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| CallError::Malformed(error.to_string()))
    }
}

/// `Status` of the API, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) message: String,
}

impl Status {
    /// The error that it stands for.
    pub(super) fn error(self) -> CallError {
        match self.code {
            401 => CallError::Unauthorized(self.message),
            403 => CallError::Denied(self.message),
            404 => CallError::NotServed,
            410 => CallError::Gone,
            429 => CallError::Busy(BUSY_WAIT),
            code => CallError::Refused(code, self.message),
        }
    }
}

/// The error that an answer stands for.
async fn refusal(response: Response<Body>) -> CallError {
    let status = response.status();
    let wait = response.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let wait = wait.map(Duration::from_secs);
    let text = body(response, MAX_ERROR_BYTES).await.unwrap_or_default();
    let message = match serde_json::from_slice::<Status>(&text) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(&text).trim().to_owned(),
    };
    match (status, wait) {
        (StatusCode::TOO_MANY_REQUESTS, wait) => CallError::Busy(wait.unwrap_or(BUSY_WAIT)),
        (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) => CallError::Busy(wait),
        (status, _) => Status { code: status.as_u16(), message }.error(),
    }
}

async fn body(response: Response<Body>, most: usize) -> Result<Vec<u8>, CallError> {
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = next_data(&mut body, ANSWER_TIMEOUT).await? {
        if all.len() + data.len() > most {
            return Err(CallError::Malformed(format!("it is longer than {most} bytes")));
        }
        all.extend_from_slice(&data);
    }
    Ok(all)
}

/// The next part of a body; nothing at its end.
async fn next_data(
    body: &mut Body,
    timeout: Duration,
) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, CallError> {
    loop {
        let Ok(frame) = tokio::time::timeout(timeout, body.frame()).await else {
            return Err(CallError::Unreachable(format!("nothing came for {timeout:?}")));
        };
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(CallError::Unreachable(chain(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Events of a watch: lines of JSON.
pub(super) struct Events {
    body: Body,
    /// A watch that lasts longer than was asked for is hung.
    ends_by: tokio::time::Instant,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to here there is no end of a line.
    searched: usize,
}

/// One event.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    /// What happened.
    #[serde(rename = "type")]
    pub(super) kind: EventKind,
    /// To which object, not yet decoded.
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum EventKind {
    /// It is there, or came into what is watched.
    Added,
    /// It changed.
    Modified,
    /// It went, or left what is watched.
    Deleted,
    /// Nothing, but the version is so.
    Bookmark,
    /// The watch cannot go on.
    Error,
    /// Something that later API servers may tell.
    #[serde(other)]
    Unknown,
}

impl Events {
    /// The next event; nothing at the end of the watch.
    pub(super) async fn next(&mut self) -> Result<Option<Event<'_>>, CallError> {
        let end = loop {
            let unread = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(length) = unread.iter().position(|byte| *byte == b'\n') {
                break self.searched + length;
            }
            self.searched = self.buffer.len();
            if !self.fill().await? {
                return Ok(None);
            }
        };
        let line = self.start..end;
        self.start = end + 1;
        self.searched = self.start;
        let line = self.buffer.get(line).unwrap_or_default();
        serde_json::from_slice(line).map(Some).map_err(|error| CallError::Malformed(error.to_string()))
    }

    /// Whether another event is there without waiting.
    pub(super) fn has_more(&self) -> bool {
        self.buffer.get(self.start..).unwrap_or_default().contains(&b'\n')
    }

    /// Reads on; false at the end.
    async fn fill(&mut self) -> Result<bool, CallError> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.len() > MAX_EVENT_BYTES {
            return Err(CallError::Malformed(format!("an event is longer than {MAX_EVENT_BYTES} bytes")));
        }
        let left = self.ends_by.saturating_duration_since(tokio::time::Instant::now());
        match next_data(&mut self.body, left).await? {
            Some(data) => self.buffer.extend_from_slice(&data),
            None => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8]) -> Events {
        let ends_by = tokio::time::Instant::now() + Duration::from_mins(1);
        Events { body: Body::from(bytes.to_vec()), ends_by, buffer: Vec::new(), start: 0, searched: 0 }
    }

    async fn kinds(bytes: &[u8]) -> (Vec<EventKind>, Result<(), CallError>) {
        let mut events = events(bytes);
        let mut kinds = Vec::new();
        loop {
            match events.next().await {
                Ok(Some(event)) => kinds.push(event.kind),
                Ok(None) => return (kinds, Ok(())),
                Err(error) => return (kinds, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn a_line_is_an_event_and_half_a_line_at_the_end_is_none() {
        let bytes = b"{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"NEWS\",\"object\":1}\n{\"type\":\"DEL";
        let (kinds, end) = kinds(bytes).await;
        assert_eq!(kinds, [EventKind::Added, EventKind::Unknown]);
        assert!(end.is_ok());
    }

    #[tokio::test]
    async fn a_line_that_is_no_event_is_an_error() {
        for line in ["{}\n", "\n", "nonsense\n", "{\"type\":5,\"object\":{}}\n", "\u{0}\n"] {
            let (kinds, end) = kinds(line.as_bytes()).await;
            assert!(kinds.is_empty() && matches!(end, Err(CallError::Malformed(_))), "{line:?}");
        }
    }

    #[tokio::test]
    async fn an_event_without_an_end_is_given_up() {
        let (kinds, end) = kinds(&vec![b' '; MAX_EVENT_BYTES + 1]).await;
        assert!(kinds.is_empty() && matches!(end, Err(CallError::Malformed(_))), "{end:?}");
    }

    #[tokio::test]
    async fn a_page_without_an_end_is_given_up() {
        let response = Response::new(Body::from(vec![b' '; 100]));
        assert!(matches!(body(response, 99).await, Err(CallError::Malformed(_))));
    }

    #[test]
    fn a_page_is_read_whatever_is_left_out() {
        let page = |json: &str| Page { body: json.as_bytes().to_vec() };
        let empty = page(r#"{"metadata":{},"items":null}"#);
        assert!(empty.content().unwrap().items.unwrap_or_default().is_empty());
        let more =
            page(r#"{"kind":"List","metadata":{"resourceVersion":"7","continue":"t"},"items":[{"a":1},2]}"#);
        let content = more.content().unwrap();
        assert_eq!((&*content.metadata.resource_version, content.metadata.next.as_deref()), ("7", Some("t")));
        assert_eq!(content.items.unwrap().len(), 2);
        assert!(matches!(page("[").content(), Err(CallError::Malformed(_))));
    }
}
