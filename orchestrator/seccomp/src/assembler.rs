//! Classic BPF with labels.

use thiserror::Error;

/// One instruction, as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// Instructions to skip when the condition holds.
    pub jump_true: u8,
    /// Instructions to skip when it does not.
    pub jump_false: u8,
    /// Operand.
    pub operand: u32,
}

/// Loads a 32-bit word of `struct seccomp_data`.
pub(crate) const LOAD: u16 = 0x20;
/// Unconditional jump by the operand.
pub(crate) const JUMP: u16 = 0x05;
/// Jump when equal.
pub(crate) const EQUAL: u16 = 0x15;
/// Jump when greater.
pub(crate) const GREATER: u16 = 0x25;
/// Jump when greater or equal.
pub(crate) const GREATER_EQUAL: u16 = 0x35;
/// And with the operand.
pub(crate) const AND: u16 = 0x54;
/// Return the operand.
pub(crate) const RETURN: u16 = 0x06;

/// The kernel's limit.
const MAXIMUM: usize = 4096;

/// A place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// Where a conditional jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// To the next instruction.
    Next,
    /// To a label, which must not be further than 255 instructions away.
    To(Label),
}

/// The program does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AssembleError {
    /// More instructions than the kernel takes.
    #[error("the filter has {0} instructions, the kernel takes {MAXIMUM}")]
    TooLong(usize),
    /// A jump over too many instructions, or to no place.
    #[error("a jump of the filter is too far")]
    TooFar,
}

enum Line {
    Plain { code: u16, operand: u32 },
    Branch { code: u16, operand: u32, yes: Target, no: Target },
    Go(Label),
}

/// A program that is being written.
#[derive(Default)]
pub(crate) struct Assembler {
    lines: Vec<Line>,
    labels: Vec<Option<usize>>,
}

impl Assembler {
    /// A label that is placed later.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Puts a label before the next instruction.
    pub(crate) fn place(&mut self, label: Label) {
        let here = self.lines.len();
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(here);
        }
    }

    /// An instruction that does not jump.
    pub(crate) fn plain(&mut self, code: u16, operand: u32) {
        self.lines.push(Line::Plain { code, operand });
    }

    /// A conditional jump.
    pub(crate) fn branch(&mut self, code: u16, operand: u32, yes: Target, no: Target) {
        self.lines.push(Line::Branch { code, operand, yes, no });
    }

    /// A jump of any distance.
    pub(crate) fn go(&mut self, label: Label) {
        self.lines.push(Line::Go(label));
    }

    /// The finished program.
    pub(crate) fn finish(&self) -> Result<Vec<Instruction>, AssembleError> {
        if self.lines.len() > MAXIMUM {
            return Err(AssembleError::TooLong(self.lines.len()));
        }
        self.lines.iter().enumerate().map(|(at, line)| self.encode(at, line)).collect()
    }

    fn encode(&self, at: usize, line: &Line) -> Result<Instruction, AssembleError> {
        Ok(match *line {
            Line::Plain { code, operand } => Instruction { code, jump_true: 0, jump_false: 0, operand },
            Line::Go(label) => {
                let distance = u32::try_from(self.distance(at, label)?).map_err(|_| AssembleError::TooFar)?;
                Instruction { code: JUMP, jump_true: 0, jump_false: 0, operand: distance }
            }
            Line::Branch { code, operand, yes, no } => {
                Instruction { code, jump_true: self.short(at, yes)?, jump_false: self.short(at, no)?, operand }
            }
        })
    }

    fn short(&self, at: usize, target: Target) -> Result<u8, AssembleError> {
        match target {
            Target::Next => Ok(0),
            Target::To(label) => u8::try_from(self.distance(at, label)?).map_err(|_| AssembleError::TooFar),
        }
    }

    fn distance(&self, at: usize, label: Label) -> Result<usize, AssembleError> {
        let place = self.labels.get(label.0).copied().flatten().ok_or(AssembleError::TooFar)?;
        place.checked_sub(at + 1).ok_or(AssembleError::TooFar)
    }
}
