//! IP addresses and address ranges in the forms that older fields take.
//!
//! Upstream reads them leniently first and then complains about what only the lenient reader takes.

use super::report::Report;
use coracle_apimachinery::field::Path;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as the lenient reader takes it: leading zeros within IPv4 are decimal.
pub(crate) fn lenient(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some((head, tail)) = text.rsplit_once(':') {
        // IPv4 within IPv6.
        let inner = lenient_v4(tail)?;
        return format!("{head}:{inner}").parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    lenient_v4(text).map(IpAddr::V4)
}

fn lenient_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Whether Go's `netip` takes the text: without leading zeros.
fn strict(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// The address that an IPv4-mapped one stands for, otherwise the address itself.
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// An address must be valid unless the old object has it already; says whether it is.
pub(crate) fn check(report: &mut Report, path: &Path, text: &str, kept: &[&str]) -> bool {
    if kept.contains(&text) {
        return true;
    }
    let before = report.len();
    match (lenient(text), strict(text)) {
        (None, _) => report.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        (Some(_), None) => report.invalid(path, text, "must not have leading 0s"),
        (Some(_), Some(address)) if is_mapped(address) => {
            report.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
        }
        _ => {}
    }
    report.len() == before
}

/// An address range as the lenient reader takes it: its address and prefix length.
fn lenient_range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let address = lenient(address)?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    (length <= bits).then_some((address, length))
}

fn masked(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// An address range must be valid unless the old object has it already.
pub(crate) fn check_range(report: &mut Report, path: &Path, text: &str, kept: &[&str]) {
    if kept.contains(&text) {
        return;
    }
    let Some((address, length)) = lenient_range(text) else {
        report.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return;
    };
    let (shown, digits) = text.split_once('/').unwrap_or((text, ""));
    if strict(shown).is_none() || (digits.len() > 1 && digits.starts_with('0')) {
        report.invalid(path, text, "must not have leading 0s in IP or prefix length");
    } else if is_mapped(address) {
        report.invalid(path, text, "must not have an IPv4-mapped IPv6 address");
    } else if masked(address, length) != address {
        report.invalid(path, text, "must not have bits set beyond the prefix length");
    }
}

/// Whether two or more addresses are of both families; `None` when one is no address.
pub(crate) fn is_dual_stack<'a>(addresses: impl Iterator<Item = &'a str>) -> Option<bool> {
    let (mut v4, mut v6) = (false, false);
    for text in addresses {
        match unmapped(lenient(text.split_once('/').map_or(text, |(address, _)| address))?) {
            IpAddr::V4(_) => v4 = true,
            IpAddr::V6(_) => v6 = true,
        }
    }
    Some(v4 && v6)
}

/// Whether a text is an IPv6 address.
pub(crate) fn is_v6(text: &str) -> bool {
    lenient(text).is_some_and(|address| unmapped(address).is_ipv6())
}

/// An address that traffic can be sent to from elsewhere.
pub(crate) fn check_endpoint(report: &mut Report, path: &Path, text: &str) {
    let Some(address) = lenient(text).map(unmapped) else {
        report.invalid(path, text, "must be a valid IP address");
        return;
    };
    if address.is_unspecified() {
        report.invalid(path, text, format!("may not be unspecified ({text})"));
    }
    if address.is_loopback() {
        report.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), matches!(v4.octets(), [224, 0, 0, _])),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    if link_local {
        report.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_local_multicast {
        report.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// Warnings about an address in a form that is understood but not usual.
pub(crate) fn warnings(path: &Path, text: &str, out: &mut Vec<String>) {
    let quote = coracle_apimachinery::field::quote;
    let Some(address) = lenient(text) else { return };
    if strict(text).is_none() || is_mapped(address) {
        let good = quote(&unmapped(address).to_string());
        out.push(format!("{path}: non-standard IP address {} is invalid: use {good}", quote(text)));
    } else if address.is_ipv6() && address.to_string() != text {
        let good = quote(&address.to_string());
        out.push(format!("{path}: IPv6 address {} should be in RFC 5952 canonical format ({good})", quote(text)));
    }
}

/// Warnings about an address range in a form that is understood but not usual.
pub(crate) fn range_warnings(path: &Path, text: &str, out: &mut Vec<String>) {
    let quote = coracle_apimachinery::field::quote;
    let Some((address, length)) = lenient_range(text) else { return };
    let network = masked(address, length);
    let good = quote(&format!("{}/{length}", unmapped(network)));
    if network != address {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let single = quote(&format!("{}/{bits}", unmapped(address)));
        let shown = quote(text);
        out.push(format!("{path}: CIDR value {shown} is ambiguous in this context (should be {good} or {single}?)"));
    }
    let (shown, digits) = text.split_once('/').unwrap_or((text, ""));
    if strict(shown).is_none() || (digits.len() > 1 && digits.starts_with('0')) || is_mapped(address) {
        out.push(format!("{path}: non-standard CIDR value {} is invalid: use {good}", quote(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::{check, check_endpoint, check_range};
    use crate::validate::report::Report;
    use coracle_apimachinery::field::Path;

    #[test]
    fn addresses_are_held_to_the_strict_form() {
        let table = [
            ("10.0.0.1", 0, ""),
            ("fe80::1", 0, ""),
            ("010.0.0.1", 1, "must not have leading 0s"),
            ("::ffff:1.2.3.4", 1, "must not be an IPv4-mapped IPv6 address"),
            ("10.0.0", 1, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("10.0.0.256", 1, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ];
        for (text, count, detail) in table {
            let mut report = Report::default();
            check(&mut report, &Path::new("ip"), text, &[]);
            let errors = report.into_errors();
            assert_eq!(errors.len(), count, "{text}");
            assert!(errors.iter().all(|error| error.detail == detail), "{text} {errors:?}");
        }
        assert!(check(&mut Report::default(), &Path::new("ip"), "010.0.0.1", &["010.0.0.1"]));
    }

    #[test]
    fn ranges_are_held_to_the_strict_form() {
        for (text, words) in [
            ("10.0.0.0/8", ""),
            ("::/0", ""),
            ("10.0.0.1/8", "bits set"),
            ("10.0.0.0/08", "leading 0s"),
            ("10.0.0.0/33", "valid CIDR"),
            ("10.0.0.0", "valid CIDR"),
        ] {
            let mut report = Report::default();
            check_range(&mut report, &Path::new("ip"), text, &[]);
            let errors = report.into_errors();
            assert_eq!(errors.is_empty(), words.is_empty(), "{text}");
            assert!(errors.iter().all(|error| error.detail.contains(words)), "{text} {errors:?}");
        }
    }

    #[test]
    fn endpoints_are_reachable_from_elsewhere() {
        for (text, count) in [
            ("10.0.0.1", 0),
            ("127.0.0.1", 1),
            ("0.0.0.0", 1),
            ("169.254.1.1", 1),
            ("224.0.0.9", 1),
            ("ff02::1", 1),
            ("::", 1),
        ] {
            let mut report = Report::default();
            check_endpoint(&mut report, &Path::new("ip"), text);
            assert_eq!(report.len(), count, "{text}");
        }
    }
}
