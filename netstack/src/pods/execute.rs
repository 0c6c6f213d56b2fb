//! Does what was planned, on the host or in a pod, depending on the socket.

use std::os::fd::BorrowedFd;

use netlink_packet_route::link::LinkAttribute;

use crate::{
    Error,
    plan::{Action, Change, INSIDE},
    sysctl,
    wire::{Wire, route},
};

/// Does the actions in order, up to the first that fails. `inside` is where the other end of a new pair goes.
pub(super) fn execute(wire: &mut Wire, actions: &[Action], inside: Option<BorrowedFd<'_>>) -> Result<(), Error> {
    for action in actions {
        tracing::debug!(?action, "pod network");
        one(wire, action, inside)?;
    }
    Ok(())
}

fn one(wire: &mut Wire, action: &Action, inside: Option<BorrowedFd<'_>>) -> Result<(), Error> {
    match action {
        Action::AddBridge { name, mac } => route::add_bridge(wire, name, *mac),
        Action::AddVeth { name, mtu, mac } => {
            let inside = inside.ok_or(Error::Answer("a pair needs a namespace"))?;
            route::add_veth(wire, name, inside, INSIDE, *mtu, *mac)
        }
        Action::SetLink { name, change } => {
            let attributes = attributes(wire, change)?;
            let index = route::index(wire, name)?;
            route::set_link(wire, &format!("changing {name}"), index, change.up, attributes)
        }
        Action::SetHairpin { name } => {
            let index = route::index(wire, name)?;
            route::set_hairpin(wire, &format!("letting {name} send back"), index)
        }
        // The kernel removes both ends when one's namespace ends: then there is nothing left to do.
        Action::DeleteLink { name } => {
            match route::index(wire, name).and_then(|index| route::delete_link(wire, name, index)) {
                Err(error) if error.is_absent() => Ok(()),
                other => other,
            }
        }
        Action::AddAddress { link, address } => {
            let index = route::index(wire, link)?;
            route::add_address(wire, &format!("giving {link} the address {address}"), index, *address)
        }
        Action::DeleteAddress { link, address } => {
            let index = route::index(wire, link)?;
            match route::delete_address(wire, &format!("taking {address} from {link}"), index, *address) {
                Err(error) if error.is_absent() => Ok(()),
                other => other,
            }
        }
        Action::SetDefaultRoute { link, gateway } => {
            let index = route::index(wire, link)?;
            route::set_default_route(wire, &format!("routing through {gateway}"), index, *gateway)
        }
        Action::SetSysctl { key, value } => sysctl::write(key, value),
    }
}

fn attributes(wire: &mut Wire, change: &Change) -> Result<Vec<LinkAttribute>, Error> {
    let mut attributes = Vec::new();
    attributes.extend(change.mtu.map(LinkAttribute::Mtu));
    attributes.extend(change.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    attributes.extend(change.alias.clone().map(LinkAttribute::IfAlias));
    if let Some(master) = &change.master {
        attributes.push(LinkAttribute::Controller(route::index(wire, master)?));
    }
    Ok(attributes)
}
