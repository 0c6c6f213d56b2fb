//! A container's log as the body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::OwnedSemaphorePermit;

use crate::front::Body;

/// Most bytes in one frame.
const PIECE: usize = 32 << 10;

/// What a node sends, frame by frame: whatever is there is sent at once.
struct Log {
    node: coracle_node_connection::Bytes,
    buffer: BytesMut,
    _place: OwnedSemaphorePermit,
}

/// The answer with a log. The node is let go when the client is gone, or at the end.
pub(super) fn response(node: coracle_node_connection::Bytes, place: OwnedSemaphorePermit) -> Response<Body> {
    let log = Log { node, buffer: BytesMut::new(), _place: place };
    let mut response = Response::new(log.boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

impl HttpBody for Log {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { node, buffer, .. } = self.get_mut();
        buffer.reserve(PIECE);
        let read = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(node, buffer));
        match ready!(std::future::Future::poll(read, cx)) {
            Ok(0) => Poll::Ready(None),
            Ok(_) => Poll::Ready(Some(Ok(Frame::data(buffer.split().freeze())))),
            // The status line is sent already: as upstream, the log just ends.
            Err(error) => {
                tracing::debug!(%error, "a log broke off");
                Poll::Ready(None)
            }
        }
    }
}
