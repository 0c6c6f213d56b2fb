//! Programs of some hundred bytes that run on the bare PC, so that the library and the accelerator can be tested without
//! an operating system. QEMU loads them by the Multiboot protocol, in 32-bit protected mode.
//!
//! Each step is emitted in line, without subroutines, and may use every register but EBX and EBP, which hold the count
//! and the state of [`Step::Count`].

use crate::command_line::WATCHDOG_SLOT;

const LOAD_ADDRESS: u32 = 0x0010_0000;
const HEADER_BYTES: u32 = 32;
/// Top of the stack, in the low memory that a PC always has.
const STACK: u32 = 0x0009_0000;
const COM1: u16 = 0x3f8;
const COM1_STATUS: u16 = COM1 + 5;
const PCI_ADDRESS: u16 = 0xcf8;
const PCI_DATA: u16 = 0xcfc;
/// Power-management control of the q35 as QEMU's BIOS places it.
const POWER_CONTROL: u16 = 0x604;
/// QEMU's ISA panic device.
const PANIC_PORT: u16 = 0x505;

/// One thing that a program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes a line to the serial port.
    Print(String),
    /// For ever: computes this many rounds of [`advance`], then prints the marker `probe count=HEX8 sum=HEX8`.
    Count {
        /// Rounds between two markers.
        rounds: u32,
    },
    /// Starts the watchdog with this time in milliseconds and never feeds it.
    Watchdog {
        /// Until the reset.
        milliseconds: u16,
    },
    /// Resets the machine by a triple fault.
    TripleFault,
    /// Tells QEMU's panic device (`-device pvpanic`) that the guest has panicked.
    Panic,
    /// Powers the machine off.
    PowerOff,
    /// Stops with interrupts off.
    Halt,
}

/// One round of the computation that a probe guest must get right: multiply, then add.
const FACTOR: u32 = 1_664_525;
const SUMMAND: u32 = 1_013_904_223;

/// The state after this many rounds, by squaring the affine map, so that the judge never lags behind the guest.
#[must_use]
pub const fn advance(state: u32, mut rounds: u32) -> u32 {
    let (mut factor, mut summand) = (FACTOR, SUMMAND);
    let mut result = state;
    while rounds > 0 {
        if rounds & 1 == 1 {
            result = result.wrapping_mul(factor).wrapping_add(summand);
        }
        summand = summand.wrapping_mul(factor).wrapping_add(summand);
        factor = factor.wrapping_mul(factor);
        rounds >>= 1;
    }
    result
}

/// The loadable image of a program. It halts after its last step.
#[must_use]
pub fn image(steps: &[Step]) -> Vec<u8> {
    let mut code = Code { bytes: Vec::new() };
    // xor ebx, ebx; xor ebp, ebp; mov esp, STACK.
    code.put(&[0x31, 0xdb, 0x31, 0xed, 0xbc]).put(&STACK.to_le_bytes());
    steps.iter().for_each(|step| code.step(step));
    code.step(&Step::Halt);

    let length = u32::try_from(code.bytes.len()).unwrap_or(u32::MAX);
    let end = LOAD_ADDRESS.saturating_add(HEADER_BYTES).saturating_add(length);
    let (magic, flags) = (0x1bad_b002_u32, 0x0001_0000_u32);
    let checksum = 0_u32.wrapping_sub(magic).wrapping_sub(flags);
    // Magic, flags (addresses follow), checksum, header address, load address, load end, bss end, entry.
    let header = [magic, flags, checksum, LOAD_ADDRESS, LOAD_ADDRESS, end, end, LOAD_ADDRESS + HEADER_BYTES];
    let mut image: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    image.extend(code.bytes);
    image
}

struct Code {
    bytes: Vec<u8>,
}

