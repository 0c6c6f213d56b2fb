//! Watches: the present state where it is asked for, then every change of the scope, until the time is up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::status::Status;
use coracle_store::{Change, Error, Event as StoreEvent, Revision, Watcher};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::list::{Filter, scope, version, version_failure};
use super::request::Options;
use crate::registry::Row;
use crate::stored::Object;

/// Time between two bookmarks of a quiet watch.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// How long a watch lives when the client names no time; the real server takes between once and twice as long.
const DEFAULT_LIFE: Duration = Duration::from_mins(30);

/// One event of a watch.
#[derive(Debug)]
pub enum Event {
    /// An object came into the selection.
    Added(Object),
    /// An object of the selection changed.
    Modified(Object),
    /// An object left the selection.
    Deleted(Object),
    /// Everything up to this revision has been sent; the flag marks the end of the initial events.
    Bookmark(u64, bool),
    /// The watch cannot go on.
    Error(Status),
}

/// The events of one watch.
#[derive(Debug)]
pub struct Events {
    api: Api,
    row: Arc<Row>,
    filter: Filter,
    watcher: Option<Watcher>,
    ready: VecDeque<Event>,
    bookmarks: bool,
    next_bookmark: Instant,
    last_bookmark: u64,
    ends: Instant,
}

/// Begins a watch.
///
/// # Errors
/// A selector or a version cannot be used.
pub(crate) fn watch(api: &Api, row: &Arc<Row>, namespace: &str, options: &Options) -> Result<Events, Status> {
    let filter = Filter::new(row, options)?;
    let scope = scope(row, namespace);
    let requested = version(&options.resource_version)?;
    let snapshot = api.store().snapshot();
    let current = snapshot.revision();
    let mut ready = VecDeque::new();
    // Without a version, or with 0, a watch begins with what is there, unless the client says that it does not want it.
    let initial = options.send_initial_events.unwrap_or(requested == 0);
    let from = if initial || requested == 0 { current } else { Revision::from_u64(requested) };
    if requested > current.as_u64() {
        return Err(version_failure(&Error::Future { requested: Revision::from_u64(requested), current }, requested));
    }
    if initial {
        for entry in snapshot.range(&scope, None) {
            let object = Object::of_entry(entry);
            if filter.matches(api, row, &object)? {
                ready.push_back(Event::Added(object));
            }
        }
    }
    if options.send_initial_events == Some(true) && options.bookmarks {
        ready.push_back(Event::Bookmark(current.as_u64(), true));
    }
    let watcher = match api.store().watch(scope, from) {
        Ok(watcher) => Some(watcher),
        Err(error @ Error::Compacted { .. }) => {
            // The real server answers 200 and says in the stream that the version is gone.
            ready.push_back(Event::Error(version_failure(&error, requested)));
            None
        }
        Err(error) => return Err(version_failure(&error, requested)),
    };
    let now = Instant::now();
    Ok(Events {
        api: api.clone(),
        row: Arc::clone(row),
        filter,
        watcher,
        ready,
        bookmarks: options.bookmarks,
        next_bookmark: now + BOOKMARK_EVERY,
        last_bookmark: current.as_u64(),
        ends: now + options.timeout.unwrap_or(DEFAULT_LIFE),
    })
}

impl Events {
    /// The next event; `None` when the watch is over.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let deadline = if self.bookmarks { self.next_bookmark.min(self.ends) } else { self.ends };
            let watcher = self.watcher.as_mut()?;
            match timeout_at(deadline, watcher.next()).await {
                Ok(Ok(change)) => self.take(&change),
                Ok(Err(Error::Closed)) => return None,
                Ok(Err(error)) => {
                    self.watcher = None;
                    self.ready.push_back(Event::Error(version_failure(&error, self.last_bookmark)));
                }
                Err(_) if Instant::now() >= self.ends => return None,
                Err(_) => self.bookmark(),
            }
        }
    }

    fn bookmark(&mut self) {
        self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
        let reached = self.watcher.as_mut().and_then(Watcher::bookmark);
        if let Some(revision) = reached.map(Revision::as_u64).filter(|revision| *revision > self.last_bookmark) {
            self.last_bookmark = revision;
            self.ready.push_back(Event::Bookmark(revision, false));
        }
    }

    fn take(&mut self, change: &Change) {
        let revision = change.revision.as_u64();
        for event in &change.events {
            match self.seen(event, revision) {
                Ok(Some(event)) => self.ready.push_back(event),
                Ok(None) => {}
                Err(status) => {
                    self.watcher = None;
                    self.ready.push_back(Event::Error(status));
                    return;
                }
            }
        }
    }

    /// What a change looks like through the selectors.
    fn seen(&self, event: &StoreEvent, revision: u64) -> Result<Option<Event>, Status> {
        let wanted = |object: &Object| self.filter.matches(&self.api, &self.row, object);
        let new = event.entry().map(|entry| Object::of_entry(entry));
        // An object that leaves is shown as it was last, at the revision at which it left.
        let old = event.previous().map(|entry| (Object::of_entry(entry), Object::at(entry, revision)));
        let was = match &old {
            Some((before, _)) => wanted(before)?,
            None => false,
        };
        let is = match &new {
            Some(object) => wanted(object)?,
            None => false,
        };
        Ok(match (was, is, new, old) {
            (false, true, Some(object), _) => Some(Event::Added(object)),
            (true, true, Some(object), _) => Some(Event::Modified(object)),
            (true, false, _, Some((_, object))) => Some(Event::Deleted(object)),
            _ => None,
        })
    }
}
