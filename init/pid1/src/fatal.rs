//! The end of a boot that cannot go on: a readable message, a marker, a bounded pause, a reset. Never a hang.

use coracle_contract::marker::Marker;
use rustix::system::{RebootCommand, reboot};

use crate::console::Console;
use crate::error::{Error, chain};
use crate::stages::Stage;
use crate::wait::{self, Moment};

/// How long a message stays readable before the reset, in milliseconds.
const PAUSE_MS: u64 = 10_000;

/// Reports the failure of a stage and resets the machine. The chooser has counted this boot already.
pub(crate) fn report_and_reset(console: &mut Console, stage: Stage, error: &Error) -> ! {
    let text = chain(error);
    console.say(&format!("the boot stopped in stage {}: {text}", stage.name()));
    console.say("the machine resets in 10 seconds; after four such boots the other slot is taken");
    console.marker(&Marker::new("fatal").with("stage", stage.name()).with("error", &text));
    reset(console, &format!("stage {} failed", stage.name()), PAUSE_MS)
}

/// Resets the machine after a pause.
pub(crate) fn reset(console: &mut Console, reason: &str, pause_ms: u64) -> ! {
    console.marker(&Marker::new("power").with("action", "reset").with("reason", reason));
    // No descriptor to wait for: only the deadline ends this.
    let _ = wait::readable(&[], Moment::now().after(pause_ms));
    rustix::fs::sync();
    let _ = reboot(RebootCommand::Restart);
    // Only without CAP_SYS_BOOT: the watchdog is not fed any more.
    wait::hang()
}

/// Last line of defence: no code of PID 1 panics, but if a library does, the machine says so and resets.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let mut console = Console::open();
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        console.say(&format!("PID 1 panicked at {place}; this is a defect"));
        console.marker(&Marker::new("fatal").with("stage", "panic").with("error", &place));
        if rustix::process::getpid().is_init() {
            reset(&mut console, "panic", PAUSE_MS);
        }
    }));
}
