//! The kubeconfig of a machine whose port has changed.

/// The same kubeconfig with another port on the loopback.
///
/// # Errors
/// It does not name exactly one server on 127.0.0.1.
pub fn with_port(text: &str, port: u16) -> Result<String, &'static str> {
    let mut found = 0;
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match at_port(line) {
            Some((before, after)) => {
                found += 1;
                format!("{before}{port}{after}")
            }
            None => line.to_owned(),
        })
        .collect();
    if found == 1 { Ok(lines.join("\n")) } else { Err("it does not name exactly one server on 127.0.0.1") }
}

/// What stands before and after the port in a line with the server.
fn at_port(line: &str) -> Option<(&str, &str)> {
    const ADDRESS: &str = "https://127.0.0.1:";
    let key = line.trim_start().trim_start_matches("- ").split(':').next()?;
    let at = line.find(ADDRESS).filter(|_| key.trim_matches('"') == "server")? + ADDRESS.len();
    let (before, rest) = line.split_at_checked(at)?;
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    (after.len() < rest.len()).then_some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: c2VydmVyOiBodHRwczovLzEyNy4wLjAuMTo2NDQz
    server: https://127.0.0.1:6443
    tls-server-name: kubernetes
  name: coracle
";

    #[test]
    fn only_the_port_of_the_server_changes() {
        let changed = with_port(TEXT, 6445).unwrap();
        assert_eq!(changed, TEXT.replace("127.0.0.1:6443", "127.0.0.1:6445"));
        assert_eq!(with_port(&changed, 6443).unwrap(), TEXT);
        for (line, want) in [
            ("- server: \"https://127.0.0.1:1\"", Ok("- server: \"https://127.0.0.1:7\"")),
            ("\"server\": \"https://127.0.0.1:65535\",", Ok("\"server\": \"https://127.0.0.1:7\",")),
            ("server: https://127.0.0.1:1/path", Ok("server: https://127.0.0.1:7/path")),
            ("server: https://192.0.2.1:6443", Err(())),
            ("server: https://127.0.0.1", Err(())),
            ("proxy-url: https://127.0.0.1:1", Err(())),
            ("server: https://127.0.0.1:1\nserver: https://127.0.0.1:2", Err(())),
            ("", Err(())),
        ] {
            assert_eq!(with_port(line, 7).as_deref().map_err(|_| ()), want, "{line}");
        }
    }
}
