//! Whom to trust: `kube-public/cluster-info`, read from a server that nobody vouches for yet and believed for the
//! signature that only a holder of the token can make. This is what `kubeadm join` does.

use coracle_apimachinery::{Value, base64, json, yaml};
use coracle_client::object::items;
use coracle_controllers::bootstrap_signer::{CONTENT, NAME, NAMESPACE, PREFIX, jws};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::error::Error;
use super::host::Host;
use super::{Token, answered};
use crate::connection::Answer;

/// The authority of the device.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) pem: String,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// Where it lies.
pub(super) fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")
}

/// The authority that a signed answer names.
pub(super) fn read(host: &Host, token: &Token, answer: &Answer) -> Result<Authority, Error> {
    if answer.status == 404 {
        return Err(Error::NoClusterInfo(host.clone()));
    }
    let map = answered(host, answer)?;
    let content = map.text_at(&["data", CONTENT]);
    let signature = map.at(&["data", &format!("{PREFIX}{}", token.id)]).and_then(Value::as_str);
    let Some(signature) = signature else { return Err(Error::Unsigned(host.clone(), token.id.clone())) };
    if !jws::verify(signature, content, &token.id, token.secret.as_bytes()) {
        return Err(Error::Forged(host.clone(), token.id.clone()));
    }
    authority(content).map_err(|why| Error::Nonsense(host.clone(), why))
}

/// The authority of the one cluster of a kubeconfig.
fn authority(kubeconfig: &str) -> Result<Authority, String> {
    let tree = yaml::decode_any(kubeconfig.as_bytes()).map_err(|error| error.to_string())?;
    let [cluster] = items(&tree, &["clusters"]) else { return Err("cluster-info names not one cluster".to_owned()) };
    let pem = base64::decode(cluster.text_at(&["cluster", "certificate-authority-data"])).unwrap_or_default();
    let pem = String::from_utf8(pem).map_err(|error| format!("the authority of cluster-info is no PEM: {error}"))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|error| format!("the authority of cluster-info is no PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("cluster-info names no authority".to_owned());
    }
    Ok(Authority { pem, certificates })
}

/// The tree of a JSON answer.
pub(super) fn tree(host: &Host, body: &[u8]) -> Result<Value, Error> {
    json::decode_any(body).map_err(|error| Error::Nonsense(host.clone(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `k8s.io/cluster-bootstrap`, as in the tests of the signer.
    const SIGNATURE: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..n-AhRUkKWxdV_mQGG1h0QnD_8Wm0paifP3RTMyq9Edo";
    const KUBECONFIG: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n    server: https://192.0.2.1:6443\n  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n";

    fn answer(code: u16, data: &[(&str, &str)]) -> Answer {
        let members: Vec<String> = data.iter().map(|(name, text)| format!("{name:?}:{text:?}")).collect();
        let body = format!(r#"{{"data":{{{}}},"message":"m"}}"#, members.join(","));
        Answer { status: http::StatusCode::from_u16(code).unwrap(), body: body.into() }
    }

    fn read_with(token: &str, answer: &Answer) -> Result<Authority, Error> {
        read(&Host::parse("h").unwrap(), &token.parse().unwrap(), answer)
    }

    #[test]
    fn only_what_the_token_signed_is_believed() {
        const GOOD: &str = "abcdef.0123456789abcdef";
        const KEY: &str = "jws-kubeconfig-abcdef";
        let signed = answer(200, &[(CONTENT, KUBECONFIG), (KEY, SIGNATURE)]);
        let authority = read_with(GOOD, &signed).unwrap();
        assert_eq!(authority.pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(authority.certificates.len(), 1);

        let changed = KUBECONFIG.replace("192.0.2.1", "192.0.2.2");
        let table = [
            ("abcdef.0123456789abcdee", signed, "REFUSED", false),
            ("fedcba.0123456789abcdef", answer(200, &[(CONTENT, KUBECONFIG), (KEY, SIGNATURE)]), "does not know", true),
            (GOOD, answer(200, &[(CONTENT, &changed), (KEY, SIGNATURE)]), "REFUSED", false),
            (GOOD, answer(200, &[(KEY, SIGNATURE)]), "REFUSED", false),
            (GOOD, answer(200, &[(CONTENT, KUBECONFIG), (KEY, "")]), "REFUSED", false),
            (GOOD, answer(200, &[(CONTENT, KUBECONFIG)]), "does not know", true),
            (GOOD, answer(404, &[]), "publishes no", true),
            (GOOD, answer(503, &[]), "not ready", true),
            (GOOD, answer(429, &[]), "not ready", true),
            (GOOD, answer(403, &[]), "refuses the request: m", false),
            (GOOD, Answer { status: http::StatusCode::OK, body: "<html>".into() }, "is not understood", false),
        ];
        for (token, answer, wanted, may_pass) in table {
            let error = read_with(token, &answer).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
            assert_eq!(error.may_pass(), may_pass, "{error}");
        }
    }

    #[test]
    fn one_cluster_names_the_authority() {
        for (text, why) in [
            ("clusters: []", "not one cluster"),
            ("clusters: [{}, {}]", "not one cluster"),
            ("clusters: [{cluster: {}}]", "no authority"),
            ("clusters: [{cluster: {certificate-authority-data: QQ==}}]", "no authority"),
            ("{", "yaml"),
        ] {
            let error = authority(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
