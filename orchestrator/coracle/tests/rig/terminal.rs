//! A terminal with a program in it, as a person has it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::node::PATIENCE;

/// A program in a terminal; dropping it ends the program.
pub(crate) struct Terminal {
    keyboard: File,
    program: Child,
    output: Receiver<Vec<u8>>,
    /// What was shown and not asked for yet.
    shown: String,
}

impl Terminal {
    /// Starts a program in a terminal of the given size.
    pub(crate) fn start(mut program: Command, rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        tcsetwinsize(&master, size(rows, columns)).unwrap();
        let end = |slave: &OwnedFd| slave.try_clone().unwrap();
        program.stdin(end(&slave)).stdout(end(&slave)).stderr(end(&slave));
        let child = program.spawn().unwrap();
        // The screen ends with the last holder of this end.
        drop((program, slave));
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = screen.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, program: child, output, shown: String::new() }
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\r").as_bytes()).unwrap();
    }

    /// Types control and a letter.
    pub(crate) fn control(&mut self, letter: u8) {
        self.keyboard.write_all(&[letter & 0x1f]).unwrap();
    }

    /// Waits until a text is shown, and forgets what was shown up to its end.
    pub(crate) fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(more) = self.output.recv_timeout(left) else { panic!("no {text:?} in {:?}", self.shown) };
            self.shown.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// Gives the window another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.keyboard, size(rows, columns)).unwrap();
    }

    /// Waits for the end of the program.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.program.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
