//! Blobs, verified while they come and continued where they broke off.

use bytes::Bytes;
use coracle_image_layout::Descriptor;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use tokio::sync::mpsc;

use super::connection::Answer;
use super::error::Failure;
use super::{Client, Who, keep_heavier, wait};
use crate::blocking;
use crate::content::{self, Content, Writer};
use crate::flight::Held;
use crate::reference::Reference;
use crate::registries::Endpoint;

/// Chunks that wait for the disk.
const WAITING: usize = 16;
/// So many bytes of progress start the count of tries again.
const PROGRESS: u64 = 1 << 20;

impl Client {
    /// Brings a blob into the store.
    pub(crate) async fn download(
        &self,
        image: &Reference,
        blob: &Descriptor,
        content: &Content,
        who: Who<'_>,
        held: Held,
    ) -> Result<(), Failure> {
        let (digest, size, store) = (blob.digest, blob.size, content.clone());
        let mut writer = blocking(move || store.writer(digest, size)).await??;
        writer.hold(held);
        let mut worst = None;
        for endpoint in self.registries.endpoints(image.registry()) {
            let outcome;
            (writer, outcome) = self.download_from(&endpoint, image, blob, writer, who).await?;
            match outcome {
                Ok(()) => match blocking(move || writer.finish()).await? {
                    Ok(()) => return Ok(()),
                    Err(error) => return Err(error.into()),
                },
                Err(failure) => keep_heavier(&mut worst, failure),
            }
        }
        Err(worst.unwrap_or_else(|| super::error::missing(&blob.digest)))
    }

    /// Fills a writer from one endpoint. The writer comes back unless the disk fails.
    async fn download_from(
        &self,
        endpoint: &Endpoint,
        image: &Reference,
        blob: &Descriptor,
        mut writer: Writer,
        who: Who<'_>,
    ) -> Result<(Writer, Result<(), Failure>), Failure> {
        let mut tries = 0;
        while writer.length() < blob.size {
            tries += 1;
            let start = writer.length();
            let mut headers = HeaderMap::new();
            if start > 0 {
                let range = HeaderValue::from_str(&format!("bytes={start}-"));
                headers.extend(range.map(|range| (RANGE, range)));
            }
            let path = format!("blobs/{}", blob.digest);
            let failure = match self.try_at(endpoint, image, &path, Method::GET, headers, who).await {
                Ok(answer) => {
                    let outcome;
                    (writer, outcome) = receive(answer, writer).await?;
                    outcome.err().unwrap_or_else(|| Failure::Broken("unexpected EOF".to_owned()))
                }
                Err(Failure::NotFound(_)) => super::error::missing(&blob.digest),
                Err(Failure::Status { code: 416, .. }) if start > 0 => {
                    writer.restart()?;
                    Failure::Broken("range is not satisfiable".to_owned())
                }
                Err(failure) => return Ok((writer, Err(failure))),
            };
            if writer.length() == blob.size {
                break;
            }
            if failure.is_local() {
                return Err(failure);
            }
            if writer.length().saturating_sub(start) >= PROGRESS {
                tries = 1;
            }
            if let Err(failure) = wait(tries, failure).await {
                return Ok((writer, Err(failure)));
            }
        }
        Ok((writer, Ok(())))
    }
}

/// Writes a body while it comes. The writer comes back whatever happens, because what it has is continued.
async fn receive(mut answer: Answer, mut writer: Writer) -> Result<(Writer, Result<(), Failure>), Failure> {
    let start = writer.length();
    if answer.status == StatusCode::PARTIAL_CONTENT {
        if !continues(&answer.headers, start, writer.size()) {
            writer.restart()?;
            return Ok((writer, Err(Failure::Broken("unexpected range".to_owned()))));
        }
    } else if start > 0 {
        writer.restart()?;
    }
    let length = answer.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let (expected, rest) = (writer.size(), writer.size().saturating_sub(writer.length()));
    if let Some(found) = length.filter(|length| *length != rest) {
        let found = found.saturating_add(writer.length());
        return Ok((writer, Err(content::Error::Size { expected, found }.into())));
    }
    let (sender, mut receiver) = mpsc::channel::<Bytes>(WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        let mut outcome = Ok(());
        while let Some(chunk) = receiver.blocking_recv() {
            outcome = writer.write(&chunk);
            if outcome.is_err() {
                break;
            }
        }
        (writer, outcome)
    });
    let mut received = Ok(());
    loop {
        match answer.chunk().await {
            // The writer has stopped; its own error is told below.
            Ok(Some(chunk)) => {
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                received = Err(failure);
                break;
            }
        }
    }
    drop(sender);
    let (writer, written) = writing.await.map_err(|error| content::Error::Io(error.into()))?;
    Ok((writer, written.map_err(Failure::from).and(received)))
}

/// Whether a part of a body starts where we stopped.
fn continues(headers: &HeaderMap, start: u64, size: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes "));
    let Some((first, total)) = range.and_then(|range| Some((range.split('-').next()?, range.rsplit('/').next()?)))
    else {
        return false;
    };
    first.parse() == Ok(start) && (total == "*" || total.parse() == Ok(size))
}
