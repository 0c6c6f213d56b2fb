//! Formulas between CPU requests, the shares of cgroup v1 in which Kubernetes still thinks, and weights of cgroup v2.
//!
//! There are two formulas because a node has two authors: kubelet limits the levels down to the pod with a straight
//! line, runtimes (runc 1.3, crun 1.23 and newer) limit containers with a curve that maps the default to the default.
//! Both are reproduced, so that figures on a Coracle node are those of other nodes.

/// Least shares of cgroup v1: what a request of nothing gets.
pub const LEAST_SHARES: u64 = 2;

/// Most shares of cgroup v1.
pub const MOST_SHARES: u64 = 262_144;

/// Length of the period in which a quota counts, in microseconds.
pub const PERIOD: u64 = 100_000;

/// Least quota that the kernel takes, in microseconds.
pub const LEAST_QUOTA: u64 = 1_000;

/// Shares for a request in thousandths of a CPU.
#[must_use]
pub const fn shares(millis: u64) -> u64 {
    let shares = millis.saturating_mul(1024) / 1000;
    if shares < LEAST_SHARES {
        LEAST_SHARES
    } else if shares > MOST_SHARES {
        MOST_SHARES
    } else {
        shares
    }
}

/// Quota in microseconds a `period` for a limit in thousandths of a CPU; none for no limit.
#[must_use]
pub const fn quota(millis: u64, period: u64) -> Option<u64> {
    if millis == 0 {
        return None;
    }
    let quota = millis.saturating_mul(period) / 1000;
    Some(if quota < LEAST_QUOTA { LEAST_QUOTA } else { quota })
}

/// Weight of kubepods, the quality levels and pods, as kubelet computes it: a straight line.
#[must_use]
pub const fn of_level(shares: u64) -> u64 {
    if shares >= MOST_SHARES {
        return 10_000;
    }
    1 + shares.saturating_sub(2).saturating_mul(9_999) / 262_142
}

/// Weight of a container, as runc and crun compute it: a curve through (2, 1), (1024, 100) and (262144, 10000).
#[must_use]
pub fn of_container(shares: u64) -> u64 {
    if shares <= LEAST_SHARES {
        return 1;
    }
    if shares >= MOST_SHARES {
        return 10_000;
    }
    // Below 2^18, so the conversion is exact.
    let bits = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
    let exponent = (bits * bits + 125.0 * bits) / 612.0 - 7.0 / 34.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 10000 for the shares that come here"
    )]
    let weight = 10_f64.powf(exponent).ceil() as u64;
    weight.clamp(1, 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_shares() {
        for (millis, want) in [(0, 2), (1, 2), (2, 2), (100, 102), (500, 512), (1000, 1024), (256_000, 262_144)] {
            assert_eq!(shares(millis), want, "{millis}");
        }
        assert_eq!(shares(u64::MAX), MOST_SHARES);
    }

    #[test]
    fn limits_become_quotas() {
        for (millis, want) in [(0, None), (1, Some(1000)), (10, Some(1000)), (100, Some(10_000)), (2500, Some(250_000))]
        {
            assert_eq!(quota(millis, PERIOD), want, "{millis}");
        }
    }

    #[test]
    fn levels_use_the_line() {
        for (shares, want) in [(0, 1), (2, 1), (102, 4), (512, 20), (1024, 39), (2048, 79), (262_144, 10_000)] {
            assert_eq!(of_level(shares), want, "{shares}");
        }
    }

    #[test]
    fn containers_use_the_curve() {
        for (shares, want) in [
            (0, 1),
            (2, 1),
            (3, 2),
            (102, 17),
            (256, 35),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (262_143, 10_000),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(of_container(shares), want, "{shares}");
        }
    }

    #[test]
    fn the_curve_never_falls() {
        let weights: Vec<u64> = (2..=MOST_SHARES).map(of_container).collect();
        assert!(weights.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
