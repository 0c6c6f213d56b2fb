//! Kernel settings of the network namespace that the calling thread is in.

use std::{fs, io, path::PathBuf};

use crate::Error;

/// Reads a setting such as `net/ipv4/ip_forward`; nothing if the kernel does not have it.
pub(crate) fn read(key: &str) -> Result<Option<String>, Error> {
    match fs::read_to_string(path(key)) {
        Ok(text) => Ok(Some(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { what: format!("reading {key}"), source }),
    }
}

/// Writes a setting.
pub(crate) fn write(key: &str, value: &str) -> Result<(), Error> {
    fs::write(path(key), value).map_err(Error::io(format!("setting {key} to {value}")))
}

/// The key as a path below `/proc/sys`, when it is one of the network: dots or slashes between plain words.
pub(crate) fn network_key(key: &str) -> Option<String> {
    // As sysctl does it: whichever of the two comes first is the separator, and the other one stands for it.
    let dotted = key.find(['.', '/']).is_some_and(|at| key.as_bytes().get(at) == Some(&b'.'));
    let swap = |letter| match letter {
        '.' if dotted => '/',
        '/' if dotted => '.',
        other => other,
    };
    let path: String = key.chars().map(swap).collect();
    let plain = |word: &str| {
        !word.is_empty()
            && word != "."
            && word != ".."
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    (path.starts_with("net/") && path.split('/').all(plain)).then_some(path)
}

fn path(key: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, path) in [
            ("net.ipv4.ip_unprivileged_port_start", Some("net/ipv4/ip_unprivileged_port_start")),
            ("net/ipv4/conf/eth0.1/mtu", Some("net/ipv4/conf/eth0.1/mtu")),
            ("net.ipv4.conf.eth0/1.mtu", Some("net/ipv4/conf/eth0.1/mtu")),
            ("kernel.shmmax", None),
            ("net/../kernel/shmmax", None),
            ("net..x", None),
            ("net./.x", None),
            ("net", None),
            ("net.", None),
        ] {
            assert_eq!(network_key(key).as_deref(), path, "{key}");
        }
    }
}
