//! Which manifest of an index is for this machine.

use coracle_image_layout::{Descriptor, Platform};

/// The platform this program was built for.
#[must_use]
pub fn native() -> Platform {
    let (architecture, variant) = match std::env::consts::ARCH {
        "x86_64" => ("amd64", ""),
        "aarch64" => ("arm64", "v8"),
        "arm" => ("arm", "v7"),
        other => (other, ""),
    };
    Platform { architecture: architecture.to_owned(), os: "linux".to_owned(), variant: variant.to_owned() }
}

/// The best manifest for `wanted`; of equal ones the first.
pub(super) fn choose<'a>(wanted: &Platform, manifests: &'a [Descriptor]) -> Option<&'a Descriptor> {
    let ranked = manifests.iter().filter_map(|manifest| {
        let platform = manifest.platform.as_ref()?;
        rank(wanted, platform).map(|rank| (rank, manifest))
    });
    let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match (best, manifests) {
        (Some((_, manifest)), _) => Some(manifest),
        // An index of one image that does not say what it is for: its configuration tells.
        (None, [only]) if only.platform.is_none() => Some(only),
        _ => None,
    }
}

/// Whether an image of `offered` runs here.
pub(super) fn runs(wanted: &Platform, offered: &Platform) -> bool {
    (offered.os.is_empty() && offered.architecture.is_empty()) || rank(wanted, offered).is_some()
}

/// How well `offered` fits: the variant's number, because a newer one is the better as long as the machine has it.
fn rank(wanted: &Platform, offered: &Platform) -> Option<u32> {
    let (own, other) = (normal(wanted), normal(offered));
    let fits = own.os == other.os && own.architecture == other.architecture && other.variant <= own.variant;
    fits.then_some(other.variant)
}

#[derive(PartialEq)]
struct Normal<'a> {
    os: &'a str,
    architecture: &'a str,
    variant: u32,
}

fn normal(platform: &Platform) -> Normal<'_> {
    let architecture = match platform.architecture.as_str() {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let default = match architecture {
        "arm64" => 8,
        "arm" => 7,
        _ => 1,
    };
    let written = platform.variant.trim_start_matches('v');
    // A variant that is no number is newer than all that is known here.
    let variant = if written.is_empty() { default } else { written.parse().unwrap_or(u32::MAX) };
    Normal { os: &platform.os, architecture, variant }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Platform { os: next(), architecture: next(), variant: next() }
    }

    #[test]
    fn the_best_manifest_is_chosen() {
        for (wanted, offered, want) in [
            ("linux/amd64", vec!["linux/arm64", "linux/amd64", "unknown/unknown"], Some(1)),
            ("linux/amd64", vec!["windows/amd64", "linux/amd64/v3", "linux/amd64/v2"], None),
            ("linux/amd64/v2", vec!["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"], Some(1)),
            ("linux/arm64/v8", vec!["linux/arm/v7", "linux/arm64"], Some(1)),
            ("linux/arm64", vec!["linux/arm64/v8"], Some(0)),
            ("linux/arm/v7", vec!["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm/v8"], Some(2)),
            ("linux/amd64", vec!["linux/x86_64", "linux/amd64"], Some(0)),
            ("linux/riscv64", vec!["linux/amd64"], None),
            ("linux/amd64", vec![], None),
        ] {
            let manifests: Vec<Descriptor> = offered
                .iter()
                .map(|offered| Descriptor {
                    platform: Some(platform(offered)),
                    ..Descriptor::of("", offered.as_bytes())
                })
                .collect();
            let found = choose(&platform(wanted), &manifests).map(|found| found.digest);
            assert_eq!(found, want.map(|at: usize| manifests[at].digest), "{wanted} of {offered:?}");
        }
        assert!(choose(&native(), &[Descriptor::of("", b"")]).is_some());
        assert!(choose(&native(), &[Descriptor::of("", b"a"), Descriptor::of("", b"b")]).is_none());
    }
}
