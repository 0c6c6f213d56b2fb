//! The uplink of a device. On any other machine the network belongs to somebody else.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use coracle_configuration::MachineConfiguration;
use coracle_contract::marker::Marker;
use coracle_contract::paths;
use netstack::uplink::{Uplink, UplinkSettings, UplinkState};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::addresses::{Addresses, Changing, bound_to, change};
use crate::control_plane::Tasks;
use crate::files::replace;
use crate::server::say;

/// What servers are told this machine is called is made of this and its id, and tells nothing of the id.
const IDENTITY: &[u8] = b"coracle uplink\0";

/// File of the leases, below the folder of the cluster.
const LEASES: &str = "uplink";

/// Starts the uplink and follows it: `/etc/resolv.conf`, and the addresses that others reach this machine by. `bound`
/// is the address of the API's listener, `data` the folder of what lives as long as the device.
///
/// # Errors
/// The settings make no sense, or the kernel does not tell about its links.
pub(crate) fn start(
    tasks: &mut Tasks,
    settings: UplinkSettings,
    data: &Path,
    bound: IpAddr,
) -> Result<Changing, netstack::Error> {
    let file = data.join(LEASES);
    let saved = fs::read_to_string(&file).unwrap_or_default();
    let save = move |text: &str| {
        if let Err(error) = replace(&file, text.as_bytes()) {
            tracing::warn!(%error, file = %file.display(), "leases are not kept for the next start");
        }
    };
    let uplink = Uplink::run(settings, saved, save)?;
    let mut state = uplink.state();
    let (addresses, changing) = watch::channel(Addresses::default());
    tasks.spawn(async move {
        let _uplink = uplink;
        let mut resolvers = String::new();
        loop {
            let now = state.borrow_and_update().clone();
            let text = now.resolv_conf();
            if text != resolvers {
                match replace(&PathBuf::from(paths::RUN).join("etc/resolv.conf"), text.as_bytes()) {
                    Ok(()) => resolvers = text,
                    Err(error) => tracing::error!(%error, "the name servers are not in resolv.conf"),
                }
            }
            addresses.send_if_modified(|known| {
                let next = reached(&now, bound, known);
                let is_new = *known != next;
                if is_new {
                    tell(&now, &next);
                    *known = next;
                }
                is_new
            });
            change(&mut state).await;
        }
    });
    Ok(changing)
}

/// The settings that a configuration gives this device. One that was told nothing uses DHCP on every wired interface.
pub(crate) fn settings(configuration: &MachineConfiguration) -> UplinkSettings {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut settings = configuration.uplink(identity(id.trim()));
    settings.hostname = settings.hostname.or_else(|| Some(name()).filter(|name| !name.is_empty()));
    settings
}

fn identity(machine_id: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(IDENTITY).chain_update(machine_id).finalize();
    let mut identity = [0; 16];
    identity.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    identity
}

/// The addresses that follow from a state of the uplink, after those that were `known`.
fn reached(state: &UplinkState, bound: IpAddr, known: &Addresses) -> Addresses {
    let primary = bound_to(bound).unwrap_or_else(|| state.primary_v4.or(state.primary_v6));
    let all: Vec<IpAddr> = state
        .nics
        .iter()
        .flat_map(|nic| nic.addresses.iter().map(netstack::Cidr::address))
        .chain(primary)
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .fold(Vec::new(), |mut all, ip| {
            if !all.contains(&ip) {
                all.push(ip);
            }
            all
        });
    match primary {
        Some(_) => Addresses { primary, all },
        // A cable that was pulled takes nothing back.
        None => known.clone(),
    }
}

fn tell(state: &UplinkState, addresses: &Addresses) {
    for nic in state.nics.iter().filter(|nic| !nic.addresses.is_empty()) {
        let held: Vec<String> = nic.addresses.iter().map(ToString::to_string).collect();
        let primary = nic.addresses.iter().any(|held| Some(held.address()) == addresses.primary);
        say(&Marker::new("uplink").with("nic", &nic.name).with("addresses", held.join(",")).with("primary", primary));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netstack::uplink::NicState;

    fn state(nics: &[&[&str]], v4: Option<&str>, v6: Option<&str>) -> UplinkState {
        let nic = |addresses: &&[&str]| NicState {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            ..NicState::default()
        };
        let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        UplinkState {
            nics: nics.iter().map(nic).collect(),
            primary_v4: parse(v4),
            primary_v6: parse(v6),
            ..UplinkState::default()
        }
    }

    #[test]
    fn the_addresses_follow_the_uplink() {
        let any = "0.0.0.0".parse().unwrap();
        let known = Addresses { primary: Some([192, 0, 2, 9].into()), all: vec![[192, 0, 2, 9].into()] };
        let both: &[&[&str]] = &[&["192.0.2.1/24", "2001:db8::1/64", "fe80::1/64"], &["198.51.100.1/24"]];
        for (state, bound, primary, count) in [
            (state(both, Some("192.0.2.1"), Some("2001:db8::1")), any, Some("192.0.2.1"), 3),
            (state(&[&["2001:db8::1/64", "fe80::1/64"]], None, Some("2001:db8::1")), any, Some("2001:db8::1"), 1),
            (state(both, Some("192.0.2.1"), None), "198.51.100.1".parse().unwrap(), Some("198.51.100.1"), 3),
            // Nothing is left: what was known stays.
            (state(&[&[]], None, None), any, Some("192.0.2.9"), 1),
            (state(both, Some("192.0.2.1"), None), "127.0.0.1".parse().unwrap(), Some("192.0.2.9"), 1),
        ] {
            let found = reached(&state, bound, &known);
            assert_eq!(found.primary, primary.map(|text| text.parse().unwrap()), "{state:?}");
            assert_eq!(found.all.len(), count, "{found:?}");
        }
    }

    #[test]
    fn servers_do_not_learn_the_machine_id() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(identity(id), identity(id));
        assert_ne!(identity(id), identity("0123456789abcdef0123456789abcdee"));
        assert_ne!(identity(id).to_vec(), id.as_bytes()[..16].to_vec());
    }
}
