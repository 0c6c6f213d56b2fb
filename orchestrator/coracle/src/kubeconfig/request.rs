//! Asking the device for the certificate, and waiting for it.

use bytes::{Bytes, BytesMut};
use coracle_apimachinery::{Value, base64};
use coracle_client::first_contact::SIGNER;
use coracle_client::object::condition;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::error::Error;
use super::host::Host;
use super::{Token, answered, discovery};
use crate::connection::{Answer, Connection};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// Longest event of a watch that is read, in bytes.
const MAX_EVENT: usize = 1024 * 1024;

/// Seconds that one watch lasts.
const WATCH: u64 = 60;

/// A request under way. The name stays the same for all attempts, so that an attempt whose answer was lost is found.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    pub(super) host: &'a Host,
    pub(super) token: &'a Token,
    pub(super) name: &'a str,
    /// The request as PEM.
    pub(super) pem: &'a str,
}

impl Pending<'_> {
    /// The certificate as PEM; `sent` becomes true before the device can have seen the request.
    pub(super) async fn certificate(&self, connection: &mut Connection, sent: &mut bool) -> Result<String, Error> {
        let mut csr = if *sent { self.get(connection).await? } else { None };
        if csr.is_none() {
            *sent = true;
            csr = Some(self.create(connection).await?);
        }
        loop {
            let Some(tree) = csr else { return Err(Error::Removed(self.host.clone())) };
            if let Some(certificate) = self.outcome(&tree)? {
                return Ok(certificate);
            }
            if let Some(certificate) = self.watch(connection, tree.text_at(&["metadata", "resourceVersion"])).await? {
                return Ok(certificate);
            }
            csr = self.get(connection).await?;
        }
    }

    async fn create(&self, connection: &mut Connection) -> Result<Value, Error> {
        let (name, request) = (self.name, base64::encode(self.pem.as_bytes()));
        let body = format!(
            r#"{{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{{"name":"{name}"}},"spec":{{"request":"{request}","signerName":"{SIGNER}","usages":["client auth","digital signature"]}}}}"#
        );
        answered(self.host, &self.ask(connection, Method::POST, REQUESTS, body).await?)
    }

    /// The request as the device has it, if it has it.
    async fn get(&self, connection: &mut Connection) -> Result<Option<Value>, Error> {
        let path = format!("{REQUESTS}/{}", self.name);
        let answer = self.ask(connection, Method::GET, &path, String::new()).await?;
        // Whoever may read only what is his may not even ask for what is not there.
        if answer.status == 404 || answer.status == 403 {
            return Ok(None);
        }
        answered(self.host, &answer).map(Some)
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Answer, Error> {
        let request = self.request(method, path, body)?;
        connection.ask(request).await.map_err(|error| Error::Unreachable(self.host.clone(), error))
    }

    fn request(&self, method: Method, path: &str, body: String) -> Result<Request<Full<Bytes>>, Error> {
        let Token { id, secret } = self.token;
        let builder = Request::builder().method(method).uri(path).header("host", self.host.to_string());
        let builder = builder.header("authorization", format!("Bearer {id}.{secret}"));
        let builder = builder.header("accept", "application/json").header("content-type", "application/json");
        builder.body(body.into()).map_err(|error| Error::Nonsense(self.host.clone(), error.to_string()))
    }

    /// Follows the request until there is a certificate, or until the device ends the watch.
    async fn watch(&self, connection: &mut Connection, version: &str) -> Result<Option<String>, Error> {
        let path = format!(
            "{REQUESTS}?watch=1&fieldSelector=metadata.name%3D{}&resourceVersion={version}&timeoutSeconds={WATCH}",
            self.name
        );
        let unreachable = |error| Error::Unreachable(self.host.clone(), error);
        let request = self.request(Method::GET, &path, String::new())?;
        let response = connection.send(request).await.map_err(unreachable)?;
        if !response.status().is_success() {
            let answer = Connection::read(response).await.map_err(unreachable)?;
            return answered(self.host, &answer).map(|_| None);
        }
        let mut body = response.into_body();
        let mut read = BytesMut::new();
        while let Some(event) = self.event(&mut body, &mut read).await? {
            let object = event.at(&["object"]).unwrap_or(&Value::Null);
            match event.text_at(&["type"]) {
                "ADDED" | "MODIFIED" => {
                    if let Some(certificate) = self.outcome(object)? {
                        return Ok(Some(certificate));
                    }
                }
                "DELETED" => return Err(Error::Removed(self.host.clone())),
                // The history does not reach back so far: the request is read anew.
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The next event, which is a line of its own; nothing at the end of the watch.
    async fn event(&self, body: &mut Incoming, read: &mut BytesMut) -> Result<Option<Value>, Error> {
        loop {
            if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line = read.split_to(end + 1);
                return discovery::tree(self.host, &line).map(Some);
            }
            if read.len() > MAX_EVENT {
                return Err(Error::Nonsense(self.host.clone(), "an event of a watch is longer than 1 MiB".to_owned()));
            }
            let Some(frame) = body.frame().await else { return Ok(None) };
            let unreachable = |error| Error::Unreachable(self.host.clone(), crate::connection::Error::Http(error));
            if let Ok(bytes) = frame.map_err(unreachable)?.into_data() {
                read.extend_from_slice(&bytes);
            }
        }
    }

    /// The certificate, or why there will be none; nothing while that is open.
    fn outcome(&self, csr: &Value) -> Result<Option<String>, Error> {
        for of in ["Denied", "Failed"] {
            if let Some(condition) = condition(csr, of) {
                let message = condition.text_at(&["message"]).to_owned();
                return Err(Error::Denied(self.host.clone(), message));
            }
        }
        let certificate = csr.text_at(&["status", "certificate"]);
        if certificate.is_empty() {
            return Ok(None);
        }
        let pem = base64::decode(certificate).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let nonsense = || Error::Nonsense(self.host.clone(), "the certificate is no PEM".to_owned());
        pem.map(Some).ok_or_else(nonsense)
    }
}
