//! The answer to a write that another thread completes: a future for async callers, a wait for plain threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::Error;

/// Resolves once, with the outcome of the operation. Needs no runtime.
#[derive(Debug)]
#[must_use = "the write is decided only when the completion resolves"]
pub struct Completion<T> {
    slot: Arc<Slot<T>>,
}

/// The side that resolves the completion; dropping it unresolved answers [`Error::Closed`].
#[derive(Debug)]
pub(crate) struct Responder<T> {
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    state: Mutex<State<T>>,
    resolved: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Resolved(Result<T, Error>),
    Taken,
}

/// A completion and the side that resolves it.
pub(crate) fn pair<T>() -> (Responder<T>, Completion<T>) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)), resolved: Condvar::new() });
    (Responder { slot: Arc::clone(&slot) }, Completion { slot })
}

impl<T> Completion<T> {
    /// A completion that is resolved from the beginning.
    pub(crate) fn ready(result: Result<T, Error>) -> Self {
        Self { slot: Arc::new(Slot { state: Mutex::new(State::Resolved(result)), resolved: Condvar::new() }) }
    }

    /// Blocks the calling thread until the outcome is known. Not for async tasks: those await.
    ///
    /// # Errors
    /// The error of the operation.
    pub fn wait(self) -> Result<T, Error> {
        let mut state = self.slot.lock();
        loop {
            if let Some(result) = state.take() {
                return result;
            }
            state = self.slot.resolved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Future for Completion<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        match state.take() {
            Some(result) => Poll::Ready(result),
            None => {
                *state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl<T> Responder<T> {
    /// Gives the outcome to whoever waits.
    pub(crate) fn resolve(self, result: Result<T, Error>) {
        self.slot.resolve(result);
    }
}

impl<T> Drop for Responder<T> {
    fn drop(&mut self) {
        self.slot.resolve(Err(Error::Closed));
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first outcome wins; `Drop` after `resolve` changes nothing.
    fn resolve(&self, result: Result<T, Error>) {
        let mut state = self.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Resolved(result);
            drop(state);
            self.resolved.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> State<T> {
    /// Takes the outcome, if there is one. A second poll after the outcome was taken answers `Closed`.
    fn take(&mut self) -> Option<Result<T, Error>> {
        match self {
            Self::Waiting(_) => None,
            Self::Taken => Some(Err(Error::Closed)),
            Self::Resolved(_) => match std::mem::replace(self, Self::Taken) {
                Self::Resolved(result) => Some(result),
                Self::Waiting(_) | Self::Taken => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_once_for_waiter_and_future() {
        let (responder, completion) = pair::<u32>();
        let waiter = std::thread::spawn(move || completion.wait());
        responder.resolve(Ok(7));
        assert_eq!(waiter.join().unwrap().unwrap(), 7);

        let (responder, mut completion) = pair::<u32>();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut completion).poll(&mut cx).is_pending());
        responder.resolve(Ok(8));
        assert!(matches!(Pin::new(&mut completion).poll(&mut cx), Poll::Ready(Ok(8))));
    }

    #[test]
    fn a_dropped_responder_means_closed() {
        let (responder, completion) = pair::<u32>();
        drop(responder);
        assert!(matches!(completion.wait(), Err(Error::Closed)));
    }
}
