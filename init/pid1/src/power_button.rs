//! Power buttons: input devices that have a power key.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::files;

const KEY_POWER: u32 = 116;
const EV_KEY: u16 = 1;

/// Bytes of `struct input_event` on 64-bit Linux: two words of time, type, code, value.
const EVENT_BYTES: usize = 24;

/// The buttons that are open.
#[derive(Debug)]
pub(crate) struct Buttons {
    open: Vec<Button>,
    /// Whether this process may act on the machine's buttons.
    wanted: bool,
}

#[derive(Debug)]
struct Button {
    name: String,
    device: File,
}

impl Buttons {
    /// The machine's buttons; [`Self::look`] finds them.
    pub(crate) const fn of_machine() -> Self {
        Self { open: Vec::new(), wanted: true }
    }

    /// No buttons, ever.
    pub(crate) const fn none() -> Self {
        Self { open: Vec::new(), wanted: false }
    }

    /// Opens the buttons that appeared since the last look. At most a handful exist on any machine.
    pub(crate) fn look(&mut self) {
        if !self.wanted {
            return;
        }
        for entry in fs::read_dir("/sys/class/input").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("event") || self.open.iter().any(|button| button.name == name) {
                continue;
            }
            let keys = files::read_text(entry.path().join("device/capabilities/key"), 4096).unwrap_or_default();
            let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
            if has_key(&keys, KEY_POWER)
                && let Ok(device) =
                    File::options().read(true).custom_flags(nonblocking).open(format!("/dev/input/{name}"))
            {
                self.open.push(Button { name, device });
            }
        }
    }

    /// The descriptors to wait for.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.open.iter().map(|button| button.device.as_fd()).collect()
    }

    /// Whether a power key was pressed. A button that cannot be read any more is closed.
    pub(crate) fn pressed(&mut self) -> bool {
        let mut pressed = false;
        self.open.retain_mut(|button| {
            let mut events = [0_u8; EVENT_BYTES * 16];
            match button.device.read(&mut events) {
                Ok(length) => {
                    pressed |= events.get(..length).is_some_and(contains_press);
                    true
                }
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            }
        });
        pressed
    }
}

fn contains_press(events: &[u8]) -> bool {
    events.as_chunks::<EVENT_BYTES>().0.iter().any(|event| {
        let [.., a, b, c, d, e, f, g, h] = event;
        u16::from_ne_bytes([*a, *b]) == EV_KEY
            && u32::from(u16::from_ne_bytes([*c, *d])) == KEY_POWER
            && i32::from_ne_bytes([*e, *f, *g, *h]) == 1
    })
}

/// Whether a sysfs bitmap (words of 64 bits in hexadecimal, the highest first) has a key.
fn has_key(bitmap: &str, key: u32) -> bool {
    let word = bitmap.split_ascii_whitespace().rev().nth(usize::try_from(key / 64).unwrap_or(usize::MAX));
    let bits = word.and_then(|word| u64::from_str_radix(word, 16).ok());
    bits.is_some_and(|bits| bits.checked_shr(key % 64).unwrap_or(0) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_a_pressed_power_key_counts() {
        let release = event(1, 116, 0);
        assert!(!contains_press(&release));
        assert!(!contains_press(&event(1, 115, 1)));
        assert!(!contains_press(&event(2, 116, 1)));
        assert!(contains_press(&[event(0, 0, 0), event(1, 116, 1)].concat()));
        assert!(!contains_press(&event(1, 116, 1)[..20]), "a cut event is none");
    }

    #[test]
    fn bitmaps_are_read_from_the_right() {
        assert!(has_key("10000000000000 0\n", 116), "the ACPI power button");
        assert!(!has_key("10000000000000 0\n", 117));
        assert!(!has_key("0\n", 116));
        assert!(!has_key("", 116));
        assert!(has_key("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", 116), "a keyboard");
    }
}
