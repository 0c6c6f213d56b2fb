//! Where the host itself gets Debian from: its apt sources, read at run time so that local mirrors are used.

use std::path::Path;

use crate::files;

/// One archive of the host's apt sources.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

/// The URI of the host's Debian mirror; `None` when its sources name none.
///
/// # Errors
/// A sources file exists but cannot be read.
pub fn find(etc_apt: &Path) -> Result<Option<String>, files::Error> {
    let mut paths = vec![etc_apt.join("sources.list")];
    let parts = etc_apt.join("sources.list.d");
    if parts.is_dir() {
        paths.extend(files::list(&parts)?);
    }
    for path in paths.iter().filter(|path| path.is_file()) {
        let read: fn(&str) -> Vec<Source> = match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => one_line,
            Some("sources") => deb822,
            _ => continue,
        };
        if let Some(source) = read(&files::read_text(path)?).into_iter().find(is_debian_main) {
            return Ok(Some(source.uri));
        }
    }
    Ok(None)
}

/// Whether a source is the main Debian archive of some release: the pool is one for all suites, so any of them will do.
/// The security archive is another host; third-party archives do not carry Debian's suites.
fn is_debian_main(source: &Source) -> bool {
    const SUITES: [&str; 8] =
        ["bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable", "bookworm-backports"];
    // Debian's cloud images name their mirrors in a file: mirror+file:///etc/apt/mirrors/debian.list.
    let name = source.uri.trim_end_matches('/').trim_end_matches(".list");
    source.components.iter().any(|component| component == "main")
        && source.suites.iter().any(|suite| SUITES.contains(&suite.as_str()))
        && name.ends_with("debian")
}

/// `deb [options] URI SUITE COMPONENT...` lines.
fn one_line(text: &str) -> Vec<Source> {
    let line = |line: &str| {
        let rest = line.trim().strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let uri = words.next()?;
        let suites = vec![words.next()?];
        Some(Source { uri, suites, components: words.take_while(|word| !word.starts_with('#')).collect() })
    };
    text.lines().filter_map(line).collect()
}

/// Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`.
fn deb822(text: &str) -> Vec<Source> {
    let stanza = |stanza: &str| {
        let field = |name: &str| -> Vec<String> {
            let values = stanza.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then_some(value)
            });
            values.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let enabled = !field("Enabled").iter().any(|value| value == "no");
        let uri = field("URIs").into_iter().next().filter(|_| enabled && field("Types").iter().any(|t| t == "deb"))?;
        Some(Source { uri, suites: field("Suites"), components: field("Components") })
    };
    // Any number of blank lines separates stanzas.
    text.split("\n\n").filter_map(stanza).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let parts = directory.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(parts.join(name), text).unwrap();
        find(directory.path()).unwrap()
    }

    #[test]
    fn the_hosts_mirror_is_found_in_both_formats() {
        let table = [
            ("a.list", "deb http://mirror.test/debian trixie main contrib\n", Some("http://mirror.test/debian")),
            (
                "a.list",
                "deb [arch=amd64 signed-by=/k] http://m.test/debian/ bookworm main\n",
                Some("http://m.test/debian/"),
            ),
            ("a.list", "deb http://m.test/debian-security trixie-security main\n", None),
            ("a.list", "#deb http://m.test/debian trixie main\ndeb-src http://m.test/debian trixie main\n", None),
            ("a.list", "deb https://apt.test/stable-tool stable main\n", None),
            (
                "a.sources",
                "Types: deb\nURIs: http://s.test/debian-security\nSuites: trixie-security\nComponents: main\n\n\
                 Types: deb deb-src\nURIs: http://m.test/debian\nSuites: trixie trixie-updates\nComponents: main\n",
                Some("http://m.test/debian"),
            ),
            (
                "a.sources",
                "Types: deb\n# a remark\nURIs: http://m.test/debian\nSuites: sid\nComponents: main\nEnabled: no\n",
                None,
            ),
            (
                "a.sources",
                "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: trixie\nComponents: main\n",
                Some("mirror+file:///etc/apt/mirrors/debian.list"),
            ),
            ("a.save", "deb http://m.test/debian trixie main\n", None),
        ];
        for (name, text, want) in table {
            assert_eq!(found(name, text).as_deref(), want, "{text}");
        }
    }
}