impl Code {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Print(line) => self.print(&format!("{line}\r\n")),
            Step::Count { rounds } => self.count(*rounds),
            Step::Watchdog { milliseconds } => self.watchdog(*milliseconds),
            // call over six zero bytes; pop esi; lidt [esi]; int3: an empty interrupt table turns it into a reset.
            Step::TripleFault => {
                self.put(&[0xe8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5e, 0x0f, 0x01, 0x1e, 0xcc]);
            }
            // mov al, 1; out dx, al.
            Step::Panic => {
                self.port(PANIC_PORT).put(&[0xb0, 0x01, 0xee]);
            }
            // mov ax, 0x2000 (sleep enable, type 0); out dx, ax.
            Step::PowerOff => {
                self.port(POWER_CONTROL).put(&[0x66, 0xb8, 0x00, 0x20, 0x66, 0xef]);
            }
            // cli; hlt; jump to the hlt.
            Step::Halt => {
                self.put(&[0xfa, 0xf4, 0xeb, 0xfd]);
            }
        }
    }

    /// mov dx, port
    fn port(&mut self, port: u16) -> &mut Self {
        self.put(&[0x66, 0xba]).put(&port.to_le_bytes())
    }

    /// Waits until the serial port takes a byte, then writes AL (kept in AH meanwhile).
    fn put_character(&mut self) {
        // mov ah, al; status: in al, dx; test al, 0x20; jz status; mov al, ah; out dx, al.
        self.put(&[0x88, 0xc4]).port(COM1_STATUS).put(&[0xec, 0xa8, 0x20, 0x74, 0xfb, 0x88, 0xe0]);
        self.port(COM1).put(&[0xee]);
    }

    fn print(&mut self, text: &str) {
        // call over the text; pop esi.
        let length = u32::try_from(text.len() + 1).unwrap_or(u32::MAX);
        self.put(&[0xe8]).put(&length.to_le_bytes()).put(text.as_bytes()).put(&[0, 0x5e]);
        // next: lodsb; test al, al; jz end; put; jmp next.
        let mut character = Self { bytes: Vec::new() };
        character.put_character();
        let body = u8::try_from(character.bytes.len()).unwrap_or(u8::MAX);
        self.put(&[0xac, 0x84, 0xc0, 0x74, body + 2]).put(&character.bytes);
        self.put(&[0xeb, 0_u8.wrapping_sub(body + 7)]);
    }

    /// Prints EDI as eight hexadecimal digits.
    fn print_edi(&mut self) {
        // mov ecx, 8; next: rol edi, 4; mov eax, edi; and al, 15; cmp al, 10; sbb al, 0x69; das (makes the digit).
        let mut digit = Self { bytes: Vec::new() };
        digit.put(&[0xc1, 0xc7, 0x04, 0x89, 0xf8, 0x24, 0x0f, 0x3c, 0x0a, 0x1c, 0x69, 0x2f]);
        // or al, 0x20: das gives capitals; digits have that bit anyway.
        digit.put(&[0x0c, 0x20]).put_character();
        let body = u8::try_from(digit.bytes.len()).unwrap_or(u8::MAX);
        // dec ecx; jnz next.
        self.put(&[0xb9, 8, 0, 0, 0]).put(&digit.bytes).put(&[0x49, 0x75, 0_u8.wrapping_sub(body + 3)]);
    }

    fn count(&mut self, rounds: u32) {
        let begin = self.bytes.len();
        // mov ecx, rounds; round: imul ebp, ebp, 1664525; add ebp, 1013904223; dec ecx; jnz round; inc ebx.
        self.put(&[0xb9]).put(&rounds.to_le_bytes());
        self.put(&[0x69, 0xed]).put(&FACTOR.to_le_bytes());
        self.put(&[0x81, 0xc5]).put(&SUMMAND.to_le_bytes());
        self.put(&[0x49, 0x75, 0xf1, 0x43]);
        self.print("CORACLE-MARK probe count=");
        self.put(&[0x89, 0xdf]).print_edi();
        self.print(" sum=");
        self.put(&[0x89, 0xef]).print_edi();
        self.print("\r\n");
        // jmp begin.
        let back = u32::try_from(self.bytes.len() - begin + 5).unwrap_or(u32::MAX);
        self.put(&[0xe9]).put(&0_u32.wrapping_sub(back).to_le_bytes());
    }

    /// Selects a register of the watchdog's PCI configuration and its data port. Destroys EAX.
    fn watchdog_register(&mut self, register: u8) -> &mut Self {
        let address = 0x8000_0000 | (u32::from(WATCHDOG_SLOT) << 11) | u32::from(register & 0xfc);
        self.put(&[0xb8]).put(&address.to_le_bytes()).port(PCI_ADDRESS).put(&[0xef]).port(PCI_DATA)
    }

    fn watchdog(&mut self, milliseconds: u16) {
        // The 6300ESB counts two stages down at 1 kHz (roughly); the second one resets.
        let stage = u32::from(milliseconds / 2);
        // Command register: memory decoding on (mov ax, 2; out dx, ax).
        self.watchdog_register(0x04).put(&[0x66, 0xb8, 0x02, 0x00, 0x66, 0xef]);
        // First base address: in eax, dx; and eax, -16; mov edi, eax.
        self.watchdog_register(0x10).put(&[0xed, 0x83, 0xe0, 0xf0, 0x89, 0xc7]);
        for offset in [0_u8, 4] {
            // mov word [edi+12], 0x80; mov word [edi+12], 0x86 unlock one write: mov dword [edi+offset], stage.
            self.put(&[0x66, 0xc7, 0x47, 0x0c, 0x80, 0x00, 0x66, 0xc7, 0x47, 0x0c, 0x86, 0x00]);
            self.put(&[0xc7, 0x47, offset]).put(&stage.to_le_bytes());
        }
        // Lock register: enable (mov al, 2; out dx, al).
        self.watchdog_register(0x68).put(&[0xb0, 0x02, 0xee]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_by_squares_is_advancing_step_by_step() {
        for rounds in [0, 1, 2, 3, 10, 1000] {
            let slowly = (0..rounds).fold(7_u32, |state, _| state.wrapping_mul(FACTOR).wrapping_add(SUMMAND));
            assert_eq!(advance(7, rounds), slowly, "{rounds}");
        }
    }

    #[test]
    fn a_program_has_a_valid_header() {
        let image = image(&[Step::Print("hello".into())]);
        let word = |index: usize| u32::from_le_bytes(image[index * 4..][..4].try_into().unwrap());
        assert_eq!(word(0).wrapping_add(word(1)).wrapping_add(word(2)), 0, "Multiboot checksum");
        assert_eq!(word(5) - word(4), u32::try_from(image.len()).unwrap(), "everything is loaded");
    }
}
