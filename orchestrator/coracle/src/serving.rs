//! The serving certificate: what it names, and that it follows the addresses of the machine.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use coracle_auth::pki::Authorities;
use coracle_auth::tls::Serving;

use crate::addresses::{Changing, change};
use crate::control_plane::Tasks;

/// Names by which programs in the cluster and on this machine reach the API.
const NAMES: [&str; 5] =
    ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

/// Names and addresses that stay.
#[derive(Debug)]
struct Fixed {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// A certificate for the names and addresses that never change, for those in `more`, which the user adds, and for those
/// of the machine as they change.
///
/// # Errors
/// No certificate can be made.
pub(crate) fn follow(
    tasks: &mut Tasks,
    authorities: &Arc<Authorities>,
    api: Ipv4Addr,
    more: &[String],
    mut addresses: Changing,
) -> Result<Arc<Serving>, Box<dyn Error>> {
    let fixed = Fixed::new(api, more);
    let authorities = Arc::clone(authorities);
    let make = move |all: &[IpAddr]| {
        let names: Vec<&str> = fixed.names.iter().map(String::as_str).collect();
        authorities.serving(&names, &fixed.with(all))
    };
    let now = addresses.borrow_and_update().all.clone();
    let serving = Serving::new(&make(&now)?)?;
    let served = Arc::clone(&serving);
    tasks.spawn(async move {
        loop {
            change(&mut addresses).await;
            let all = addresses.borrow_and_update().all.clone();
            let replaced = make(&all).map_err(|error| error.to_string());
            let replaced = replaced.and_then(|made| served.replace(&made).map_err(|error| error.to_string()));
            replaced.map_err(|error| format!("no serving certificate for {all:?}: {error}"))?;
        }
    });
    Ok(serving)
}

impl Fixed {
    fn new(api: Ipv4Addr, more: &[String]) -> Self {
        let mut names = NAMES.map(str::to_owned).to_vec();
        let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), api.into()];
        for name in more.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty()) {
            match name.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => names.push(name.to_owned()),
            }
        }
        Self { names, addresses }
    }

    /// Each address once.
    fn with(&self, more: &[IpAddr]) -> Vec<IpAddr> {
        let mut all = self.addresses.clone();
        all.extend(more.iter().filter(|address| !self.addresses.contains(address)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::Fixed;

    #[test]
    fn users_add_names_and_addresses() {
        let fixed = Fixed::new([10, 43, 0, 1].into(), &["edge.example,192.0.2.1".to_owned(), String::new()]);
        assert!(fixed.names.contains(&"edge.example".to_owned()) && !fixed.names.contains(&"192.0.2.1".to_owned()));
        let (old, new) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert_eq!(fixed.with(&[old, new]).len(), fixed.addresses.len() + 1);
    }
}
