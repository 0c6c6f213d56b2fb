//! Gives a slot other kernel arguments: the script in its image is rewritten in place, the tree and the footer follow.
//!
//! A fault needs one more word on the kernel's command line, and that line lies inside the signed slot. `slot.cfg` is
//! stored uncompressed and its length must stay, so the text is shortened where its meaning allows it: indentation goes,
//! and the slot's letter, which is known here, takes the place of GRUB's variable.

use crate::error::{Error, Result};
use coracle_slots::boot_state::Slot;

/// How the script's kernel line begins.
const KERNEL_LINE: &[u8] = b"linux /boot/vmlinuz ";
/// The last word of the script that matters.
const SUCCESS: &str = "slot_ok=$coracle_slot";
/// The script ends within this many bytes after its kernel line's beginning.
const LONGEST: usize = 2048;

/// A change of an image: bytes at an offset, as many as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// From the image's beginning.
    pub(crate) offset: usize,
    /// The new bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The change that adds kernel arguments to the script in an image.
pub(crate) fn add_arguments(image: &[u8], slot: Slot, arguments: &str) -> Result<Edit> {
    let fail = |message: String| Error::Unexpected { subject: format!("slot.cfg of slot {}", slot.letter()), message };
    let offset = find(image, KERNEL_LINE).ok_or_else(|| fail("the image has no uncompressed slot.cfg".into()))?;
    let window = image.get(offset..).unwrap_or_default();
    let window = window.get(..LONGEST.min(window.len())).unwrap_or_default();
    let success = find(window, SUCCESS.as_bytes()).ok_or_else(|| fail("it never says slot_ok".into()))?;
    let text = window.get(..success + SUCCESS.len()).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|error| fail(error.to_string()))?;
    let bytes = rewrite(text, slot, arguments).map_err(fail)?.into_bytes();
    Ok(Edit { offset, bytes })
}

/// The same script with more arguments at the same length.
fn rewrite(text: &str, slot: Slot, arguments: &str) -> std::result::Result<String, String> {
    let (line, rest) = text.split_once('\n').ok_or("it has one line only")?;
    let (kernel, end) = line.split_once(';').map_or((line, ""), |(kernel, _)| (kernel, &line[kernel.len()..]));
    let rest: Vec<&str> = rest.lines().map(str::trim_start).collect();
    let letter = |text: &str| text.replace("$coracle_slot", slot.letter());
    let shorter = |padding: usize| {
        let blanks = " ".repeat(padding);
        format!("{} {arguments}{blanks}{end}\n{}", letter(kernel), letter(&rest.join("\n")))
    };
    let length = shorter(0).len();
    let padding = text
        .len()
        .checked_sub(length)
        .ok_or_else(|| format!("{} bytes are missing for the arguments {arguments:?}", length - text.len()))?;
    Ok(shorter(padding))
}

/// Where a pattern begins.
pub(crate) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "linux /boot/vmlinuz panic=10 coracle.boot=1 coracle.slot=$coracle_slot \
        coracle.seq=$coracle_seq; then\n  if initrd /boot/initrd; then\n    set slot_ok=$coracle_slot\n  fi\nfi\n";

    #[test]
    fn arguments_are_added_at_the_same_length() {
        let image = [b"kernel\0if ".as_slice(), SCRIPT.as_bytes(), b"\0more"].concat();
        let edit = add_arguments(&image, Slot::B, "coracle.fault=hang-at:root").unwrap();
        let mut changed = image.clone();
        changed[edit.offset..][..edit.bytes.len()].copy_from_slice(&edit.bytes);
        assert_eq!(changed.len(), image.len());
        let text = String::from_utf8(changed).unwrap();
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            squeezed,
            "kernel\0if linux /boot/vmlinuz panic=10 coracle.boot=1 coracle.slot=b coracle.seq=$coracle_seq \
             coracle.fault=hang-at:root ; then if initrd /boot/initrd; then set slot_ok=b fi fi \0more"
        );
    }

    #[test]
    fn what_does_not_fit_or_is_not_there_is_refused() {
        assert!(
            add_arguments(SCRIPT.as_bytes(), Slot::B, &"x".repeat(60)).unwrap_err().to_string().contains("missing")
        );
        assert!(add_arguments(b"compressed", Slot::B, "x").is_err());
        assert!(add_arguments(&SCRIPT.as_bytes()[..80], Slot::B, "x").is_err());
    }
}
