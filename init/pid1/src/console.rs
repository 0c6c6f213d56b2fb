//! The serial console: plain sentences for people and markers for tests, each one write of one line.

use std::fs::File;
use std::io::Write as _;

use coracle_contract::marker::Marker;

/// Path of the console device.
pub(crate) const DEVICE: &str = "/dev/console";

/// Where messages go. Output is best effort: a console that cannot be written must not stop a boot.
#[derive(Debug)]
pub(crate) struct Console {
    file: Option<File>,
}

impl Console {
    /// Opens the console device.
    pub(crate) fn open() -> Self {
        Self { file: File::options().write(true).open(DEVICE).ok() }
    }

    /// A console that writes to a file.
    pub(crate) fn to(file: File) -> Self {
        Self { file: Some(file) }
    }

    /// Prints a marker line.
    pub(crate) fn marker(&mut self, marker: &Marker) {
        self.line(&marker.to_string());
    }

    /// Prints a sentence.
    pub(crate) fn say(&mut self, text: &str) {
        self.line(&format!("coracle: {text}"));
    }

    fn line(&mut self, text: &str) {
        if let Some(file) = &mut self.file {
            // \r\n because a serial terminal may be in raw mode; one write keeps kernel messages out of the line.
            let _ = file.write_all(format!("{text}\r\n").as_bytes());
        }
    }
}
