//! The hardware watchdog: opened in the initrd, carried over the switch of roots, fed by the one loop of PID 1.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _};

use crate::error::Result;
use crate::files;
use crate::sys;

/// Modules that drive a watchdog, best first. `softdog` needs a living kernel and is the last resort; the board's list
/// may load another one earlier.
pub(crate) const MODULES: [&str; 6] = ["i6300esb", "iTCO_wdt", "sp5100_tco", "bcm2835_wdt", "sbsa_gwdt", "softdog"];

/// Seconds without food until the hardware resets.
pub(crate) const TIMEOUT_SECONDS: u32 = 30;

/// Environment variable in which the initrd stage hands the open descriptor to the system stage.
pub(crate) const DESCRIPTOR_VARIABLE: &str = "CORACLE_WATCHDOG_FD";

/// The device, or its absence: a machine without one still boots, and says so.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: Option<File>,
    timeout_seconds: u32,
}

impl Watchdog {
    /// No device.
    pub(crate) const fn absent() -> Self {
        Self { device: None, timeout_seconds: TIMEOUT_SECONDS }
    }

    /// Opens `/dev/watchdog0` and sets its time-out; the driver may round it.
    pub(crate) fn open() -> Result<Self> {
        use crate::error::Attempt as _;
        let device = File::options().write(true).open("/dev/watchdog0").attempt("open", "/dev/watchdog0")?;
        let timeout_seconds = sys::watchdog_set_timeout(device.as_fd(), TIMEOUT_SECONDS).unwrap_or(TIMEOUT_SECONDS);
        let mut watchdog = Self { device: Some(device), timeout_seconds };
        watchdog.feed();
        Ok(watchdog)
    }

    /// Takes over the descriptor that the initrd stage left open.
    pub(crate) fn inherit() -> Self {
        let device = std::env::var(DESCRIPTOR_VARIABLE)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|number| is_watchdog(*number))
            .map(sys::take_descriptor)
            .map(File::from);
        let mut watchdog = Self { device, timeout_seconds: TIMEOUT_SECONDS };
        watchdog.feed();
        watchdog
    }

    /// Whether there is a device.
    pub(crate) const fn is_present(&self) -> bool {
        self.device.is_some()
    }

    /// The time-out in force.
    pub(crate) const fn timeout_seconds(&self) -> u32 {
        self.timeout_seconds
    }

    /// Postpones the reset by one time-out. The caller has decided that the system deserves it.
    pub(crate) fn feed(&mut self) {
        if let Some(device) = &mut self.device {
            // Any byte but 'V' feeds; a device that fails will reset the machine, which is its purpose.
            let _ = device.write_all(b"f");
        }
    }

    /// How often to feed: three chances in a time-out.
    pub(crate) fn feed_interval_ms(&self) -> u64 {
        u64::from(self.timeout_seconds).saturating_mul(1000) / 3
    }

    /// Makes the descriptor survive `exec` and returns its number.
    pub(crate) fn keep_over_exec(&self) -> Option<i32> {
        let device = self.device.as_ref()?;
        rustix::io::fcntl_setfd(device, rustix::io::FdFlags::empty()).ok()?;
        Some(device.as_raw_fd())
    }

    /// What the driver calls itself.
    pub(crate) fn identity() -> String {
        files::read_text("/sys/class/watchdog/watchdog0/identity", 256)
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    }
}

/// Whether an inherited number is the watchdog and nothing else, before it is taken over.
fn is_watchdog(number: i32) -> bool {
    fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target.as_os_str() == "/dev/watchdog0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn food_comes_three_times_in_a_timeout() {
        let watchdog = Watchdog::absent();
        assert_eq!(watchdog.feed_interval_ms() * 3, u64::from(watchdog.timeout_seconds()) * 1000);
        assert!(!watchdog.is_present());
    }

    #[test]
    fn softdog_is_the_last_resort() {
        assert_eq!(MODULES.last(), Some(&"softdog"));
    }

    #[test]
    fn a_foreign_descriptor_is_not_taken_over() {
        assert!(!is_watchdog(1));
    }
}
